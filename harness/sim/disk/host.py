"""What a disk needs to know of its machine and of the processes that use it.

The classes behind these protocols are in `sim/machine`, which is built on the disk.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
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
        """The random stream of this name."""


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
        """The random stream of this process."""

    @property
    def files(self) -> dict[int, SimFile | None]: ...
    @property
    def alive(self) -> bool: ...
    def block(self, until_ns: int) -> None:
        """Stand still in the middle of the code at work, up to a true time; NEVER_NS for good."""

    def require_alive(self) -> None:
        """Raises: OSError if it was killed or its world is closing: nothing of it may show."""

    async def checkpoint(self) -> None:
        """Give in to a cancellation, and let other tasks of it go first, if there are any."""

    async def checkpoint_if_cancelled(self) -> None:
        """Give in to a cancellation."""

    async def wait_ns(self, delay_ns: int) -> None:
        """Let the task at work wait for so much true time, as for a system call: it cannot be cancelled."""

    async def wait_cancelled(self) -> None:
        """Let the task at work wait until it is cancelled."""
