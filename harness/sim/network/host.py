"""What the network needs to know of machines, their processes and the world they are in.

The classes behind these protocols are in `sim/machine`, which is built on the network. The network states
what it needs in its own words, so that the two folders do not import each other.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ostrakon.harness.sim.disk import host as disk

if TYPE_CHECKING:
    from ostrakon.harness.sim.kernel.kernel import Kernel
    from ostrakon.harness.sim.network.endpoint import Endpoint
    from ostrakon.harness.sim.network.mailbox import Mailbox
    from ostrakon.harness.sim.network.network import Network
    from ostrakon.harness.sim.network.ports import Ports
    from ostrakon.harness.sim.network.socket_factory import SocketFactory


class Surroundings(disk.Surroundings, Protocol):
    """The world around a machine."""

    @property
    def kernel(self) -> Kernel: ...
    @property
    def network(self) -> Network: ...
    @property
    def machines(self) -> Mapping[str, Host]: ...
    @property
    def closing(self) -> bool:
        """Whether programs are only being unwound: nothing they do now belongs to the simulation."""

    def rng(self, *path: str | int) -> random.Random:
        """The random stream called `path`."""


class Host(disk.Host, Protocol):
    """A machine on the network."""

    @property
    def world(self) -> Surroundings: ...
    @property
    def name(self) -> str: ...
    @property
    def ip(self) -> str: ...
    @property
    def is_node(self) -> bool:
        """Whether it belongs to the system under test; faults leave the others' connections alone."""

    @property
    def powered(self) -> bool: ...
    @property
    def process(self) -> Owner | None:
        """The latest process, dead or alive."""

    @property
    def processes(self) -> Sequence[Owner]: ...
    @property
    def ports(self) -> Ports: ...
    @property
    def socket_factory(self) -> SocketFactory: ...


class Owner(disk.Owner, Protocol):
    """A process that has sockets."""

    @property
    def name(self) -> str: ...
    @property
    def machine(self) -> Host: ...
    @property
    def sockets(self) -> dict[Endpoint, None]: ...
    @property
    def segment_gap_ns(self) -> int:
        """How much later than the one before it a segment arrives that has caught up with it. 0: together."""

    @property
    def socket_numbers(self) -> Iterator[int]:
        """The file descriptors that its sockets show."""

    @property
    def mailbox(self) -> Mailbox: ...
    @property
    def event_loop(self) -> Any:
        """Its event loop, if it runs asyncio."""

    @property
    def alive(self) -> bool: ...
    @property
    def is_alone(self) -> bool:
        """Whether only the running task could run now; then it need not let others go first."""

    def reschedule(self, waiter: Any, value: Any = None) -> None:
        """Wake what waits in it: a task of Trio, or whatever an asyncio event loop has left at a socket."""
