"""Generators that change what their source asks for, or how it hears of things."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.op_request import PENDING, Generator, NextOp, OpRequest
from ostrakon.harness.generator.source import Source, lift
from ostrakon.harness.history import Op


def map_ops(change: Callable[[OpRequest], OpRequest], source: Source) -> Generator:
    """`source`, everything it asks for changed by `change`."""
    return MapOps(change, lift(source))


def f_map(names: Mapping[str, str], source: Source) -> Generator:
    """`source`, with what it calls `f` renamed; names not given stay."""
    return map_ops(lambda request: replace(request, f=names.get(request.f, request.f)), source)


def filter_ops(wanted: Callable[[OpRequest], bool], source: Source) -> Generator:
    """`source` without the ops for which `wanted` is false; it must not be an endless row of these."""
    return FilterOps(wanted, lift(source))


def on_update(react: Callable[[Generator, Op], Generator], source: Source) -> Generator:
    """`source`, which goes on as `react(source, event)` whenever something has happened."""
    return OnUpdate(react, lift(source))


class MapOps(msgspec.Struct, frozen=True):
    """`source`, changed."""

    change: Callable[[OpRequest], OpRequest]
    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The source's next, changed."""
        if (asked := self.source.next_op(ctx)) is None:
            return None
        request, source = asked
        return request if request is PENDING else self.change(request), MapOps(self.change, source)

    def update(self, event: Op) -> Generator:
        """The source hears of it."""
        source = self.source.update(event)
        return self if source is self.source else MapOps(self.change, source)


class FilterOps(msgspec.Struct, frozen=True):
    """`source`, without what is not wanted."""

    wanted: Callable[[OpRequest], bool]
    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The first that is wanted."""
        source = self.source
        while (asked := source.next_op(ctx)) is not None:
            request, source = asked
            if request is PENDING or self.wanted(request):
                return request, FilterOps(self.wanted, source)
        return None

    def update(self, event: Op) -> Generator:
        """The source hears of it."""
        return FilterOps(self.wanted, self.source.update(event))


class OnUpdate(msgspec.Struct, frozen=True):
    """`source`, as `react` makes it."""

    react: Callable[[Generator, Op], Generator]
    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The source's next."""
        if (asked := self.source.next_op(ctx)) is None:
            return None
        return asked[0], OnUpdate(self.react, asked[1])

    def update(self, event: Op) -> Generator:
        """The source is replaced."""
        return OnUpdate(self.react, lift(self.react(self.source, event)))
