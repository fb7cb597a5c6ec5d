"""What time it is for one machine: true time, distorted by an offset and a rate.

True time is an integer count of nanoseconds, kept by the kernel. A machine's monotonic clock is what Trio,
`time.monotonic` and `time.perf_counter` show there, its wall clock what `time.time` shows; they run at the
same rate, and only the wall clock can be stepped back. While a machine is suspended its monotonic clock can
stand still, as Linux's does; its wall clock is right again when it goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf

import trio

from ostrakon.harness.sim.kernel.kernel import NEVER_NS, Kernel

EPOCH_S = 1_600_000_000
"""The wall-clock time, in Unix seconds, at which every simulation begins."""


class Clock(trio.abc.Clock):
    """The clocks of one machine; they outlive its processes."""

    def __init__(self, kernel: Kernel, on_change: Callable[[], object]) -> None:
        self._kernel, self._on_change = kernel, on_change
        self._rate = 1.0
        """Local seconds per true second; 0 while the clock stands still."""
        self._usual_rate = 1.0
        self._frozen_at_ns: int | None = None
        self._offset_s = 0.0
        self._wall_offset_s = 0.0
        self.wall_readings = 0
        """How often a program has asked for the wall-clock time."""
        self.deadline_s = inf
        """The deadline that Trio asked about last, in this clock's time."""

    @property
    def rate(self) -> float:
        """Local seconds that pass per true second, while the clock is not frozen."""
        return self._usual_rate

    def set_rate(self, rate: float) -> None:
        """Let the clocks run faster or slower from now on, without a jump.

        Raises: ValueError unless `rate` is positive.
        """
        if not rate > 0:
            raise ValueError(f"a clock's rate must be positive, not {rate}")
        was_frozen = self.thaw()
        self._usual_rate = rate
        self._go_at(rate)
        if was_frozen:
            self.freeze()

    def freeze(self) -> None:
        """Let the monotonic clock stand still from now on; again is harmless."""
        if self._frozen_at_ns is None:
            self._frozen_at_ns = self._kernel.now_ns
            self._go_at(0.0)

    def thaw(self) -> bool:
        """Let the monotonic clock go on from where it stands, if it was frozen, and set the wall clock right.

        Returns whether it was.
        """
        if self._frozen_at_ns is None:
            return False
        self._wall_offset_s += self._usual_rate * (self._kernel.now_ns - self._frozen_at_ns) / 1e9
        self._frozen_at_ns = None
        self._go_at(self._usual_rate)
        return True

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back. Nobody's timeout changes: those follow the monotonic clock."""
        self._wall_offset_s += seconds

    def strobe(self, seconds: float, *, period_s: float, times: int) -> None:
        """Set the wall clock forward and back again, `times` times, half a period each."""
        for half in range(2 * times):
            at_ns = self._kernel.now_ns + int(half * period_s / 2 * 1e9)
            self._kernel.call_at(at_ns, self.step, -seconds if half % 2 else seconds)

    def skip(self, seconds: float) -> None:
        """Make the monotonic clock (and with it the wall clock) leap forward, as after a suspend.

        Raises: ValueError if `seconds` is negative: a monotonic clock never goes back.
        """
        if seconds < 0:
            raise ValueError("a monotonic clock cannot go back; step() sets the wall clock")
        self._offset_s += seconds
        self._on_change()

    def start_clock(self) -> None:
        """Do nothing: Trio asks for it when a run begins."""

    def current_time(self) -> float:
        """Seconds on the monotonic clock."""
        return self._offset_s + self._rate * self._kernel.now_ns / 1e9

    def wall_time(self) -> float:
        """Unix seconds on the wall clock, for a program that asks."""
        self.wall_readings += 1
        return EPOCH_S + self._wall_offset_s + self.current_time()

    @property
    def wall_s(self) -> float:
        """Unix seconds on the wall clock, for the harness."""
        return EPOCH_S + self._wall_offset_s + self.current_time()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Trio asks this when a process has nothing left to do; the kernel will wake it in time."""
        self.deadline_s = deadline
        return deadline if deadline == inf else deadline - self.current_time()

    def true_ns(self, local_s: float) -> int:
        """The first nanosecond of true time at which the monotonic clock shows at least `local_s`.

        NEVER_NS if it stands still.
        """
        if self._rate == 0:
            return NEVER_NS
        delay_ns = (local_s - self._offset_s) / self._rate * 1e9
        if delay_ns >= NEVER_NS:
            return NEVER_NS
        at_ns = ceil(delay_ns)
        while self._offset_s + self._rate * at_ns / 1e9 < local_s:
            at_ns += 1
        return at_ns

    def _go_at(self, rate: float) -> None:
        shown_s = self.current_time()
        self._rate = rate
        self._offset_s = shown_s - rate * self._kernel.now_ns / 1e9
        self._on_change()
