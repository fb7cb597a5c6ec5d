"""What an event loop needs to know of the simulated process that it runs in.

The class behind this protocol is in `sim/machine`, which is built on this folder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ostrakon.harness.sim.kernel.kernel import Kernel
    from ostrakon.harness.sim.kernel.threads import SimThread
    from ostrakon.harness.sim.runtimes.asyncio.selector import Pollable


class Clock(Protocol):
    """The monotonic clock of the machine."""

    deadline_s: float
    """The latest time at which the process must be woken, by this clock."""

    def current_time(self) -> float:
        """Seconds, as `time.monotonic` shows them there."""


class Stream(Protocol):
    """A simulated connection, as far as a transport takes a short way to it."""

    def send_whole(self, data: bytes) -> bool:
        """Send all of the bytes, or none if that is not possible at once. Nothing is raised here."""

    def take_whole(self, most: int) -> bytes:
        """All that has come, if there is something, up to `most` bytes; else nothing, whatever the reason."""


class Process(Protocol):
    """The process around an event loop."""

    passes: int
    """The number of passes of its event loop; a crash can replace each of them."""

    @property
    def name(self) -> str: ...
    @property
    def crash_pass(self) -> int:
        """The number of the pass that a crash replaces."""

    @property
    def crash(self) -> Callable[[], object]:
        """Kills the process."""

    @property
    def can_run(self) -> bool:
        """Whether it may run another line: it is not stopped, killed or over."""

    @property
    def is_being_unwound(self) -> bool:
        """Whether the world is closing, so that its actions have no effect."""

    @property
    def clock(self) -> Clock: ...
    @property
    def kernel(self) -> Kernel: ...
    @property
    def signal_handlers(self) -> dict[int, Any]: ...
    def wake(self) -> None:
        """Let it run before time advances."""

    def wait_stopped(self) -> None:
        """Let the program, an ordinary function, wait until its loop is stopped. Raises: RuntimeError."""

    def endpoint_of(self, sock: Any) -> Stream:
        """The simulated socket that one of the standard library stands for."""

    def socket_at(self, number: int) -> Pollable:
        """The open socket with this number. Raises: OSError as `epoll` does if there is none."""

    thread: SimThread | None
    """The function that runs as if in a thread of it just now."""

    @property
    def threads(self) -> dict[SimThread, None]:
        """All such functions that have begun and have not ended."""

    def leave_loop(self) -> Callable[[], None]:
        """Hide the event loop from the code at work; call what this returns to show it again."""
