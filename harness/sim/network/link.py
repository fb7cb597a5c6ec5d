"""A link: everything that goes from one machine to another, in this direction.

It draws the latencies and, when something disturbs it, the fate of each message, both from streams of its
own: what happens on one link never changes the draws of another.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ostrakon.harness.substrates.message_faults import Disturbed, Fate, fate_of

if TYPE_CHECKING:
    from ostrakon.harness.sim.network.hold import Hold
    from ostrakon.harness.sim.network.host import Host
    from ostrakon.harness.sim.network.network import Network

_LOOPBACK_NS = 20_000


class Cut:
    """An active partition; pass it to `Network.mend` to end it."""

    def __init__(self, links: tuple[Link, ...]) -> None:
        self.links = links
        self.messages = 0
        """The number of messages and segments that it dropped or delayed, with retransmissions."""
        self.mended = False


class Link:
    """One direction between two machines; made by the network when first used."""

    def __init__(self, network: Network, sender: Host, receiver: Host) -> None:
        self._network = network
        self.sender, self.receiver = sender, receiver
        self.number = network.next_number()
        self.is_loopback = sender is receiver
        self.is_between_nodes = sender.is_node and receiver.is_node and not self.is_loopback
        self.cuts: list[Cut] = []
        self.disturbed: list[Disturbed] = []
        self.holds: list[Hold] = []
        self.bytes_per_s: float | None = None
        """The bandwidth; None if there is no limit."""
        self.down = 0
        """The number of reasons for which the link is down."""
        self._busy_until_ns = 0
        self.sent = self.delivered = self.dropped = self.duplicated = self.delayed = 0
        self.name = sender.name, receiver.name
        """The names of sender and receiver."""
        self.draw_ns: Callable[[], int] = self._draw_first
        """Draw a latency in nanoseconds."""
        self._faults: random.Random | None = None

    def change_latency(self) -> None:
        """Draw latencies from another distribution from now on."""
        self.draw_ns = self._draw_first

    def _draw_first(self) -> int:
        # Only now, because a stream of randomness takes longer to make than all the rest of a link.
        if self.is_loopback:
            self.draw_ns = lambda: _LOOPBACK_NS
        else:
            latency = self._network.latency_of(self)
            self.draw_ns = latency.sampler(self._network.world.rng("link", *self.name))
        return self.draw_ns()

    def queueing_ns(self, size: int) -> int:
        """How long this many bytes wait in the queue and take to be sent, at the link's bandwidth."""
        if self.bytes_per_s is None:
            return 0
        now_ns = self._network.kernel.now_ns
        self._busy_until_ns = max(now_ns, self._busy_until_ns) + int(size / self.bytes_per_s * 1e9)
        return self._busy_until_ns - now_ns

    def count_cut(self) -> None:
        """Count a message that was stopped because the link is down."""
        for cut in self.cuts:
            cut.messages += 1

    def fate(self, message: Any) -> Fate:
        """Draw what the active disturbances do to the next message."""
        if self._faults is None:
            self._faults = self._network.world.rng("faults", *self.name)
        return fate_of(message, self.disturbed, self._faults, self.name, self._network.kernel.now_ns)
