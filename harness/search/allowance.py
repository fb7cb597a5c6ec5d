"""A time limit, by wall time or by another clock, such as the CPU time of this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """A time limit. Work that reaches it returns its best result so far."""

    until_s: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def of(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Allowance:
        """A limit of some seconds from now."""
        return cls(clock() + seconds, clock)

    def is_spent(self) -> bool:
        """Whether the time is over."""
        return self.clock() >= self.until_s

    def part(self, share: float) -> Allowance:
        """A limit after a share of the remaining time."""
        now = self.clock()
        return Allowance(now + share * max(0.0, self.until_s - now), self.clock)
