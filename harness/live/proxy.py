"""The proxy between live nodes: all their messages go through it, and faults act on them there.

The nemesis uses it as a network, like the simulator's. It listens on the loopback interface only.
"""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

import trio

from ostrakon.harness.live.flow import Blockade, Flow, Link, Observer
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
from ostrakon.harness.substrates.latency import Constant, Latency
from ostrakon.harness.substrates.message_faults import Disturbance, Disturbed

_GONE = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)


class Proxy:
    """Forwards connections between nodes; it knows where each node listens."""

    def __init__(
        self,
        nodes: Collection[str],
        *,
        latency: Latency,
        framing: Framing | None,
        datagrams: bool = False,
        rng: Callable[[str, str, str], random.Random],
        observe: Observer | None = None,
    ) -> None:
        """`rng` returns a random generator for each purpose and link. `observe` is told of every message."""
        self._observe = observe
        self._nodes, self._latency, self._framing, self._rng = frozenset(nodes), latency, framing, rng
        self._datagrams = datagrams
        self._links: dict[tuple[str, str], Link] = {}
        self._listeners: dict[tuple[str, int], int] = {}
        self._connections: dict[int, tuple[frozenset[str], trio.SocketStream, trio.SocketStream]] = {}
        self._everywhere: list[Disturbed] = []
        self._heard = trio.Event()

    @property
    def listening(self) -> frozenset[str]:
        """The nodes that listen."""
        return frozenset(node for node, _ in self._listeners)

    def forget(self, node: str) -> None:
        """Record that a node has started again and does not listen yet."""
        self._listeners = {place: port for place, port in self._listeners.items() if place[0] != node}

    @property
    def messages(self) -> int:
        """The number of messages between nodes."""
        return sum(link.messages for link in self._links.values() if self._is_between_nodes(link))

    def sent(self, sender: str, receiver: str) -> int:
        """The number of messages from one node to another."""
        link = self._links.get((sender, receiver))
        return link.messages if link is not None else 0

    async def until_listening(self, nodes: Collection[str]) -> None:
        """Wait until each of these nodes listens."""
        while not self.listening.issuperset(nodes):
            await self._heard.wait()

    async def serve(self, task_status: trio.TaskStatus[int]) -> None:
        """Serve until cancelled; `task_status.started` gets the port."""
        # Made directly: this run's socket factory makes the sockets of clients, which lead to the proxy.
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
            pass  # The other side was killed or has closed.

    async def _connect(self, wanted: Connecting, near: trio.SocketStream) -> None:
        there = self._link(wanted.sender, wanted.receiver)
        back = self._link(wanted.receiver, wanted.sender)
        if not self._datagrams:
            # A handshake needs both directions. A connection that only carries datagrams stands for none.
            await there.passes()
            await back.passes()
        real_port = self._listeners.get((wanted.receiver, wanted.port))
        far = await _reach(real_port) if real_port is not None else None
        if far is None:
            await near.send_all(REFUSED)
            return
        await near.send_all(OK)
        async with far:
            with self._known(frozenset({wanted.sender, wanted.receiver}), near, far):
                async with trio.open_nursery() as nursery:
                    for link, source, sink in ((there, near, far), (back, far, near)):
                        flow = Flow(link, self._framing, self._observe, datagrams=self._datagrams)
                        nursery.start_soon(flow.run, source, sink)

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
            # Clients have no latency where messages are datagrams: as in Maelstrom, it would hide anomalies.
            latency = self._latency if not self._datagrams or self._joins_nodes(name) else Constant(0.0)
            link = Link(
                name,
                latency.sampler(self._rng("link", sender, receiver)),
                self._rng("faults", sender, receiver),
            )
            if self._is_between_nodes(link):
                link.disturbed.extend(self._everywhere)
            self._links[name] = link
        return self._links[name]

    def _is_between_nodes(self, link: Link) -> bool:
        return self._joins_nodes(link.name) and link.name[0] != link.name[1]

    def _joins_nodes(self, ends: tuple[str, str]) -> bool:
        return self._nodes.issuperset(ends)

    def cut(self, grudge: Mapping[str, Collection[str]]) -> Blockade:
        """Hold the messages that a grudge names, until this cut is mended."""
        pairs = {(sender, receiver) for receiver, senders in grudge.items() for sender in senders}
        return self._block(pairs, loses=self._datagrams)

    def mend(self, cut: Blockade) -> None:
        """End this cut and no other."""
        self.release(cut)

    def hold(self, links: Collection[tuple[str, str]]) -> Blockade:
        """Hold all messages from these senders to these receivers."""
        return self._block(links, loses=False)

    def _block(self, links: Collection[tuple[str, str]], *, loses: bool) -> Blockade:
        blockade = Blockade(tuple(self._link(*pair) for pair in sorted(set(links))), loses)
        for link in blockade.links:
            link.blockades.append(blockade)
        return blockade

    def release(self, hold: Blockade) -> None:
        """Forward everything that a hold has kept."""
        for link in hold.links:
            link.lift(hold)

    def disturb(self, disturbance: Disturbance) -> Disturbed:
        """Begin a disturbance of messages."""
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
        """Reset every connection between two nodes; returns the number of connections."""
        broken = [sides for ends, *sides in self._connections.values() if ends == {one, other}]
        for sides in broken:
            for stream in sides:
                # Both ends must get a reset, with or without unread bytes.
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
    """Set a linger time of 0, which makes the socket close with RST."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
