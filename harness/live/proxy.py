"""The proxy between live nodes: through it goes all that they say, and it does there what faults ask for.

To the nemesis it is a network like the simulator's. It listens on the loopback interface only.
"""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

import trio

from ostrakon.harness.live.flow import Flow
from ostrakon.harness.live.link import Blockade, Link
from ostrakon.harness.live.preamble import (
    LOOPBACK,
    OK,
    REFUSED,
    Connecting,
    Listening,
    decode_preamble,
    read_line,
)
from ostrakon.harness.substrates.framing import Framing
from ostrakon.harness.substrates.latency import Latency
from ostrakon.harness.substrates.message_faults import Disturbance, Disturbed

_GONE = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)


class Proxy:
    """Knows where everyone listens, and every connection between two of them."""

    def __init__(
        self,
        nodes: Collection[str],
        *,
        latency: Latency,
        framing: Framing | None,
        rng: Callable[[str, str, str], random.Random],
    ) -> None:
        """`rng` gives each purpose and link a stream of randomness of its own."""
        self._nodes, self._latency, self._framing, self._rng = frozenset(nodes), latency, framing, rng
        self._links: dict[tuple[str, str], Link] = {}
        self._listeners: dict[tuple[str, int], int] = {}
        self._connections: dict[int, tuple[frozenset[str], trio.SocketStream, trio.SocketStream]] = {}
        self._everywhere: list[Disturbed] = []
        self._heard = trio.Event()

    @property
    def listening(self) -> frozenset[str]:
        """The nodes that can be reached, unless something is in the way."""
        return frozenset(node for node, _ in self._listeners)

    def forget(self, node: str) -> None:
        """This node begins anew and listens nowhere yet."""
        self._listeners = {place: port for place, port in self._listeners.items() if place[0] != node}

    @property
    def messages(self) -> int:
        """How many messages nodes have sent each other."""
        return sum(link.messages for link in self._links.values() if self._is_between_nodes(link))

    def sent(self, sender: str, receiver: str) -> int:
        """How many messages a node has sent to another."""
        link = self._links.get((sender, receiver))
        return link.messages if link is not None else 0

    async def until_listening(self, nodes: Collection[str]) -> None:
        """Wait until each of these nodes listens somewhere."""
        while not self.listening.issuperset(nodes):
            await self._heard.wait()

    async def serve(self, task_status: trio.TaskStatus[int]) -> None:
        """Serve until cancelled; starts with the port."""
        # Made by hand: the run's own way of making sockets is that of the clients, who come through here.
        listener = trio.socket.from_stdlib_socket(_listening_socket())
        task_status.started(listener.getsockname()[1])
        with listener:
            await trio.serve_listeners(self._handle, [trio.SocketListener(listener)])

    async def _handle(self, stream: trio.SocketStream) -> None:
        try:
            match decode_preamble(await read_line(stream.receive_some)):
                case Listening(node, port, real_port):
                    self._listeners[node, port] = real_port
                    self._heard.set()
                    self._heard = trio.Event()
                    await stream.send_all(OK)
                case Connecting() as wanted:
                    await self._connect(wanted, stream)
        except* _GONE:
            pass  # Whoever it was has been killed, or has had enough.

    async def _connect(self, wanted: Connecting, near: trio.SocketStream) -> None:
        there = self._link(wanted.sender, wanted.receiver)
        back = self._link(wanted.receiver, wanted.sender)
        # A handshake needs both ways.
        await there.opened()
        await back.opened()
        real_port = self._listeners.get((wanted.receiver, wanted.port))
        far = await _reach(real_port) if real_port is not None else None
        if far is None:
            await near.send_all(REFUSED)
            return
        await near.send_all(OK)
        async with far:
            with self._known(frozenset({wanted.sender, wanted.receiver}), near, far):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(Flow(there, self._framing).run, near, far)
                    nursery.start_soon(Flow(back, self._framing).run, far, near)

    @contextmanager
    def _known(self, ends: frozenset[str], near: trio.SocketStream, far: trio.SocketStream) -> Iterator[None]:
        self._connections[id(near)] = ends, near, far
        try:
            yield
        finally:
            del self._connections[id(near)]

    def _link(self, sender: str, receiver: str) -> Link:
        name = sender, receiver
        if name not in self._links:
            link = Link(
                name,
                self._latency.sampler(self._rng("link", sender, receiver)),
                self._rng("faults", sender, receiver),
            )
            if self._is_between_nodes(link):
                link.disturbed.extend(self._everywhere)
            self._links[name] = link
        return self._links[name]

    def _is_between_nodes(self, link: Link) -> bool:
        return self._nodes.issuperset(link.name) and link.name[0] != link.name[1]

    def cut(self, grudge: Mapping[str, Collection[str]]) -> Blockade:
        """Stop what a grudge says, receiver by receiver, until this cut is mended."""
        pairs = {(sender, receiver) for receiver, senders in grudge.items() for sender in senders}
        return self.hold(pairs)

    def mend(self, cut: Blockade) -> None:
        """End this cut and no other."""
        self.release(cut)

    def hold(self, links: Collection[tuple[str, str]]) -> Blockade:
        """Keep what goes from these senders to these receivers."""
        blockade = Blockade(tuple(self._link(*pair) for pair in sorted(set(links))))
        for link in blockade.links:
            link.blockades.append(blockade)
        return blockade

    def release(self, hold: Blockade) -> None:
        """Let everything go on that a hold has kept."""
        for link in hold.links:
            link.lift(hold)

    def disturb(self, disturbance: Disturbance) -> Disturbed:
        """Let a disturbance of messages begin."""
        disturbed = Disturbed(disturbance)
        if disturbance.links is None:
            self._everywhere.append(disturbed)
            struck = [link for link in self._links.values() if self._is_between_nodes(link)]
        else:
            struck = [self._link(*pair) for pair in sorted(set(disturbance.links))]
        for link in struck:
            link.disturbed.append(disturbed)
        return disturbed

    def settle(self, disturbed: Disturbed) -> None:
        """End this disturbance and no other."""
        for at_work in (self._everywhere, *(link.disturbed for link in self._links.values())):
            if disturbed in at_work:
                at_work.remove(disturbed)

    def reset_connections(self, one: str, other: str) -> int:
        """Break every connection between two nodes; returns how many."""
        broken = [sides for ends, *sides in self._connections.values() if ends == {one, other}]
        for sides in broken:
            for stream in sides:
                # Unread bytes or not, both ends are to see a reset.
                _reset_on_close(stream)
                stream.socket.close()
        return len(broken)


def _listening_socket() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((LOOPBACK, 0))
    listener.listen(256)
    return listener


async def _reach(real_port: int) -> trio.SocketStream | None:
    sock = trio.socket.from_stdlib_socket(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    try:
        await sock.connect((LOOPBACK, real_port))
    except OSError:
        sock.close()
        return None
    return trio.SocketStream(sock)


def _reset_on_close(stream: trio.SocketStream) -> None:
    """Linger for no time at all, which is how a socket is told to end with RST."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
