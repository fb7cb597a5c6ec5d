"""Clocks and disks as faults leave them, so that overlapping faults of one device do not undo each other.

Each fault is a complaint that a device has. While any are at work, clocks go by all skews together and a disk
is as slow as the worst of them makes it; when the last is over, the device is as it was before the first.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, Protocol, runtime_checkable

Operation = Literal["read", "write", "sync"]
Watcher = Callable[[Operation, str], object]
"""Told of an operation of a disk, and of its path, before it happens."""


class Clock(Protocol):
    """What can be done to a clock; the simulator's clocks are like this."""

    wall_readings: int
    """How often the program has asked for the wall-clock time."""

    def set_rate(self, rate: float) -> None:
        """Let so many seconds pass in one from now on."""

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""

    def freeze(self) -> object:
        """Let the monotonic clock stand still."""

    def thaw(self) -> object:
        """Let it go on."""


class Disk(Protocol):
    """What can be done to a disk; the simulator's disks are like this."""

    sync_latency: Any
    """How long the device takes, as a distribution."""
    capacity: int | None
    """Bytes that fit."""
    failing: MutableMapping[Any, int]
    """Operations that fail, with their errno."""
    on_operation: Callable[[Any, str], object] | None
    """Told of each operation and its path before it happens."""
    waits: int
    """How often a program has waited for the device."""
    refusals: int
    """How often an operation was made to fail."""
    used: Any
    faulty: Any

    def disturb(self, fault: Any) -> Any:
        """Let data be spoiled from now on."""

    def decay(self, kind: Any) -> int:
        """Damage one file where it lies; returns how many are damaged."""

    def settle(self, fault: Any) -> object:
        """Spoil no more by this fault."""


@runtime_checkable
class Equipped(Protocol):
    """A machine that has clocks and a disk, and a program that can be struck at a turn of its tasks."""

    @property
    def clock(self) -> Any:
        """A `Clock`."""

    @property
    def disk(self) -> Any:
        """A `Disk`."""

    @property
    def progress(self) -> tuple[int, int]:
        """Another whenever its program has run in between."""

    def crash_after(self, turns: int, crash: Callable[[], object]) -> None:
        """Call `crash` in place of a turn of the program's tasks, so many turns from now."""

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
    """What is there fits, and no more."""


@dataclass(frozen=True, slots=True)
class Failing:
    """An operation fails with EIO."""

    operation: Operation


Complaint = Skew | Frozen | Slow | Full | Failing


class Devices:
    """The clock and the disk of one machine."""

    def __init__(self, machine: Equipped) -> None:
        self.clock: Clock = machine.clock
        self.disk: Disk = machine.disk
        self._complaints: list[Complaint] = []
        self._watchers: list[Watcher] = []
        self._sync_latency = self.disk.sync_latency

    def fall_ill(self, complaint: Complaint) -> None:
        """One more fault is at work."""
        self._complaints.append(complaint)
        self._follow(complaint)

    def recover(self, complaint: Complaint) -> None:
        """One fault less is at work."""
        self._complaints.remove(complaint)
        self._follow(complaint)

    def watch(self, watcher: Watcher) -> None:
        """Have each operation of the disk told to someone, before it happens."""
        self._watchers.append(watcher)
        self.disk.on_operation = self._tell

    def ignore(self, watcher: Watcher) -> None:
        """Tell them no more."""
        self._watchers.remove(watcher)
        if not self._watchers:
            self.disk.on_operation = None

    def _tell(self, operation: Operation, path: str) -> None:
        for watcher in self._watchers[:]:
            watcher(operation, path)

    def _follow(self, changed: Complaint) -> None:
        """Let the device be as all complaints of the kind that has changed would have it."""
        alike: list[Any] = [complaint for complaint in self._complaints if type(complaint) is type(changed)]
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


def _about(ms: float) -> Any:
    from ostrakon.harness.substrates.latency import Exponential

    return Exponential(mean_ms=ms, floor_ms=ms / 4)
