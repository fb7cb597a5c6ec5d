"""The disk and the clocks of a bare node: those of the simulator, driven by the event heap.

The same faults of disks and clocks act on them, with random numbers from streams of the same names.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

from ostrakon.harness.model.heap import Heap
from ostrakon.harness.model.task import Sleep
from ostrakon.harness.sim.disk.disk import Operation, SimDisk
from ostrakon.harness.sim.kernel.clock import Clock
from ostrakon.harness.substrates.seeds import substream


class BareDisk(SimDisk):
    """A simulated disk that waits on the heap."""

    def __init__(self, name: str, seed: int, heap: Heap) -> None:
        super().__init__(cast(Any, _Host(name, seed, heap)))
        self.is_off = False
        """Whether the process that used the disk has ended."""

    async def wait(self) -> None:
        """Wait for as long as the device takes."""
        await Sleep(self.delay_ns())

    async def _begin(self, operation: Operation, path: str, growth: int = 0) -> None:
        if self.on_operation is not None:
            self.on_operation(operation, path)
            if self.is_off:
                await Sleep(0)  # The process has ended, and nothing resumes this coroutine.
        if operation != "sync":
            self.check(operation, growth)


def bare_clock(heap: Heap, on_change: Callable[[], object]) -> Clock:
    """The clocks of a bare node; `on_change` is called whenever a fault changes when timeouts are due."""
    return Clock(cast(Any, heap), on_change)


class _Host:
    """The part of a machine that a disk uses."""

    def __init__(self, name: str, seed: int, heap: Heap) -> None:
        self.name, self.kernel, self._seed = name, heap, seed
        self.world = self
        self.closing = False

    def rng(self, *path: str | int) -> random.Random:
        """The random stream called `path`."""
        return substream(self._seed, *path)
