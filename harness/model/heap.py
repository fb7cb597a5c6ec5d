"""A bare event heap: what happens next, in order of time and then of scheduling. The model's only clock."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Heap:
    """Time, and what is to happen in it."""

    __slots__ = ("_due", "_seq", "happened", "now_ns")

    def __init__(self) -> None:
        self.now_ns = 0
        self.happened = 0
        """How many calls were made."""
        self._due: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._seq = 0

    def call_at(self, at_ns: int, call: Callable[..., object], *args: Any) -> None:
        """Call `call(*args)` at a time, which has not passed."""
        self._seq += 1
        heappush(self._due, (at_ns, self._seq, call, args))

    def call_in(self, delay_ns: int, call: Callable[..., object], *args: Any) -> None:
        """Call `call(*args)` after a while."""
        self._seq += 1
        heappush(self._due, (self.now_ns + delay_ns, self._seq, call, args))

    def run(self, until_ns: int, is_over: Callable[[], bool]) -> None:
        """Let things happen until it is over, the time has come, or nothing is left to happen."""
        due = self._due
        while due and due[0][0] <= until_ns and not is_over():
            self.now_ns, _, call, args = heappop(due)
            self.happened += 1
            call(*args)
