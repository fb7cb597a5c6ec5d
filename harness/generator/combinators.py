"""Generators made from one source: in sequence, repeated, limited, or changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from ostrakon.harness.generator.context import Context
from ostrakon.harness.generator.op_request import PENDING, Generator, NextOp, OpRequest
from ostrakon.harness.generator.source import Sequence, Source, count_of, duration, lift
from ostrakon.harness.history import Op, Process


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
