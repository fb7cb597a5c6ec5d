"""Generators in sequence, and repetition."""

from __future__ import annotations

import msgspec

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.op_request import PENDING, Generator, NextOp
from ostrakon.harness.generator.source import Sequence, Source, count_of, lift
from ostrakon.harness.history import Op


def sequence(*sources: Source) -> Generator:
    """The sources in sequence; the next one begins when the one before has no more ops."""
    return Sequence(tuple(lift(source) for source in sources))


def phases(*sources: Source) -> Generator:
    """The sources in sequence; the next one begins when all ops of the one before have ended."""
    return Sequence(tuple(synchronize(source) for source in sources))


def then(first: Source, second: Source) -> Generator:
    """`first`, and then `second`, after all ops of `first` have ended."""
    return sequence(first, synchronize(second))


def synchronize(source: Source) -> Generator:
    """`source`, which begins when no thread is busy."""
    return Synchronize(lift(source))


def repeat(source: Source, times: int | None = None) -> Generator:
    """The first op of `source`, `times` times; None for without end."""
    return Repeat(lift(source), None if times is None else count_of("repeat", times))


def cycle(source: Source, times: int | None = None) -> Generator:
    """All ops of `source`, `times` times; None for without end."""
    fresh = lift(source)
    return Cycle(fresh, fresh, None if times is None else count_of("cycle", times))


class Synchronize(msgspec.Struct, frozen=True):
    """`source`, which begins when all threads are free."""

    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The first op of the source, when all threads are free."""
        return self.source.next_op(ctx) if ctx.all_free else (PENDING, self)

    def update(self, event: Op) -> Generator:
        """The source has not begun, so events do not change it."""
        return self


class Repeat(msgspec.Struct, frozen=True):
    """The first op of `source`, repeated."""

    source: Generator
    remaining: int | None

    def next_op(self, ctx: Context) -> NextOp:
        """The first op of the source, which does not change."""
        if self.remaining == 0 or (asked := self.source.next_op(ctx)) is None:
            return None
        if asked[0] is PENDING:
            return PENDING, self
        return asked[0], self if self.remaining is None else Repeat(self.source, self.remaining - 1)

    def update(self, event: Op) -> Generator:
        """The event changes the source."""
        source = self.source.update(event)
        return self if source is self.source else Repeat(source, self.remaining)


class Cycle(msgspec.Struct, frozen=True):
    """All ops of a source, repeated."""

    fresh: Generator
    current: Generator
    remaining: int | None
    """The number of rounds that are left, the current one included."""

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of this round, or the first op of the next round."""
        if self.remaining == 0:
            return None
        if (asked := self.current.next_op(ctx)) is not None:
            return asked[0], Cycle(self.fresh, asked[1], self.remaining)
        remaining = None if self.remaining is None else self.remaining - 1
        if remaining == 0 or (asked := self.fresh.next_op(ctx)) is None:
            return None
        return asked[0], Cycle(self.fresh, asked[1], remaining)

    def update(self, event: Op) -> Generator:
        """The event changes the current round."""
        return Cycle(self.fresh, self.current.update(event), self.remaining)
