"""The scheduler of a generator: what has begun and not ended, who is free, and what comes next.

All the deciding there is in running a generator, and none of the waiting: the player moves it through
imagined time, the interpreter through Trio's.
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
    """Nothing begins before something ends or a time has come."""

    until_ns: int | None
    """None: something has to end."""


class Scheduler:
    """A generator as it runs. Its caller does the ops that `next` gives, and tells how each ended."""

    def __init__(self, source: Source, concurrency: int, *, nemesis: bool, begin_ns: int = 0) -> None:
        self._generator = validate(source)
        self._ctx = Context.start(concurrency, nemesis=nemesis)
        self._begin_ns = begin_ns
        self._asleep: list[tuple[int, int, Thread]] = []
        self._naps = count()
        self._index = 0
        self.ended = False
        """Whether nothing will begin any more."""
        self.in_flight: dict[Thread, Op] = {}
        """What has begun and not ended, by thread."""

    def next(self, now_ns: int) -> Op | Wait | None:
        """An op to begin now, or for what to wait, or None when all is over.

        Raises: ImpossibleGenerator, when it waits for what cannot come; MalformedOp; whatever the
        generator raises.
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
        """An op has ended, at its `time`; returns it with its place in the history."""
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
        """The thread that does, or did, an op."""
        return self._ctx.thread_of(op.process)

    def is_in_flight(self, op: Op) -> bool:
        """Whether the process of this op, or completion, has begun something and not ended it."""
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
