"""Generators that say when."""

from __future__ import annotations

import random

import msgspec
from msgspec.structs import replace

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.dice import Dice
from ostrakon.harness.generator.source import One, Source, lift
from ostrakon.harness.generator.todo import PENDING, Asked, Generator, Todo
from ostrakon.harness.history import Op


def stagger(period_s: float, source: Source, *, rng: random.Random) -> Generator:
    """`source`, an op every `period_s` seconds on average, over all threads together.

    Gaps are uniform between 0 and twice the period. Who falls behind does not catch up. `rng` is drawn
    from once, now.
    """
    return Stagger(round(period_s * 2e9), lift(source), Dice.of(rng))


def delay(period_s: float, source: Source) -> Generator:
    """`source`, an op every `period_s` seconds, over all threads together; who falls behind catches up."""
    return Delay(round(period_s * 1e9), lift(source))


def not_before(time_s: float, source: Source) -> Generator:
    """`source`, not before `time_s` seconds after the whole generator was begun."""
    return NotBefore(round(time_s * 1e9), lift(source))


def sleep(seconds: float) -> Generator:
    """Keep one process busy for a while; others go on."""
    return One(Todo("sleep", seconds, action="sleep"))


def log(message: str) -> Generator:
    """Write a line to the trial's log."""
    return One(Todo("log", message, action="log"))


class Stagger(msgspec.Struct, frozen=True):
    """`source`, with random gaps."""

    gap_ns_max: int
    source: Generator
    dice: Dice
    next_ns: int = 0
    """The next op is not before this."""

    def ask(self, ctx: Context) -> Asked:
        """The source's next, when its time has come."""
        if (asked := self.source.ask(ctx)) is None:
            return None
        todo, source = asked
        if todo is PENDING:
            return PENDING, replace(self, source=source)
        time_ns = max(todo.time_ns, self.next_ns)
        roll, dice = self.dice.roll()
        next_ns = time_ns + int(roll * self.gap_ns_max)
        return _timed(todo, time_ns), Stagger(self.gap_ns_max, source, dice, next_ns)

    def tell(self, event: Op) -> Generator:
        """The source hears of it."""
        source = self.source.tell(event)
        return self if source is self.source else replace(self, source=source)


class Delay(msgspec.Struct, frozen=True):
    """`source`, with even gaps."""

    gap_ns: int
    source: Generator
    next_ns: int | None = None
    """When the next op is due; None before the first."""

    def ask(self, ctx: Context) -> Asked:
        """The source's next, when it is due or, if that is past, at once."""
        if (asked := self.source.ask(ctx)) is None:
            return None
        todo, source = asked
        if todo is PENDING:
            return PENDING, replace(self, source=source)
        due_ns = todo.time_ns if self.next_ns is None else self.next_ns
        return _timed(todo, max(due_ns, todo.time_ns)), Delay(self.gap_ns, source, due_ns + self.gap_ns)

    def tell(self, event: Op) -> Generator:
        """The source hears of it."""
        source = self.source.tell(event)
        return self if source is self.source else replace(self, source=source)


class NotBefore(msgspec.Struct, frozen=True):
    """`source`, from a time on."""

    time_ns: int
    source: Generator

    def ask(self, ctx: Context) -> Asked:
        """The source's next, at the earliest at that time."""
        if ctx.time_ns >= self.time_ns:
            return self.source.ask(ctx)
        if (asked := self.source.ask(ctx)) is None:
            return None
        todo, source = asked
        later = todo if todo is PENDING else _timed(todo, max(todo.time_ns, self.time_ns))
        return later, NotBefore(self.time_ns, source)

    def tell(self, event: Op) -> Generator:
        """The source hears of it."""
        return NotBefore(self.time_ns, self.source.tell(event))


def _timed(todo: Todo, time_ns: int) -> Todo:
    if todo.time_ns == time_ns:
        return todo
    return Todo(todo.f, todo.value, todo.process, time_ns, todo.node, todo.action)
