"""Runs a generator against clients and a nemesis, and records each op when it begins and when it ends.

One task asks the generator for the next op and gives it to the task of a thread. No task polls: a
completion, or the time that the generator named, wakes it. Time comes from Trio alone, so a trial runs the
same way in simulated and in real time.
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
"""How many errors of the clients' own code are kept; one is enough to look into."""


class Nemesis(Protocol):
    """Does the ops of the process `nemesis`. An error in it is an error of the harness."""

    async def apply(self, op: Op) -> Op:
        """Do what an op says and return the op completed."""


@dataclass(frozen=True, slots=True)
class ClientCrash:
    """An error of the client's own code: it raised, or returned, what no client may."""

    op: Op
    """The op that it was doing, or had done last."""
    error: str
    """The exception in a line."""
    traceback: str


@dataclass(frozen=True, slots=True)
class Interpretation:
    """How running a generator ended."""

    ended: Literal["done", "deadline"]
    """`deadline`: it did not end by itself, and the ops in flight are info."""
    crashes: tuple[ClientCrash, ...]
    """The first errors of the clients' own code. With any, the history is no evidence either way."""


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

    `record` is given each op when it begins and when it ends, in order, its time being `now_ns()`; the
    generator's own time begins at 0. A client gets `timeout_s` seconds for an op, and as many to connect
    before it. What becomes of ops is said in `client.complete`; one that could not even connect is
    fail, for nothing was sent. There is a nemesis thread if there is a `nemesis`.

    Raises: ImpossibleGenerator; whatever the nemesis, `record` or the generator raises.
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
    """Gives ops to the threads and takes in their outcomes; everything that the tasks share."""

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
        """The channel that a thread gets its ops from; it ends when there are no more."""
        # One op fits, for a thread that is free may still be closing its last connection.
        self._inboxes[thread], ops = trio.open_memory_channel[Op](1)
        return ops

    async def dispatch(self) -> None:
        """Begin ops when the generator says so, until it is done and all ops have ended."""
        over = False
        while not over:
            with trio.CancelScope() as alarm:
                over = await self._dispatch_until(alarm)
            # Other tasks that were woken at this instant come first; see below.
            await trio.lowlevel.checkpoint()
        for inbox in self._inboxes.values():
            inbox.close()

    async def _dispatch_until(self, alarm: trio.CancelScope) -> bool:
        """The same, until the alarm rings, which is set to the time that the generator names."""
        # One alarm for many completions: scopes cost more than all the rest of an op.
        while (move := self._scheduler.next(self._now_ns())) is not None:
            if isinstance(move, Op):
                self._record(move)
                self._inboxes[self._scheduler.thread_of(move)].send_nowait(move)
                continue
            wait_s = inf if move.until_ns is None else (move.until_ns - self._now_ns()) / 1e9
            alarm.deadline = trio.current_time() + wait_s
            self._news = trio.Event()
            await self._news.wait()
            # An op that is over when another begins must not be recorded as concurrent with it, so those
            # that end at the same instant are heard before the generator is asked again.
            await trio.lowlevel.checkpoint()
        return True

    def end(self, ended: Op) -> None:
        """An op has ended. Outcomes of ops that were broken off are ignored."""
        with self.aborting():
            if self._scheduler.is_in_flight(ended):
                self._record(self._scheduler.end(replace(ended, time=self._now_ns())))
                self._news.set()

    def break_off(self, why: str) -> None:
        """End all ops in flight as info, because their outcome is not known."""
        for op in list(self._scheduler.in_flight.values()):
            self.end(replace(op, type="info", error=why))
        self._everyone.cancel()

    def crashed(self, op: Op, error: BaseException) -> None:
        """A client's own code raised an error."""
        if len(self.crashes) < CRASHES_KEPT:
            # What a client returned is told by our own error, whose name says nothing more.
            is_ours = isinstance(error, Misbehaved)
            told = str(error) if is_ours else traceback.format_exception_only(error)[-1].strip()
            self.crashes.append(ClientCrash(op, told, "".join(traceback.format_exception(error))))

    @contextmanager
    def aborting(self) -> Iterator[None]:
        """An error within ends the run, and `interpret` raises it, whatever task it happened in."""
        try:
            yield
        except Exception as error:
            self.failure = self.failure or error
            self._everyone.cancel()


async def _run_nemesis(nemesis: Nemesis, dispatcher: _Dispatcher, ops: trio.MemoryReceiveChannel[Op]) -> None:
    """The nemesis's thread."""
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


def client_crashes(interpretation: Interpretation | None, connect: object) -> list[Finding]:
    """A client whose own code is at fault makes the history evidence of nothing."""
    return [
        Finding(
            "client crashed",
            "unknown",
            at(
                place_in(crash.traceback) or place_of(connect),
                f"the client's own code failed at {crash.op.f} {crash.op.value!r}: {crash.error}",
            ),
            is_ours=True,
            traceback=crash.traceback,
        )
        for crash in (interpretation.crashes[:1] if interpretation is not None else ())
    ]
