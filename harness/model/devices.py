"""The disk and the clocks of a bare node: those of the simulator, driven by the event heap.

The same faults of disks and clocks act on them, drawn from streams of the same names.
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
    """A simulated disk whose waits are on the heap."""

    def __init__(self, name: str, seed: int, heap: Heap) -> None:
        super().__init__(cast(Any, _Host(name, seed, heap)))
        self.is_off = False
        """Whether the process that used the disk is gone."""

    async def wait(self) -> None:
        """The time it takes the device."""
        await Sleep(self.delay_ns())

    async def _begin(self, operation: Operation, path: str, growth: int = 0) -> None:
        if self.on_operation is not None:
            self.on_operation(operation, path)
            if self.is_off:
                await Sleep(0)  # The process is gone, and nothing resumes it.
        if operation != "sync":
            self.check(operation, growth)


def bare_clock(heap: Heap, on_change: Callable[[], object]) -> Clock:
    """The clocks of a bare node; `on_change` is called when timeouts fall at other times than before."""
    return Clock(cast(Any, heap), on_change)


class _Host:
    """What a disk asks of the machine that it is in."""

    def __init__(self, name: str, seed: int, heap: Heap) -> None:
        self.name, self.kernel, self._seed = name, heap, seed
        self.world = self
        self.closing = False

    def rng(self, *path: str | int) -> random.Random:
        """The random stream called `path`."""
        return substream(self._seed, *path)
