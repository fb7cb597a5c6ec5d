"""Generators that change the ops of their source, or the way in which events change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.op_request import PENDING, Generator, NextOp, OpRequest
from ostrakon.harness.generator.source import Source, lift
from ostrakon.harness.history import Op


def map_ops(change: Callable[[OpRequest], OpRequest], source: Source) -> Generator:
    """`source`, with each op changed by `change`."""
    return MapOps(change, lift(source))


def f_map(names: Mapping[str, str], source: Source) -> Generator:
    """`source`, with the `f` of its ops renamed; an `f` that is not in the mapping stays."""
    return map_ops(lambda request: replace(request, f=names.get(request.f, request.f)), source)


def filter_ops(wanted: Callable[[OpRequest], bool], source: Source) -> Generator:
    """`source` without the ops for which `wanted` is false; it must not have endlessly many of them in a
    row."""
    return FilterOps(wanted, lift(source))


def on_update(react: Callable[[Generator, Op], Generator], source: Source) -> Generator:
    """`source`, replaced by `react(source, event)` after each invocation and completion."""
    return OnUpdate(react, lift(source))


class MapOps(msgspec.Struct, frozen=True):
    """`source`, with each op changed."""

    change: Callable[[OpRequest], OpRequest]
    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, changed."""
        if (asked := self.source.next_op(ctx)) is None:
            return None
        request, source = asked
        return request if request is PENDING else self.change(request), MapOps(self.change, source)

    def update(self, event: Op) -> Generator:
        """The event changes the source."""
        source = self.source.update(event)
        return self if source is self.source else MapOps(self.change, source)


class FilterOps(msgspec.Struct, frozen=True):
    """`source`, with only the wanted ops."""

    wanted: Callable[[OpRequest], bool]
    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The first op of the source that is wanted."""
        source = self.source
        while (asked := source.next_op(ctx)) is not None:
            request, source = asked
            if request is PENDING or self.wanted(request):
                return request, FilterOps(self.wanted, source)
        return None

    def update(self, event: Op) -> Generator:
        """The event changes the source."""
        return FilterOps(self.wanted, self.source.update(event))


class OnUpdate(msgspec.Struct, frozen=True):
    """`source`, as `react` changes it."""

    react: Callable[[Generator, Op], Generator]
    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source."""
        if (asked := self.source.next_op(ctx)) is None:
            return None
        return asked[0], OnUpdate(self.react, asked[1])

    def update(self, event: Op) -> Generator:
        """`react` replaces the source."""
        return OnUpdate(self.react, lift(self.react(self.source, event)))
