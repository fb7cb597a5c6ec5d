"""Clocks and disks under faults, so that overlapping faults of one device do not undo each other.

Each fault is an impairment of a device. While several are active, their skews of a clock multiply, and a disk
is as slow as the slowest of them makes it. When the last one has ended, the device is as it was before the
first.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, Protocol, runtime_checkable

from ostrakon.harness.substrates.latency import Exponential

Operation = Literal["read", "write", "sync"]
Watcher = Callable[[Operation, str], object]
"""Called with an operation of a disk and its path, before the operation happens."""


class Clock(Protocol):
    """What faults can do to a clock; the simulator has such clocks."""

    wall_readings: int
    """How often the program has asked for the wall-clock time."""

    def set_rate(self, rate: float) -> None:
        """Let the clock run by so many seconds a second from now on."""

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""

    def freeze(self) -> object:
        """Let the monotonic clock stand still."""

    def thaw(self) -> object:
        """Let the monotonic clock go on."""


class Disk(Protocol):
    """What faults can do to a disk; the simulator has such disks."""

    sync_latency: Any
    """How long the device takes, as a distribution."""
    capacity: int | None
    """The number of bytes that fit."""
    failing: MutableMapping[Any, int]
    """Operations that fail, with their errno."""
    on_operation: Callable[[Any, str], object] | None
    """Called with each operation and its path before the operation happens."""
    waits: int
    """How often a program has waited for the device."""
    refusals: int
    """How often an operation was made to fail."""
    used: Any
    faulty: Any

    def disturb(self, fault: Any) -> Any:
        """Damage data from now on."""

    def decay(self, kind: Any) -> int:
        """Damage one file on the device; returns how many files were damaged."""

    def settle(self, fault: Any) -> object:
        """Stop damaging data by this fault."""


@runtime_checkable
class Equipped(Protocol):
    """A machine that has clocks and a disk, and a program that can be crashed at a turn of its tasks."""

    @property
    def clock(self) -> Any:
        """A `Clock`."""

    @property
    def disk(self) -> Any:
        """A `Disk`."""

    @property
    def progress(self) -> tuple[int, int]:
        """A value that changes whenever the program runs."""

    def crash_after(self, turns: int, crash: Callable[[], object]) -> None:
        """Call `crash` instead of a turn of the program's tasks, after so many further turns."""

    def spare(self, crash: Callable[[], object]) -> None:
        """Do not call this crash any more."""


@dataclass(frozen=True, slots=True)
class Skew:
    """The clocks run fast or slow."""

    rate: float


@dataclass(frozen=True, slots=True)
class Frozen:
    """The clocks stand still."""


@dataclass(frozen=True, slots=True)
class Slow:
    """Making something durable takes so long on average."""

    ms: float


@dataclass(frozen=True, slots=True)
class Full:
    """No file can grow."""


@dataclass(frozen=True, slots=True)
class Failing:
    """An operation fails with EIO."""

    operation: Operation


Impairment = Skew | Frozen | Slow | Full | Failing


class Devices:
    """The clock and the disk of one machine."""

    def __init__(self, machine: Equipped) -> None:
        self.clock: Clock = getattr(machine, "clock", None)  # type: ignore[assignment]  # Live, there is none.
        self.disk: Disk = machine.disk
        self._impairments: list[Impairment] = []
        self._watchers: list[Watcher] = []
        self._sync_latency = getattr(machine.disk, "sync_latency", None)

    def impair(self, impairment: Impairment) -> None:
        """Let one more fault begin."""
        self._impairments.append(impairment)
        self._follow(impairment)

    def restore(self, impairment: Impairment) -> None:
        """Let one fault end."""
        self._impairments.remove(impairment)
        self._follow(impairment)

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` before each operation of the disk."""
        self._watchers.append(watcher)
        self.disk.on_operation = self._tell

    def ignore(self, watcher: Watcher) -> None:
        """Call `watcher` no more."""
        self._watchers.remove(watcher)
        if not self._watchers:
            self.disk.on_operation = None

    def _tell(self, operation: Operation, path: str) -> None:
        for watcher in self._watchers[:]:
            watcher(operation, path)

    def _follow(self, changed: Impairment) -> None:
        """Set the device to the combination of all impairments of the kind that changed."""
        alike: list[Any] = [
            impairment for impairment in self._impairments if type(impairment) is type(changed)
        ]
        disk = self.disk
        match changed:
            case Skew():
                self.clock.set_rate(prod(skew.rate for skew in alike))
            case Frozen():
                self.clock.freeze() if alike else self.clock.thaw()
            case Slow():
                disk.sync_latency = _about(max(slow.ms for slow in alike)) if alike else self._sync_latency
            case Full():
                disk.capacity = disk.used if alike else None
            case Failing(operation) if changed in alike:
                disk.failing[operation] = errno.EIO
            case Failing(operation):
                del disk.failing[operation]


def _about(ms: float) -> Exponential:
    return Exponential(mean_ms=ms, floor_ms=ms / 4)
