"""The network: machines, the directed links between them, and what can be done to those.

**Partitions.** A cut names, for each receiver, the senders whose traffic it drops. A link is down while any
cut holds it, so overlapping cuts do not heal each other. What is under way when a link goes down is lost.

**TCP.** A lost segment is sent again after 200 ms, then 400 ms and so on up to 2 minutes; what was sent
behind it waits for it. After 15 minutes without success, or what TCP_USER_TIMEOUT is set to, the sender's
connection breaks with ETIMEDOUT. A connection request that gets no answer is repeated after 1, 2, 4 ...
seconds and fails with ETIMEDOUT after some two minutes. A reset that is lost is not repeated. A segment for a
connection that the receiving machine does not know is answered by a reset; a machine without power answers
nothing. Acknowledgements are not simulated: what has arrived counts as acknowledged, even where the way back
is cut.

**Messages.** With a framing, the network can tell messages apart on connections between nodes, as a proxy
could that knows the protocol: each message travels on its own and can be lost, duplicated or overtaken. The
first message of each connection, the handshake, is exempt.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ostrakon.harness.sim.kernel.errors import SimulationError
from ostrakon.harness.sim.network.hold import Hold
from ostrakon.harness.sim.network.link import Cut, Link
from ostrakon.harness.substrates.framing import Framing
from ostrakon.harness.substrates.latency import Latency
from ostrakon.harness.substrates.message_faults import (
    LOST,
    NORMAL,
    Disturbance,
    Disturbed,
    Fate,
    MessageDeviation,
)

if TYPE_CHECKING:
    from ostrakon.harness.sim.network.host import Host, Surroundings


UNNUMBERED = -1
"""The number of a message to or from a client, and of the first message of each framed connection."""


class LinkMessage(NamedTuple):
    """One message (one segment, without framing) on a link between nodes, as `Network.on_message` is told."""

    number: int
    """Counts the messages between nodes in order of sending, from 0; 0 is also the first one's number in
    `Network.deviations`. `UNNUMBERED` for those that no deviation can be about."""
    sender: str
    receiver: str
    payload: bytes
    sent_ns: int
    received_ns: int | None
    """When it arrived, in nanoseconds; None if it was lost."""


class Network:
    """Joins the machines of one world."""

    def __init__(self, world: Surroundings, latency: Latency, framing: Framing | None) -> None:
        self.world, self.framing = world, framing
        self.kernel = world.kernel
        self.deviations: Mapping[int, MessageDeviation] = {}
        """The deviations of single messages between nodes, by the message's number."""
        self.on_message: Callable[[LinkMessage], object] | None = None
        """Called with every message between nodes when it arrives or is lost."""
        self.on_unnumbered: Callable[[LinkMessage], object] | None = None
        """Called in the same way with messages that have no number."""
        self.messages = 0
        """The number of messages that were sent between nodes."""
        self.held_up_until_ns = 0
        """When the last of the messages arrives that faults have held up so far; what is behind it on its
        connection is not there sooner, even if all faults are over."""
        self._latency = latency
        self._latencies: dict[tuple[str, str], Latency] = {}
        self._links: dict[tuple[Host, Host], Link] = {}
        self._everywhere: list[Disturbed] = []
        self._by_ip: dict[str, Host] = {}
        self._numbers = itertools.count(1)

    def add(self, machine: Host) -> None:
        """Join a new machine to the network."""
        self._by_ip[machine.ip] = machine

    def machine_at(self, ip: str) -> Host | None:
        """The machine with this address."""
        return self._by_ip.get(ip)

    def machine_named(self, name: str) -> Host | None:
        """The machine with this name."""
        return self.world.machines.get(name)

    def link(self, sender: str, receiver: str) -> Link:
        """The link between two machines, with its counters.

        Raises: SimulationError if there is no such machine.
        """
        return self.link_between(self._require(sender), self._require(receiver))

    @property
    def links(self) -> list[Link]:
        """Every link that has been used or named."""
        return list(self._links.values())

    def link_between(self, sender: Host, receiver: Host) -> Link:
        """The link between two `Machine` objects."""
        link = self._links.get((sender, receiver))
        if link is None:
            link = self._links[sender, receiver] = Link(self, sender, receiver)
            link.down = int(not receiver.powered)
            if link.is_between_nodes:
                link.disturbed.extend(self._everywhere)
        return link

    def latency_of(self, link: Link) -> Latency:
        """The distribution of latencies on a link."""
        return self._latencies.get(link.name, self._latency)

    def set_latency(self, sender: str, receiver: str, latency: Latency) -> None:
        """Give one directed link a latency of its own from now on."""
        link = self.link(sender, receiver)
        self._latencies[link.name] = latency
        link.change_latency()

    def cut(self, grudge: Mapping[str, Collection[str]]) -> Cut:
        """Drop, at each receiver, what comes from these senders; until this cut is mended.

        Raises: SimulationError if there is no such machine.
        """
        pairs = [
            (sender, receiver) for receiver in sorted(grudge) for sender in sorted(set(grudge[receiver]))
        ]
        cut = Cut(tuple(self.link(sender, receiver) for sender, receiver in pairs if sender != receiver))
        for link in cut.links:
            link.cuts.append(cut)
            link.down += 1
        return cut

    def mend(self, cut: Cut) -> int:
        """End this cut and no other; again is harmless. Returns how many messages it stopped."""
        if not cut.mended:
            cut.mended = True
            for link in cut.links:
                link.cuts.remove(cut)
                link.down -= 1
        return cut.messages

    def disturb(self, disturbance: Disturbance) -> Disturbed:
        """Let a disturbance begin.

        Raises: SimulationError if there is no such machine.
        """
        disturbed = Disturbed(disturbance)
        for link in self._disturbed_links(disturbance):
            link.disturbed.append(disturbed)
        if disturbance.links is None:
            self._everywhere.append(disturbed)
        return disturbed

    def settle(self, disturbed: Disturbed) -> int:
        """End a disturbance; again is harmless. Returns how many messages it struck."""
        for link in self._links.values():
            if disturbed in link.disturbed:
                link.disturbed.remove(disturbed)
        if disturbed in self._everywhere:
            self._everywhere.remove(disturbed)
        return disturbed.messages

    def hold(self, links: Collection[tuple[str, str]]) -> Hold:
        """Keep what goes from these senders to these receivers, until it is released.

        Raises: SimulationError if there is no such machine.
        """
        hold = Hold(tuple(self.link(sender, receiver) for sender, receiver in sorted(set(links))))
        for link in hold.links:
            link.holds.append(hold)
        return hold

    def release(self, hold: Hold) -> int:
        """Let everything arrive that a hold has kept, in order; again is harmless.

        Returns how many messages it has held back.
        """
        for link in hold.links:
            if hold in link.holds:
                link.holds.remove(hold)
        waiting, hold.waiting = hold.waiting, []
        for message in waiting:
            message.arrive()
        return hold.messages

    def sent(self, sender: str, receiver: str) -> int:
        """How many messages, and segments of streams without a framing, a machine has sent to another."""
        link = self._links.get((self._require(sender), self._require(receiver)))
        return link.sent if link is not None else 0

    def set_bandwidth(self, sender: str, receiver: str, bytes_per_s: float | None) -> None:
        """Limit what goes over one directed link, or lift the limit with None. Raises: SimulationError."""
        if bytes_per_s is not None and not bytes_per_s > 0:
            raise SimulationError(f"a bandwidth is positive, not {bytes_per_s}")
        self.link(sender, receiver).bytes_per_s = bytes_per_s

    def reset_connections(self, one: str, other: str) -> int:
        """Break every connection between two machines, as a firewall does that forgets its state.

        Returns how many connections were broken.
        """
        here, there = self._require(one), self._require(other)
        broken = [
            sock
            for machine, far in ((here, there), (there, here))
            for process in machine.processes
            for sock in process.sockets
            if sock.is_connected_to(far)
        ]
        for sock in broken:
            sock.reset()
        return len(broken) // 2

    def send_message(self, link: Link, message: Any) -> tuple[int | None, Fate]:
        """Number a message that travels alone, and draw and count what becomes of it.

        The number is None on links that are not between nodes.
        """
        link.sent += 1
        if not link.is_between_nodes:
            return None, link.fate(message) if link.disturbed else NORMAL
        number, self.messages = self.messages, self.messages + 1
        if not link.disturbed and not self.deviations:
            return number, NORMAL
        fate = self.fate(link, number, message)
        link.dropped += fate.copies == 0
        link.duplicated += max(0, fate.copies - 1)
        link.delayed += fate.extra_ns > 0
        return number, fate

    def fate(self, link: Link, number: int, message: Any) -> Fate:
        """What the disturbances on its link and the deviations do to message `number`."""
        fate = self._deviating(number, link.fate(message) if link.disturbed else NORMAL)
        if fate.extra_ns:
            self.held_up_until_ns = max(self.held_up_until_ns, self.kernel.now_ns + fate.extra_ns)
        return fate

    def _deviating(self, number: int, fate: Fate) -> Fate:
        deviation = self.deviations.get(number)
        if deviation is None:
            return fate
        match deviation.kind:
            case "drop":
                return LOST
            case "duplicate":
                return fate._replace(copies=fate.copies * 2)
            case "delay":
                return fate._replace(extra_ns=fate.extra_ns + int(deviation.ms * 1e6), may_be_overtaken=True)

    def power_changed(self, machine: Host) -> None:
        """A machine lost its power or got it back; nothing reaches it meanwhile.

        What has left it before is on its way, and arrives: a power failure does not unsend.
        """
        for (_, receiver), link in self._links.items():
            if machine is receiver:
                link.down += -1 if machine.powered else 1

    def next_number(self) -> int:
        """Number links and connections in order of creation."""
        return next(self._numbers)

    def _disturbed_links(self, disturbance: Disturbance) -> list[Link]:
        if disturbance.links is None:
            return [link for link in self._links.values() if link.is_between_nodes]
        return [self.link(sender, receiver) for sender, receiver in sorted(set(disturbance.links))]

    def _require(self, name: str) -> Host:
        machine = self.world.machines.get(name)
        if machine is None:
            names = ", ".join(self.world.machines) or "none yet"
            raise SimulationError(f"there is no machine called {name!r}; there are: {names}")
        return machine
