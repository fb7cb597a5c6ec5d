"""The event kernel: true time, a heap of events, and the processes that are ready to run.

Time stands still while something is ready. Then all events of the next instant happen, in the order in
which they were scheduled, before any process runs again.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Protocol

from ostrakon.harness.sim.kernel.choice_log import ChoiceLog
from ostrakon.harness.sim.kernel.schedule import Schedule

NEVER_NS = 1 << 62
"""Some 146 years; later than anything that happens."""


class Runnable(Protocol):
    """What the kernel runs: a process."""

    name: str
    """What people call it."""
    queued: bool
    can_run: bool

    def tick(self) -> None:
        """Run until everything in it waits."""


class Kernel:
    """Knows what happens next. It has no opinion on what a process or a network is."""

    __slots__ = (
        *("_heap", "_seq", "current", "fingerprint"),
        *("halted", "now_ns", "ready", "schedule", "choice_log"),
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
        self._heap: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._seq = 0

    def call_at(self, at_ns: int, call: Callable[..., object], *args: Any) -> None:
        """Call `call(*args)` at `at_ns`, or as soon as possible if that has passed."""
        self._seq += 1
        heappush(self._heap, (at_ns, self._seq, call, args))

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
        heap, ready, pick = self._heap, self.ready, self.schedule.pick
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
            if self.halted or (stop is not None and stop()):
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
