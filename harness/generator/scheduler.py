"""Runs a generator: keeps the ops in flight and the free threads, and returns the next op.

The scheduler decides and never waits. `play` runs it in virtual time, without a cluster, for tests of
generators; the interpreter runs it in Trio's time. Each step of a generator is checked, so that a mistake in
a generator is reported and does not lead to a strange history.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from itertools import count
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from ostrakon.harness.generator.context import Context, Thread
from ostrakon.harness.generator.op_request import PENDING, Generator, ImpossibleGenerator, NextOp, OpRequest
from ostrakon.harness.generator.source import Source, lift
from ostrakon.harness.history import NEMESIS, Op

LOG = logging.getLogger(__name__)


class Wait(NamedTuple):
    """No op begins before another op ends or a time is reached."""

    until_ns: int | None
    """The time; None if an op must end first."""


class Scheduler:
    """A running generator. The caller performs the ops that `next` returns and reports how each one ended."""

    def __init__(self, source: Source, concurrency: int, *, nemesis: bool, begin_ns: int = 0) -> None:
        self._generator = validate(source)
        self._ctx = Context.start(concurrency, nemesis=nemesis)
        self._begin_ns = begin_ns
        self._asleep: list[tuple[int, int, Thread]] = []
        self._naps = count()
        self._index = 0
        self.ended = False
        """Whether no more op will begin."""
        self.in_flight: dict[Thread, Op] = {}
        """The ops in flight, by thread."""

    def next(self, now_ns: int) -> Op | Wait | None:
        """An op to begin now, or a time to wait for, or None at the end.

        Raises: ImpossibleGenerator, if the generator waits for an event that cannot happen; MalformedOp; any
        exception of the generator.
        """
        self._pass_time(now_ns - self._begin_ns)
        while not self.ended:
            if (asked := self._generator.next_op(self._ctx)) is None:
                self.ended = True
                break
            request, generator = asked
            if request is PENDING:
                self._generator = generator
                return self._wait(None)
            if request.time_ns > self._ctx.time_ns:
                return self._wait(request.time_ns)
            self._generator = generator
            if (op := self._begin(request)) is not None:
                return op
        return self._wait(None) if self.in_flight or self._asleep else None

    def end(self, op: Op) -> Op:
        """Record that an op has ended at its `time`; returns the op with its index in the history."""
        thread = self._ctx.thread_of(op.process)
        assert thread in self.in_flight, f"nothing was in flight that {op} could be the end of"
        del self.in_flight[thread]
        op = self._numbered(op)
        if op.type == "info" and op.is_client:
            self._ctx = self._ctx.succeeded(thread)
        self._ctx = self._ctx.idle(thread)
        self._generator = self._generator.update(op)
        return op

    def thread_of(self, op: Op) -> Thread:
        """The thread that performs, or performed, an op."""
        return self._ctx.thread_of(op.process)

    def is_in_flight(self, op: Op) -> bool:
        """Whether the process of this invocation or completion has an op in flight."""
        begun = self.in_flight.get(self.thread_of(op))
        return begun is not None and begun.process == op.process

    def _begin(self, request: OpRequest) -> Op | None:
        assert request.process is not None, "validated"
        if request.action == "log":
            LOG.info("%s", request.value)
            return None
        thread = self._ctx.thread_of(request.process)
        self._ctx = self._ctx.busy(thread)
        if request.action == "sleep":
            end_ns = self._ctx.time_ns + round(request.value * 1e9)
            heapq.heappush(self._asleep, (end_ns, next(self._naps), thread))
            return None
        kind: Literal["info", "invoke"] = "info" if request.process == NEMESIS else "invoke"
        time_ns = self._begin_ns + self._ctx.time_ns
        op = self._numbered(
            Op(0, time_ns, kind, request.process, request.f, request.value, node=request.node)
        )
        self.in_flight[thread] = op
        self._generator = self._generator.update(op)
        return op

    def _numbered(self, op: Op) -> Op:
        op = replace(op, index=self._index)
        self._index += 1
        return op

    def _pass_time(self, time_ns: int) -> None:
        self._ctx = self._ctx.at(max(time_ns, self._ctx.time_ns))
        while self._asleep and self._asleep[0][0] <= self._ctx.time_ns:
            self._ctx = self._ctx.idle(heapq.heappop(self._asleep)[2])

    def _wait(self, until_ns: int | None) -> Wait:
        if self._asleep and (until_ns is None or self._asleep[0][0] < until_ns):
            until_ns = self._asleep[0][0]
        if until_ns is None and not self.in_flight:
            raise ImpossibleGenerator(
                "the generator waits although no op is in flight that could end the wait, "
                f"at {self._ctx}: {self._generator}"
            )
        return Wait(None if until_ns is None else self._begin_ns + until_ns)


GENERATOR_NOTES = ("while the generator was asked", "while the generator was told")
"""The first words of the notes on an error that a generator raised."""


class MalformedOp(ImpossibleGenerator):
    """A generator returned an op that cannot be performed; `problems` lists all that is wrong with it."""

    def __init__(self, asked: object, problems: list[str]) -> None:
        request = asked[0] if isinstance(asked, tuple) and asked else asked
        super().__init__(f"the generator asked for {request!r}: {'; '.join(problems)}")
        self.problems = problems


def validate(source: Source) -> Generator:
    """`source`, checked at each call of `next_op`.

    `next_op` raises MalformedOp. An error of the source itself gets a note that says which call raised it.
    """
    return Validate(lift(source))


class Validate(msgspec.Struct, frozen=True):
    """`source`, checked."""

    source: Generator

    def next_op(self, ctx: Context) -> NextOp:
        """The next op of the source, if nothing is wrong with it."""
        try:
            asked = self.source.next_op(ctx)
        except Exception as error:
            error.add_note(f"{GENERATOR_NOTES[0]} at {ctx}")
            raise
        if asked is None:
            return None
        if problems := _problems(asked, ctx):
            raise MalformedOp(asked, problems)
        return asked[0], Validate(asked[1])

    def update(self, event: Op) -> Generator:
        """The event changes the source."""
        try:
            source = self.source.update(event)
        except Exception as error:
            error.add_note(f"{GENERATOR_NOTES[1]} of {event}")
            raise
        return self if source is self.source else Validate(source)


def _problems(asked: object, ctx: Context) -> list[str]:
    if not isinstance(asked, tuple) or len(asked) != 2 or not hasattr(asked[1], "update"):
        return ["expected something to do and a generator, or None"]
    request = asked[0]
    if request is PENDING:
        return []
    if not isinstance(request, OpRequest):
        return ["expected an OpRequest or PENDING"]
    problems = []
    if not isinstance(request.f, str) or not request.f:
        problems.append(f"f is {request.f!r}, expected a name")
    if not isinstance(request.time_ns, int):
        problems.append("time_ns is to be a whole number of nanoseconds")
    elif request.time_ns < ctx.time_ns:
        problems.append("time_ns lies in the past")
    if request.action not in ("op", "sleep", "log"):
        problems.append("action is to be op, sleep or log")
    if request.action == "sleep" and not (isinstance(request.value, int | float) and request.value >= 0):
        problems.append("a sleep's value is to be seconds, 0 or more")
    if request.process is None or not ctx.is_free(request.process):
        problems.append(_why_not_free(request.process, ctx))
    return problems


def _why_not_free(process: object, ctx: Context) -> str:
    if process != NEMESIS and not isinstance(process, int):
        return f"process {process!r} is neither a number nor {NEMESIS!r}"
    thread = NEMESIS if process == NEMESIS else ctx.thread_of(process)
    if thread not in ctx.threads:
        return f"there is no process {process!r} here"
    if ctx.process_of(thread) != process:
        return f"process {process!r} has met silence and never acts again, or does not act yet"
    return f"process {process!r} is busy"


Complete = Callable[[Op], Op | None]
"""Returns the completion of an invoked op, with its `time`; None if the op never completes."""

_LATENCY_NS = 10_000_000
_ENDINGS: tuple[Literal["fail", "info", "ok"], ...] = ("fail", "info", "ok")


def quick(op: Op) -> Op:
    """Every op is ok immediately."""
    return replace(op, type=_well(op))


def perfect(op: Op) -> Op:
    """Every op is ok after 10 ms."""
    return replace(op, type=_well(op), time=op.time + _LATENCY_NS)


def imperfect(op: Op) -> Op:
    """Ops end after 10 ms as fail, info and ok in turn."""
    ending = _ENDINGS[op.index // 2 % 3] if op.is_client else "info"
    return replace(op, type=ending, time=op.time + _LATENCY_NS)


def play(
    source: Source,
    *,
    complete: Complete = perfect,
    concurrency: int = 2,
    nemesis: bool = False,
    ops_max: int = 1_000_000,
) -> list[Op]:
    """The history of a generator whose ops end as `complete` says.

    Time is virtual and begins at 0. There is a nemesis thread only if it is requested.

    Raises: ImpossibleGenerator, if the generator waits for an event that cannot happen or has more than
    `ops_max` ops; MalformedOp; any exception of the generator.
    """
    scheduler = Scheduler(source, concurrency, nemesis=nemesis)
    history: list[Op] = []
    due: list[tuple[int, int, Op]] = []  # Sorted by time, then in order of invocation.
    now_ns = 0
    while True:
        # Completions come first: an op that has ended when another begins is not concurrent with it.
        while due and due[0][0] <= now_ns:
            history.append(scheduler.end(heapq.heappop(due)[2]))
        if (move := scheduler.next(now_ns)) is None:
            return history
        if isinstance(move, Op):
            history.append(move)
            if (completion := complete(move)) is not None:
                heapq.heappush(due, (completion.time, move.index, completion))
        elif move.until_ns is None and not due:
            if scheduler.ended:
                return history  # What is still in flight was never answered.
            raise ImpossibleGenerator(
                "the generator waits for ops that never complete: let `complete` return completions"
            )
        else:
            now_ns = min([end[0] for end in due[:1]] + ([] if move.until_ns is None else [move.until_ns]))
        if len(history) > ops_max:
            raise ImpossibleGenerator(
                f"the generator did not end within {ops_max} ops; bound it by limit(...) or time_limit(...)"
            )


def _well(op: Op) -> Literal["ok", "info"]:
    return "ok" if op.is_client else "info"
