"""Generators that change what their source asks for, or how it hears of things."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.source import Source, lift
from ostrakon.harness.generator.todo import PENDING, Asked, Generator, Todo
from ostrakon.harness.history import Op


def map_ops(change: Callable[[Todo], Todo], source: Source) -> Generator:
    """`source`, everything it asks for changed by `change`."""
    return MapOps(change, lift(source))


def f_map(names: Mapping[str, str], source: Source) -> Generator:
    """`source`, with what it calls `f` renamed; names not given stay."""
    return map_ops(lambda todo: replace(todo, f=names.get(todo.f, todo.f)), source)


def filter_ops(wanted: Callable[[Todo], bool], source: Source) -> Generator:
    """`source` without the ops for which `wanted` is false; it must not be an endless row of these."""
    return FilterOps(wanted, lift(source))


def on_update(react: Callable[[Generator, Op], Generator], source: Source) -> Generator:
    """`source`, which goes on as `react(source, event)` whenever something has happened."""
    return OnUpdate(react, lift(source))


class MapOps(msgspec.Struct, frozen=True):
    """`source`, changed."""

    change: Callable[[Todo], Todo]
    source: Generator

    def ask(self, ctx: Context) -> Asked:
        """The source's next, changed."""
        if (asked := self.source.ask(ctx)) is None:
            return None
        todo, source = asked
        return todo if todo is PENDING else self.change(todo), MapOps(self.change, source)

    def tell(self, event: Op) -> Generator:
        """The source hears of it."""
        source = self.source.tell(event)
        return self if source is self.source else MapOps(self.change, source)


class FilterOps(msgspec.Struct, frozen=True):
    """`source`, without what is not wanted."""

    wanted: Callable[[Todo], bool]
    source: Generator

    def ask(self, ctx: Context) -> Asked:
        """The first that is wanted."""
        source = self.source
        while (asked := source.ask(ctx)) is not None:
            todo, source = asked
            if todo is PENDING or self.wanted(todo):
                return todo, FilterOps(self.wanted, source)
        return None

    def tell(self, event: Op) -> Generator:
        """The source hears of it."""
        return FilterOps(self.wanted, self.source.tell(event))


class OnUpdate(msgspec.Struct, frozen=True):
    """`source`, as `react` makes it."""

    react: Callable[[Generator, Op], Generator]
    source: Generator

    def ask(self, ctx: Context) -> Asked:
        """The source's next."""
        if (asked := self.source.ask(ctx)) is None:
            return None
        return asked[0], OnUpdate(self.react, asked[1])

    def tell(self, event: Op) -> Generator:
        """The source is replaced."""
        return OnUpdate(self.react, lift(self.react(self.source, event)))
