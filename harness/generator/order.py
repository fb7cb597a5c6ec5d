"""Generators one after another, and over and over."""

from __future__ import annotations

import msgspec

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.op_request import PENDING, Generator, NextOp
from ostrakon.harness.generator.source import Sequence, Source, lift
from ostrakon.harness.history import Op


def sequence(*sources: Source) -> Generator:
    """Each source in turn; the next begins when the one before has nothing more to ask for."""
    return Sequence(tuple(lift(source) for source in sources))


def phases(*sources: Source) -> Generator:
    """Each source in turn; the next begins when everyone is done with the one before."""
    return Sequence(tuple(synchronize(source) for source in sources))


def then(first: Source, second: Source) -> Generator:
    """`first`, and `second` when everyone is done with it."""
    return sequence(first, synchronize(second))


def synchronize(source: Source) -> Generator:
    """`source`, from the moment on at which nobody is busy."""
    return Synchronize(lift(source))


def repeat(source: Source, times: int | None = None) -> Generator:
    """The first op of `source`, `times` times; None is for ever."""
    return Repeat(lift(source), times)


def cycle(source: Source, times: int | None = None) -> Generator:
    """All of `source`, `times` times; None is for ever."""
    fresh = lift(source)
    return Cycle(fresh, fresh, times)


class Synchronize(msgspec.Struct, frozen=True):
    """`source`, as soon as everyone is free."""

    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The source's first, after which there is nothing left to wait for."""
        return self.source.next_op(ctx) if ctx.all_free else (PENDING, self)

    def update(self, event: Op) -> Generator:
        """The source has not begun, and hears nothing."""
        return self


class Repeat(msgspec.Struct, frozen=True):
    """The first op of `source`, over and over."""

    source: Generator
    remaining: int | None

    def next_op(self, ctx: Context) -> NextOp:
        """The first op of the source, which stays as it is."""
        if self.remaining == 0 or (asked := self.source.next_op(ctx)) is None:
            return None
        if asked[0] is PENDING:
            return PENDING, self
        return asked[0], self if self.remaining is None else Repeat(self.source, self.remaining - 1)

    def update(self, event: Op) -> Generator:
        """The source hears of it."""
        source = self.source.update(event)
        return self if source is self.source else Repeat(source, self.remaining)


class Cycle(msgspec.Struct, frozen=True):
    """All of a source, over and over."""

    fresh: Generator
    current: Generator
    remaining: int | None
    """How often it may still begin, the current round included."""

    def next_op(self, ctx: Context) -> NextOp:
        """The next of this round, or the first of the next one."""
        if self.remaining == 0:
            return None
        if (asked := self.current.next_op(ctx)) is not None:
            return asked[0], Cycle(self.fresh, asked[1], self.remaining)
        remaining = None if self.remaining is None else self.remaining - 1
        if remaining == 0 or (asked := self.fresh.next_op(ctx)) is None:
            return None
        return asked[0], Cycle(self.fresh, asked[1], remaining)

    def update(self, event: Op) -> Generator:
        """The current round hears of it."""
        return Cycle(self.fresh, self.current.update(event), self.remaining)
