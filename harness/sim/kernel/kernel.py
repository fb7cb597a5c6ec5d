"""The event kernel: true time, a heap of events, and the processes that are ready to run.

Time stands still while something is ready. Then all events of the next instant happen, in the order in
which they were scheduled, before any process runs again.

**Blocking.** A process may block in the middle of ordinary code, as `os.fsync` does, while the world goes on.
Its stack then has to stay as it is. So the loop below runs in a greenlet: a process that blocks keeps the
greenlet that it is in, and a new greenlet runs the loop. To go on, the process is switched to, and when its
tick is over its old greenlet ends. Threads could do the same, at ten times the cost and with locks.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Protocol

from greenlet import getcurrent, greenlet

from ostrakon.harness.sim.kernel.choice_log import ChoiceLog
from ostrakon.harness.sim.kernel.schedule import Schedule

NEVER_NS = 1 << 62
"""About 146 years, later than any event."""


class Runnable(Protocol):
    """What the kernel runs: a process."""

    name: str
    """The name in messages."""
    queued: bool
    can_run: bool

    def tick(self) -> None:
        """Run until all of its tasks wait."""


class Kernel:
    """Decides what happens next. It does not depend on what a process or a network is."""

    __slots__ = (
        *("_caller", "_heap", "_seq", "_stop", "_until_ns", "choice_log", "current", "fingerprint"),
        *("halted", "is_resuming", "now_ns", "ready", "schedule"),
    )

    def __init__(self, schedule: Schedule, choice_log: ChoiceLog | None = None) -> None:
        self.now_ns = 0
        self.schedule, self.choice_log = schedule, choice_log
        self.ready: list[Runnable] = []
        self.current: Any = None
        """The process whose code runs right now; None between ticks."""
        self.fingerprint = 0
        """A running hash of everything that happened."""
        self.halted = False
        """Set to have `run` return as soon as everything waits."""
        self.is_resuming = False
        """Whether the tick under way belongs to a process that had blocked, and runs in its old greenlet."""
        self._caller: greenlet | None = None
        """The greenlet that called `run`."""
        self._until_ns, self._stop = NEVER_NS, _never
        self._heap: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._seq = 0

    def call_at(self, at_ns: int, call: Callable[..., object], *args: Any) -> None:
        """Call `call(*args)` at `at_ns`, or as soon as possible if that has passed."""
        self._seq += 1
        heappush(self._heap, (at_ns, self._seq, call, args))

    def upcoming(self) -> list[tuple[int, Callable[..., object], tuple[Any, ...]]]:
        """All calls that are planned, in order: time, function, arguments. The caller must not change
        them."""
        return [(at_ns, call, args) for at_ns, _, call, args in sorted(self._heap, key=lambda one: one[:2])]

    def make_ready(self, process: Runnable) -> None:
        """Let `process` run before time moves on."""
        if not process.queued and process.can_run:
            process.queued = True
            self.ready.append(process)

    def note_choice(self, what: str, *chosen: str | int) -> None:
        """Log a choice, if there is a log."""
        if self.choice_log is not None:
            process = self.current.name if self.current is not None else None
            self.halted |= self.choice_log.note(self.now_ns, process, what, chosen)

    def run(self, until_ns: int, stop: Callable[[], bool] | None) -> bool:
        """Let things happen until `stop()` or halted; False if nothing is left to happen up to `until_ns`.

        `stop` is asked whenever everything waits.
        """
        self._until_ns, self._stop = until_ns, stop or _never
        self._caller = getcurrent()
        while (ended := self._new_loop().switch()) is _BLOCKED:
            pass
        return bool(ended)

    def block(self) -> None:
        """Let the world go on, and return when the process that is at work now has its next tick.

        To be called in that process's code.
        """
        if self.is_resuming:
            # The loop that gave this process its tick waits for the end of it.
            self.is_resuming = False
            loop = getcurrent().parent
            assert loop is not None
            loop.switch()
        else:
            # The caller of `run` starts the next loop: by Python's count a greenlet begins as deep in the
            # stack as who starts it, so each loop would otherwise begin deeper than the one before.
            assert self._caller is not None
            self._caller.switch(_BLOCKED)

    def resume(self, process: Runnable, blocked: greenlet) -> None:
        """Go on with a process that has blocked, in its greenlet, until its tick ends or it blocks again."""
        self.fingerprint = hash((self.fingerprint, self.now_ns, process.name))
        if self.choice_log is not None:
            self.note_choice("resume", process.name)
        blocked.parent = getcurrent()
        self.is_resuming = True
        blocked.switch()

    def _new_loop(self) -> greenlet:
        loop = greenlet(self._loop, parent=self._caller)
        loop.gr_context = contextvars.copy_context()
        return loop

    def _loop(self) -> bool:
        heap, ready, pick = self._heap, self.ready, self.schedule.pick
        until_ns, stop = self._until_ns, self._stop
        while True:
            while ready:
                if len(ready) == 1:
                    process = ready.pop()
                else:
                    process = ready.pop(pick(ready))
                    if self.choice_log is not None:
                        self.note_choice("next process", process.name)
                process.queued = False
                if process.can_run:
                    process.tick()
                    if self.is_resuming:
                        self.is_resuming = False
                        return False  # To the loop that gave the tick, which goes on.
            if self.halted or stop():
                return True
            if not heap or heap[0][0] > until_ns:
                return False
            at_ns, _, call, args = heappop(heap)
            if at_ns > self.now_ns:
                self.now_ns = at_ns
            call(*args)
            while heap and heap[0][0] <= at_ns:
                _, _, call, args = heappop(heap)
                call(*args)


_BLOCKED = object()
"""What `run` is told when the loop has blocked in the midst of a tick, and another has to go on."""


def _never() -> bool:
    return False
