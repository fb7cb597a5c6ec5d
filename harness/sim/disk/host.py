"""What a disk needs to know of its machine and of the processes that use it.

The classes behind these protocols are in `sim/machine`, which is built on the disk.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from trio.lowlevel import Task

    from ostrakon.harness.sim.disk.disk import SimDisk
    from ostrakon.harness.sim.disk.open_file import SimFile
    from ostrakon.harness.sim.kernel.clock import Clock
    from ostrakon.harness.sim.kernel.kernel import Kernel


class Surroundings(Protocol):
    """The world around a machine."""

    @property
    def kernel(self) -> Kernel: ...
    @property
    def closing(self) -> bool:
        """Whether programs are only being unwound: nothing they do now belongs to the simulation."""

    def rng(self, *path: str | int) -> random.Random:
        """The random stream called `path`."""


class Host(Protocol):
    """The machine that a disk is in."""

    @property
    def world(self) -> Surroundings: ...
    @property
    def name(self) -> str: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def disk(self) -> SimDisk: ...


class Owner(Protocol):
    """A process that has files open."""

    @property
    def name(self) -> str: ...
    @property
    def machine(self) -> Host: ...

    umask: int
    """Permissions that new files do not get."""

    @property
    def rng(self) -> random.Random:
        """Its own randomness."""

    @property
    def files(self) -> dict[int, SimFile | None]: ...
    @property
    def alive(self) -> bool: ...
    def block(self, until_ns: int) -> None:
        """Stand still in the middle of the code at work, up to a true time; NEVER_NS for good."""

    def require_alive(self) -> None:
        """Raises: OSError if it was killed or its world is closing: nothing of it may show."""

    def reschedule(self, task: Task, value: Any = None) -> None:
        """Wake one of its tasks that is parked."""
