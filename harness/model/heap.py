"""The event heap: calls in the order of their time, and for equal times in the order in which they were made.

It is the only clock of the model.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Heap:
    """The virtual time of one trial, and the calls that are due."""

    __slots__ = ("_due", "_is_stopped", "_seq", "happened", "now_ns")

    def __init__(self) -> None:
        self.now_ns = 0
        """Nanoseconds since the trial began."""
        self.happened = 0
        """The number of calls so far."""
        self._due: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._seq = 0
        self._is_stopped = False

    def call_at(self, at_ns: int, call: Callable[..., object], *args: Any) -> None:
        """Call `call(*args)` at a time, which must not have passed."""
        self._seq += 1
        heappush(self._due, (at_ns, self._seq, call, args))

    def call_in(self, delay_ns: int, call: Callable[..., object], *args: Any) -> None:
        """Call `call(*args)` after a delay."""
        self._seq += 1
        heappush(self._due, (self.now_ns + delay_ns, self._seq, call, args))

    def stop(self) -> None:
        """Let `run` return after the current call."""
        self._is_stopped = True

    def run(self, until_ns: int) -> None:
        """Make all calls that are due up to a time, unless one of them calls `stop`."""
        due, self._is_stopped = self._due, False
        while due and due[0][0] <= until_ns and not self._is_stopped:
            self.now_ns, _, call, args = heappop(due)
            self.happened += 1
            call(*args)
