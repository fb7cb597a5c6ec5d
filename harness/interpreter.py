"""Runs a generator with clients and a nemesis, and records each op when it begins and when it ends.

One task gets the next op from the generator and passes it to the task of a thread. No task polls: a task
wakes when an op completes, or at the time that the generator named. All time comes from Trio's clock, so a
trial runs in the same way in virtual and in real time.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Literal, Protocol

import trio
from msgspec.structs import replace

from ostrakon.harness.client import OVER, ClientThread, Misbehaved, OpenClient
from ostrakon.harness.generator import Source, Thread
from ostrakon.harness.generator.scheduler import Scheduler
from ostrakon.harness.history import NEMESIS, Op
from ostrakon.harness.recording import Finding
from ostrakon.harness.user_code import at, place_in, place_of

CRASHES_KEPT = 16
"""The number of errors in clients' code that are kept."""


class Nemesis(Protocol):
    """Performs the ops of the process `nemesis`. An exception in it is an error of the harness."""

    async def apply(self, op: Op) -> Op:
        """Perform an op and return the completed op."""


@dataclass(frozen=True, slots=True)
class ClientCrash:
    """A mistake in the client's code: it raised or returned something that a client must not."""

    op: Op
    """The op in flight, or else the last op of the client."""
    error: str
    """The exception, in one line."""
    traceback: str
    """Empty if it returned what no client may."""
    culprit: object = None
    """The function or class at fault, if that is known beside the traceback."""


@dataclass(frozen=True, slots=True)
class Interpretation:
    """How the run of a generator ended."""

    ended: Literal["done", "deadline"]
    """`deadline`: the generator had not ended by then, and the ops in flight became `info`."""
    crashes: tuple[ClientCrash, ...]
    """The first mistakes in clients' code. If there is one, the history proves nothing."""


async def interpret(
    source: Source,
    *,
    connect: OpenClient,
    concurrency: int,
    record: Callable[[Op], object],
    now_ns: Callable[[], int],
    timeout_s: float,
    nemesis: Nemesis | None = None,
    deadline_s: float = inf,
) -> Interpretation:
    """Run a generator until it is done, or until `deadline_s` seconds have passed.

    `record` gets each op when it begins and when it ends, in order; the op's time is `now_ns()`. The
    generator's time begins at 0. A client has `timeout_s` seconds to connect and `timeout_s` seconds for each
    op. `client.complete` says how ops end; an op whose client could not connect is `fail`, because nothing
    was sent. There is a nemesis thread only if a `nemesis` is given.

    Raises: ImpossibleGenerator; any exception of the nemesis, of `record` or of the generator.
    """
    scheduler = Scheduler(source, concurrency, nemesis=nemesis is not None, begin_ns=now_ns())
    async with trio.open_nursery() as nursery:
        dispatcher = _Dispatcher(scheduler, record, now_ns, nursery.cancel_scope)
        for thread in range(concurrency):
            ops = dispatcher.ops_for(thread)
            nursery.start_soon(ClientThread(ops, dispatcher, connect, timeout_s).run)
        if nemesis is not None:
            nursery.start_soon(_run_nemesis, nemesis, dispatcher, dispatcher.ops_for(NEMESIS))
        with dispatcher.aborting():
            with trio.move_on_after(deadline_s) as limit:
                await dispatcher.dispatch()
            if limit.cancelled_caught:
                dispatcher.break_off(f"{OVER} after {deadline_s:g} s")
    if dispatcher.failure is not None:
        raise dispatcher.failure
    return Interpretation("deadline" if limit.cancelled_caught else "done", tuple(dispatcher.crashes))


