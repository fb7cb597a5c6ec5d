"""How long something may take: by the wall's clock, or by another, as that of the processor for figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """Time until something has to be content with what it has."""

    until_s: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def of(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Allowance:
        """So many seconds from now."""
        return cls(clock() + seconds, clock)

    def is_spent(self) -> bool:
        """Whether the time is over."""
        return self.clock() >= self.until_s

    def part(self, share: float) -> Allowance:
        """A share of what is left, from now on."""
        now = self.clock()
        return Allowance(now + share * max(0.0, self.until_s - now), self.clock)
