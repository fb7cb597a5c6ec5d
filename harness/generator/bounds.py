"""Generators that end before their source, or that limit the number of its ops in flight."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.op_request import PENDING, Generator, NextOp
from ostrakon.harness.generator.source import Source, count_of, duration, lift
from ostrakon.harness.history import Op, Process


def limit(count: int, source: Source) -> Generator:
    """At most `count` ops of `source`."""
    return Limit(count_of("limit", count), lift(source))


def once(source: Source) -> Generator:
    """The first op of `source` and no other."""
    return limit(1, source)


def time_limit(seconds: float, source: Source) -> Generator:
    """The ops of `source` that begin within `seconds` of its first op."""
    return TimeLimit(round(duration("time_limit", seconds) * 1e9), lift(source))


def process_limit(count: int, source: Source) -> Generator:
    """`source`, until more than `count` different processes would have been able to act.

    This bounds the number of processes that crash one after another when the system no longer answers.
    """
    return ProcessLimit(count_of("process_limit", count), lift(source))


def concurrency_limit(count: int, source: Source) -> Generator:
    """`source`, with at most `count` of its ops in flight at a time."""
    return ConcurrencyLimit(count_of("concurrency_limit", count), lift(source))


def until_ok(source: Source) -> Generator:
    """`source`, until one of its ops is ok."""
    return Until(lift(source), _is_ok)


def until(ends: Callable[[Op], bool], source: Source) -> Generator:
    """`source`, until `ends` is true of the completion of one of its ops."""
    return Until(lift(source), ends)


def _is_ok(completed: Op) -> bool:
    return completed.type == "ok"


class Limit(msgspec.Struct, frozen=True):
    """At most `remaining` ops of `source`."""

    remaining: int
    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, if any op is left."""
        if self.remaining <= 0 or (asked := self.source.next_op(ctx)) is None:
            return None
        request, source = asked
        return request, Limit(self.remaining - (request is not PENDING), source)

    def update(self, event: Op) -> Generator:
        """The event changes the source."""
        return Limit(self.remaining, self.source.update(event))


class TimeLimit(msgspec.Struct, frozen=True):
    """The ops of `source` within a period."""

    length_ns: int
    source: Generator
    end_ns: int | None = None
    """The end of the period; None before the first op, which begins the period."""

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, if it is within the period."""
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
        # This op is too late, but after a completion the source may have an earlier one.
        return None if ctx.all_free else (PENDING, self)

    def update(self, event: Op) -> Generator:
        """The event changes the source."""
        return TimeLimit(self.length_ns, self.source.update(event), self.end_ns)


class ProcessLimit(msgspec.Struct, frozen=True):
    """`source`, while `seen` is small enough."""

    count: int
    source: Generator
    seen: frozenset[Process] = frozenset()
    """The processes that were able to act so far."""

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, if the number of processes stays within the limit."""
        seen = self.seen.union([ctx.process_of(thread) for thread in ctx.threads])
        if len(seen) > self.count or (asked := self.source.next_op(ctx)) is None:
            return None
        return asked[0], ProcessLimit(self.count, asked[1], seen)

    def update(self, event: Op) -> Generator:
        """The event changes the source."""
        return replace(self, source=self.source.update(event))


class ConcurrencyLimit(msgspec.Struct, frozen=True):
    """`source`, with a limited number of its ops in flight."""

    count: int
    source: Generator
    acting: frozenset[Process] = frozenset()
    """The processes that are busy with ops of the source."""

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, if fewer ops than the limit are in flight."""
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
        """The event changes the source."""
        return replace(self, source=self.source.update(event))


class Until(msgspec.Struct, frozen=True):
    """`source`, until one of its own ops ends as is waited for."""

    source: Generator
    ends: Callable[[Op], bool]
    acting: frozenset[Process] = frozenset()
    """The processes that are busy with ops of the source."""
    done: bool = False

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, if none of its ops has ended it yet."""
        if self.done or (asked := self.source.next_op(ctx)) is None:
            return None
        request, source = asked
        if request is PENDING or request.process is None or request.action != "op":
            return request, replace(self, source=source)
        return request, Until(source, self.ends, self.acting | {request.process})

    def update(self, event: Op) -> Generator:
        """A completion of one of its ops may end the generator."""
        ours = event.type != "invoke" and event.process in self.acting
        return Until(
            self.source.update(event),
            self.ends,
            self.acting - {event.process} if ours else self.acting,
            self.done or (ours and self.ends(event)),
        )