class _Dispatcher:
    """The state that all tasks share: it passes ops to the threads and receives their outcomes."""

    def __init__(
        self,
        scheduler: Scheduler,
        record: Callable[[Op], object],
        now_ns: Callable[[], int],
        everyone: trio.CancelScope,
    ) -> None:
        self.crashes: list[ClientCrash] = []
        self.failure: Exception | None = None
        self._scheduler, self._record, self._now_ns, self._everyone = scheduler, record, now_ns, everyone
        self._inboxes: dict[Thread, trio.MemorySendChannel[Op]] = {}
        self._news = trio.Event()

    def ops_for(self, thread: Thread) -> trio.MemoryReceiveChannel[Op]:
        """The channel from which a thread receives its ops; it is closed after the last op."""
        # The channel has room for one op, because a free thread may still be closing its last connection.
        self._inboxes[thread], ops = trio.open_memory_channel[Op](1)
        return ops

    async def dispatch(self) -> None:
        """Begin ops when the generator says so, until it is done and all ops have ended."""
        over = False
        while not over:
            with trio.CancelScope() as alarm:
                over = await self._dispatch_until(alarm)
            # Tasks that were woken at the same instant must run first; see below.
            await trio.lowlevel.checkpoint()
        for inbox in self._inboxes.values():
            inbox.close()

    async def _dispatch_until(self, alarm: trio.CancelScope) -> bool:
        """Like `_schedule`, until the time that the generator named."""
        # One cancel scope serves many completions, because a scope costs more than the rest of an op.
        while (move := self._scheduler.next(self._now_ns())) is not None:
            if isinstance(move, Op):
                self._record(move)
                self._inboxes[self._scheduler.thread_of(move)].send_nowait(move)
                continue
            wait_s = inf if move.until_ns is None else (move.until_ns - self._now_ns()) / 1e9
            alarm.deadline = trio.current_time() + wait_s
            self._news = trio.Event()
            await self._news.wait()
            # An op that has ended when another begins must not be recorded as concurrent with it. So ops
            # that end at the same instant are recorded before the generator is asked again.
            await trio.lowlevel.checkpoint()
        return True

    def end(self, ended: Op) -> None:
        """Record that an op has ended. Outcomes of ops that were cancelled are ignored."""
        with self.aborting():
            if self._scheduler.is_in_flight(ended):
                self._record(self._scheduler.end(replace(ended, time=self._now_ns())))
                self._news.set()

    def break_off(self, why: str) -> None:
        """End all ops in flight as `info`, because their outcome is unknown."""
        for op in list(self._scheduler.in_flight.values()):
            self.end(replace(op, type="info", error=why))
        self._everyone.cancel()

    def crashed(self, op: Op, error: BaseException) -> None:
        """Keep the mistake in a client's code."""
        if len(self.crashes) < CRASHES_KEPT:
            if isinstance(error, Misbehaved):
                # Our own error: its text says all.
                self.crashes.append(ClientCrash(op, str(error), "", error.culprit))
                return
            told = traceback.format_exception_only(error)[-1].strip()
            self.crashes.append(ClientCrash(op, told, "".join(traceback.format_exception(error))))

    @contextmanager
    def aborting(self) -> Iterator[None]:
        """Wrap an error in any task so that it ends the run and `interpret` raises it."""
        try:
            yield
        except Exception as error:
            self.failure = self.failure or error
            self._everyone.cancel()


async def _run_nemesis(nemesis: Nemesis, dispatcher: _Dispatcher, ops: trio.MemoryReceiveChannel[Op]) -> None:
    """The thread of the nemesis."""
    async for op in ops:
        with dispatcher.aborting():
            try:
                ended = await nemesis.apply(op)
            except Exception as error:
                error.add_note(f"while the nemesis did {op.f} {op.value}")
                dispatcher.end(
                    replace(op, type="info", error=f"nemesis crashed: {type(error).__name__}: {error}")
                )
                raise
            dispatcher.end(replace(op, type="info", value=ended.value, error=ended.error))


def client_crashes(interpretation: Interpretation | None, connect: object, place: str = "") -> list[Finding]:
    """The finding for a mistake in clients' code: the history proves nothing.

    `place` is a line to name if that of `connect` is not known.
    """
    return [
        Finding(
            "client crashed",
            "unknown",
            at(
                next(
                    filter(None, [place_in(crash.traceback), place_of(crash.culprit), place_of(connect)]),
                    place,
                ),
                f"the client's own code failed at {crash.op.f} {crash.op.value!r}: {crash.error}",
            ),
            is_ours=True,
            traceback=crash.traceback,
        )
        for crash in (interpretation.crashes[:1] if interpretation is not None else ())
    ]
