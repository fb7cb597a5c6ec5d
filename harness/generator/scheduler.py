"""The scheduler of a generator: the ops in flight, the free threads, and the next op.

It decides and never waits. The player runs it in virtual time of its own, the interpreter in Trio's time.
"""

from __future__ import annotations

import heapq
import logging
from itertools import count
from typing import Literal, NamedTuple

from msgspec.structs import replace

from ostrakon.harness.generator.context import Context, Thread
from ostrakon.harness.generator.malformed import validate
from ostrakon.harness.generator.op_request import PENDING, ImpossibleGenerator, OpRequest
from ostrakon.harness.generator.source import Source
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
                "the generator waits although nothing is under way that could end its wait, "
                f"at {self._ctx}: {self._generator}"
            )
        return Wait(None if until_ns is None else self._begin_ns + until_ns)
