"""Generators that choose between sources."""

from __future__ import annotations

import random

import msgspec

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.dice import Dice
from ostrakon.harness.generator.op_request import PENDING, Generator, NextOp, OpRequest
from ostrakon.harness.generator.source import Source, lift
from ostrakon.harness.history import Op


def mix(*sources: Source, rng: random.Random) -> Generator:
    """Each op from a source chosen at random, until all sources are done.

    A source that is pending is skipped. The function draws one number from `rng` when it is called.
    """
    return Mix(tuple(lift(source) for source in sources), Dice.of(rng))


def flip_flop(*sources: Source) -> Generator:
    """One op of each source in turn, until the source whose turn it is has none: start, stop, start, ..."""
    return FlipFlop(tuple(lift(source) for source in sources))


def any_of(*sources: Source) -> Generator:
    """The earliest op of any source, until all are done; a tie goes to the source that has waited longest."""
    return AnyOf(tuple(lift(source) for source in sources))


def shortest_of(*sources: Source) -> Generator:
    """Like `any_of`, until one source is done: for clients that stop when the nemesis does."""
    return AnyOf(tuple(lift(source) for source in sources), shortest=True)


class Mix(msgspec.Struct, frozen=True):
    """Each op from a source chosen at random."""

    sources: tuple[Generator, ...]
    dice: Dice

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the drawn source, or of the first source after it that has one."""
        if not self.sources:
            return None
        first, dice = self.dice.below(len(self.sources))
        ended: list[int] = []
        for step in range(len(self.sources)):
            at = (first + step) % len(self.sources)
            asked = self.sources[at].next_op(ctx)
            if asked is None:
                ended.append(at)
            elif asked[0] is not PENDING:
                return asked[0], Mix(_swapped(self.sources, at, asked[1]), dice)
        return None if len(ended) == len(self.sources) else (PENDING, self)

    def update(self, event: Op) -> Generator:
        """The event changes all sources."""
        return Mix(tuple([source.update(event) for source in self.sources]), self.dice)


class FlipFlop(msgspec.Struct, frozen=True):
    """One op of each source in turn."""

    sources: tuple[Generator, ...]
    turn: int = 0

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source whose turn it is."""
        if not self.sources or (asked := self.sources[self.turn].next_op(ctx)) is None:
            return None
        request, source = asked
        turn = self.turn if request is PENDING else (self.turn + 1) % len(self.sources)
        return request, FlipFlop(_swapped(self.sources, self.turn, source), turn)

    def update(self, event: Op) -> Generator:
        """The event changes all sources."""
        return FlipFlop(tuple([source.update(event) for source in self.sources]), self.turn)


class AnyOf(msgspec.Struct, frozen=True):
    """The earliest op of any source."""

    sources: tuple[Generator, ...]
    """The sources; the one that has waited longest is first."""
    shortest: bool = False
    """Whether the generator ends when one source ends."""

    def next_op(self, ctx: Context) -> NextOp:
        """The earliest op of any source."""
        best: tuple[OpRequest, Generator, int] | None = None
        ended = 0
        for at, source in enumerate(self.sources):
            asked = source.next_op(ctx)
            if asked is None:
                ended += 1
            elif asked[0] is not PENDING and (best is None or asked[0].time_ns < best[0].time_ns):
                best = asked[0], asked[1], at
                if best[0].time_ns <= ctx.time_ns and not self.shortest:
                    break  # No op can be earlier than now.
        if (ended and self.shortest) or ended == len(self.sources):
            return None
        if best is None:
            return PENDING, self
        request, source, at = best
        return request, AnyOf((*self.sources[:at], *self.sources[at + 1 :], source), self.shortest)

    def update(self, event: Op) -> Generator:
        """The event changes all sources."""
        return AnyOf(tuple([source.update(event) for source in self.sources]), self.shortest)


def _swapped(sources: tuple[Generator, ...], at: int, source: Generator) -> tuple[Generator, ...]:
    return (*sources[:at], source, *sources[at + 1 :])
