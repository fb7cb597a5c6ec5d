"""What the sandbox needs to know of the processes in it, of their machines and of the world around them.

The classes behind these protocols are in `sim/machine`, which is built on the sandbox.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ostrakon.harness.sim.network import host as network

if TYPE_CHECKING:
    from collections import deque

    from ostrakon.harness.sim.kernel.kernel import Kernel
    from ostrakon.harness.sim.kernel.threads import Held, SimThread, Waiter
    from ostrakon.harness.sim.network.network import Network
    from ostrakon.harness.sim.sandbox.exit import ExitFunctions
    from ostrakon.harness.sim.sandbox.started_threads import PythonThreads


class Surroundings(network.Surroundings, Protocol):
    """The world that runs at present."""

    shared_randomness: tuple[Any, ...] | None
    """The state of the `random` module's own generator; None before the first run."""

    @property
    def seed(self) -> int: ...
    @property
    def kernel(self) -> Kernel: ...
    @property
    def network(self) -> Network: ...


class Host(network.Host, Protocol):
    """A machine of that world."""

    @property
    def world(self) -> Surroundings: ...
    @property
    def number(self) -> int: ...


class Resident(network.Owner, Protocol):
    """A process in the sandbox."""

    @property
    def machine(self) -> Host: ...
    @property
    def incarnation(self) -> int: ...
    @property
    def rng(self) -> random.Random:
        """The random stream of the process."""

    seeded_random: random.Random | None
    """The generator of the functions of `random` after the program has called `random.seed`."""
    thread: SimThread | None
    """The function that runs as if in a thread of it just now."""

    @property
    def threads(self) -> dict[SimThread, None]:
        """All such functions that have begun and have not ended."""

    @property
    def exit_functions(self) -> ExitFunctions:
        """The functions that it calls at its end."""

    @property
    def python_threads(self) -> PythonThreads:
        """What `threading` knows of its threads."""

    @property
    def locks(self) -> dict[Any, Held]:
        """The locks of `threading` that it holds."""

    @property
    def waiting_for(self) -> dict[Any, deque[Any]]:
        """The functions that wait for an item, by queue."""

    def block(self, until_ns: int, waiter: Waiter | None = None) -> None:
        """Stand still in the middle of the code at work, up to a true time, or until the waiter is due."""

    def leave_loop(self) -> Callable[[], None]:
        """Hide the event loop from the code that runs now; call what this returns to show it again."""

    @property
    def kernel(self) -> Kernel: ...

    collects_garbage: bool
    """What `gc.isenabled` returns in it; the real collector is off while a world runs."""

    @property
    def signal_handlers(self) -> dict[int, Any]: ...
    @property
    def event_loop(self) -> Any:
        """Its event loop, if it runs asyncio."""
