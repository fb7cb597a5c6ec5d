"""Generators that end, or hold back, before their source does."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.op_request import PENDING, Generator, NextOp
from ostrakon.harness.generator.source import Source, lift
from ostrakon.harness.history import Op, Process


def limit(count: int, source: Source) -> Generator:
    """At most `count` ops of `source`."""
    return Limit(count, lift(source))


def once(source: Source) -> Generator:
    """The first op of `source` alone."""
    return limit(1, source)


def time_limit(seconds: float, source: Source) -> Generator:
    """What `source` does within `seconds` of its first op."""
    return TimeLimit(round(seconds * 1e9), lift(source))


def process_limit(count: int, source: Source) -> Generator:
    """`source`, until more than `count` different processes would have had a chance to act.

    Bounds the processes that crash one after another at the end of a trial in which nothing answers.
    """
    return ProcessLimit(count, lift(source))


def concurrency_limit(count: int, source: Source) -> Generator:
    """`source`, with at most `count` of its ops in flight at a time."""
    return ConcurrencyLimit(count, lift(source))


def until_ok(source: Source) -> Generator:
    """`source`, until one of the ops it asked for is ok."""
    return UntilOk(lift(source))


class Limit(msgspec.Struct, frozen=True):
    """At most `remaining` ops of `source`."""

    remaining: int
    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The source's next, if any is left."""
        if self.remaining <= 0 or (asked := self.source.next_op(ctx)) is None:
            return None
        request, source = asked
        return request, Limit(self.remaining - (request is not PENDING), source)

    def update(self, event: Op) -> Generator:
        """The source hears of it."""
        return Limit(self.remaining, self.source.update(event))


class TimeLimit(msgspec.Struct, frozen=True):
    """What `source` does within a length of time."""

    length_ns: int
    source: Generator
    end_ns: int | None = None
    """When it is over; None before the first op, which is what the time is counted from."""

    def next_op(self, ctx: Context) -> NextOp:
        """The source's next, if it is in time."""
        if self.end_ns is not None and ctx.time_ns >= self.end_ns:
            return None
        if (asked := self.source.next_op(ctx)) is None:
            return None
        request, source = asked
        if request is PENDING:
            return request, replace(self, source=source)
        end_ns = request.time_ns + self.length_ns if self.end_ns is None else self.end_ns
        if request.time_ns < end_ns:
            return request, TimeLimit(self.length_ns, source, end_ns)
        # Too late, but a source that waits for a completion may yet have something sooner.
        return None if ctx.all_free else (PENDING, self)

    def update(self, event: Op) -> Generator:
        """The source hears of it."""
        return TimeLimit(self.length_ns, self.source.update(event), self.end_ns)


class ProcessLimit(msgspec.Struct, frozen=True):
    """`source`, as long as `seen` stays small."""

    count: int
    source: Generator
    seen: frozenset[Process] = frozenset()
    """The processes that could have acted so far."""

    def next_op(self, ctx: Context) -> NextOp:
        """The source's next, if nobody new acts or there is still room for them."""
        seen = self.seen.union([ctx.process_of(thread) for thread in ctx.threads])
        if len(seen) > self.count or (asked := self.source.next_op(ctx)) is None:
            return None
        return asked[0], ProcessLimit(self.count, asked[1], seen)

    def update(self, event: Op) -> Generator:
        """The source hears of it."""
        return replace(self, source=self.source.update(event))


class ConcurrencyLimit(msgspec.Struct, frozen=True):
    """`source`, with few of its ops in flight at a time."""

    count: int
    source: Generator
    acting: frozenset[Process] = frozenset()
    """The processes that are busy with ops of the source."""

    def next_op(self, ctx: Context) -> NextOp:
        """The source's next, if few enough are in flight."""
        acting = frozenset(process for process in self.acting if ctx.is_busy(process))
        if len(acting) >= self.count:
            return PENDING, self
        if (asked := self.source.next_op(ctx)) is None:
            return None
        request, source = asked
        if request is not PENDING and request.process is not None:
            acting |= {request.process}
        return request, ConcurrencyLimit(self.count, source, acting)

    def update(self, event: Op) -> Generator:
        """The source hears of it."""
        return replace(self, source=self.source.update(event))


class UntilOk(msgspec.Struct, frozen=True):
    """`source`, until one of its own ops is ok."""

    source: Generator
    acting: frozenset[Process] = frozenset()
    """The processes that are busy with ops of the source."""
    done: bool = False

    def next_op(self, ctx: Context) -> NextOp:
        """The source's next, if nothing was ok yet."""
        if self.done or (asked := self.source.next_op(ctx)) is None:
            return None
        request, source = asked
        if request is PENDING or request.process is None or request.action != "op":
            return request, replace(self, source=source)
        return request, UntilOk(source, self.acting | {request.process})

    def update(self, event: Op) -> Generator:
        """An ok of one of its own ops ends it."""
        ours = event.type != "invoke" and event.process in self.acting
        return UntilOk(
            self.source.update(event),
            self.acting - {event.process} if ours else self.acting,
            self.done or (ours and event.type == "ok"),
        )
