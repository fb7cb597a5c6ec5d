"""Generators that choose the times of their ops."""

from __future__ import annotations

import random

import msgspec
from msgspec.structs import replace

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.dice import Dice
from ostrakon.harness.generator.op_request import PENDING, Generator, NextOp, OpRequest
from ostrakon.harness.generator.source import One, Source, duration, lift
from ostrakon.harness.history import Op


def stagger(period_s: float, source: Source, *, rng: random.Random) -> Generator:
    """`source`, with one op every `period_s` seconds on average, over all threads together.

    Gaps are uniform between 0 and twice the period. A generator that is late does not catch up. The function
    draws one number from `rng` when it is called.
    """
    return Stagger(round(duration("stagger", period_s) * 2e9), lift(source), Dice.of(rng))


def delay(period_s: float, source: Source) -> Generator:
    """`source`, with one op every `period_s` seconds over all threads together; it catches up if it is
    late."""
    return Delay(round(duration("delay", period_s) * 1e9), lift(source))


def not_before(time_s: float, source: Source) -> Generator:
    """`source`, not before `time_s` seconds after the begin of the whole generator."""
    return NotBefore(round(duration("not_before", time_s) * 1e9), lift(source))


def sleep(seconds: float) -> Generator:
    """Keep one process busy for some seconds; other processes continue."""
    return One(OpRequest("sleep", seconds, action="sleep"))


def log(message: str) -> Generator:
    """Write a line to the trial's log."""
    return One(OpRequest("log", message, action="log"))


class Stagger(msgspec.Struct, frozen=True):
    """`source`, with random gaps."""

    gap_ns_max: int
    source: Generator
    dice: Dice
    next_ns: int = 0
    """The earliest time of the next op."""

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, at its time."""
        if (asked := self.source.next_op(ctx)) is None:
            return None
        request, source = asked
        if request is PENDING:
            return PENDING, replace(self, source=source)
        time_ns = max(request.time_ns, self.next_ns)
        roll, dice = self.dice.roll()
        next_ns = time_ns + int(roll * self.gap_ns_max)
        return _timed(request, time_ns), Stagger(self.gap_ns_max, source, dice, next_ns)

    def update(self, event: Op) -> Generator:
        """The event changes the source."""
        source = self.source.update(event)
        return self if source is self.source else replace(self, source=source)


class Delay(msgspec.Struct, frozen=True):
    """`source`, with even gaps."""

    gap_ns: int
    source: Generator
    next_ns: int | None = None
    """The time of the next op; None before the first."""

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, at its time, or now if that time has passed."""
        if (asked := self.source.next_op(ctx)) is None:
            return None
        request, source = asked
        if request is PENDING:
            return PENDING, replace(self, source=source)
        due_ns = request.time_ns if self.next_ns is None else self.next_ns
        return _timed(request, max(due_ns, request.time_ns)), Delay(self.gap_ns, source, due_ns + self.gap_ns)

    def update(self, event: Op) -> Generator:
        """The event changes the source."""
        source = self.source.update(event)
        return self if source is self.source else replace(self, source=source)


class NotBefore(msgspec.Struct, frozen=True):
    """`source`, from a given time on."""

    time_ns: int
    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, not before that time."""
        if ctx.time_ns >= self.time_ns:
            return self.source.next_op(ctx)
        if (asked := self.source.next_op(ctx)) is None:
            return None
        request, source = asked
        later = request if request is PENDING else _timed(request, max(request.time_ns, self.time_ns))
        return later, NotBefore(self.time_ns, source)

    def update(self, event: Op) -> Generator:
        """The event changes the source."""
        return NotBefore(self.time_ns, self.source.update(event))


def _timed(request: OpRequest, time_ns: int) -> OpRequest:
    if request.time_ns == time_ns:
        return request
    return OpRequest(request.f, request.value, request.process, time_ns, request.node, request.action)
