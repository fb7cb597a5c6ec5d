"""A UDP socket of the simulated network: each datagram travels alone, if it arrives at all."""

from __future__ import annotations

import errno
import socket
from collections import deque
from typing import TYPE_CHECKING, Any

from trio.lowlevel import checkpoint, checkpoint_if_cancelled

from ostrakon.harness.sim.network.endpoint import Address, Endpoint, fail
from ostrakon.harness.sim.network.hold import InFlight
from ostrakon.harness.sim.network.network import Message
from ostrakon.harness.sim.network.resolver import LOOPBACK
from ostrakon.harness.substrates.framing import flip

if TYPE_CHECKING:
    from ostrakon.harness.sim.network.host import Host
    from ostrakon.harness.sim.network.link import Link

SIZE_MAX = 65507
QUEUE_MAX = 1000
"""Datagrams that wait to be received; more are lost, as in a full socket buffer."""


class DatagramSocket(Endpoint):
    """Sends and receives datagrams."""

    def __init__(self, process: Any, family: int) -> None:
        super().__init__(process, family)
        self._waiting: deque[tuple[bytes, Address]] = deque()

    @property
    def type(self) -> socket.SocketKind:
        """Always datagrams."""
        return socket.SOCK_DGRAM

    @property
    def proto(self) -> int:
        """UDP."""
        return socket.IPPROTO_UDP

    @property
    def did_shutdown_SHUT_WR(self) -> bool:
        """Never."""
        return False

    def take(self, address: Any) -> None:
        """Take a local address. Raises: OSError with EADDRINUSE, EADDRNOTAVAIL or EINVAL."""
        super().take(address)
        self.machine.datagram_sockets[self._local[1]] = self

    async def connect(self, address: Any) -> None:
        """Send to, and receive from, this address only."""
        self._require_open()
        await checkpoint()
        self.connect_now(address)

    def connect_now(self, address: Any) -> None:
        """As `connect`, at once. Raises: OSError with EBADF."""
        self._require_open()
        self._remote = self._resolve(address, LOOPBACK)
        self._take_address(self._remote[0])

    def sendto_now(self, *args: Any) -> int:
        """As `sendto`. Raises: OSError with EMSGSIZE or EBADF."""
        if args[-1] is None:
            return self.send_now(args[0])
        return self._send_now(args[0], self._resolve(args[-1], LOOPBACK))

    def send_now(self, data: Any, flags: int = 0) -> int:
        """As `send`. Raises: OSError with EDESTADDRREQ, EMSGSIZE or EBADF."""
        if self._remote is None:
            fail(errno.EDESTADDRREQ)
        return self._send_now(data, self._remote)

    def recvfrom_now(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """As `recvfrom`. Raises: BlockingIOError if there is nothing; OSError with EBADF."""
        self._require_open()
        if not self._waiting:
            fail(errno.EAGAIN)
        data, sender = self._waiting[0] if flags & socket.MSG_PEEK else self._waiting.popleft()
        return data[:bufsize], self._shown(sender)

    async def sendto(self, *args: Any) -> int:
        """Send a datagram: `sendto(data, address)` or `sendto(data, flags, address)`.

        Raises: OSError with EMSGSIZE or EBADF.
        """
        return await self._send(args[0], self._resolve(args[-1], LOOPBACK))

    async def send(self, data: Any, flags: int = 0) -> int:
        """Send to where this socket is connected. Raises: OSError with EDESTADDRREQ or EMSGSIZE."""
        if self._remote is None:
            fail(errno.EDESTADDRREQ)
        return await self._send(data, self._remote)

    async def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """Receive a datagram and its sender's address; what is longer than `bufsize` is cut off."""
        self._require_open()
        await checkpoint_if_cancelled()
        if self._waiting:
            await self._yield()
        while not self._waiting:
            await self._wait_to_read()
        data, sender = self._waiting.popleft()
        return data[:bufsize], self._shown(sender)

    async def recv(self, buflen: int, flags: int = 0) -> bytes:
        """Receive a datagram."""
        data, _ = await self.recvfrom(buflen, flags)
        return data

    def is_readable(self) -> bool:
        """Whether a datagram waits."""
        return bool(self._waiting)

    async def wait_writable(self) -> None:
        """It always is."""
        await checkpoint()

    def close(self) -> None:
        """Close it; whoever waits on it gets `trio.ClosedResourceError`."""
        if not self.closed:
            self.closed = True
            self.process.sockets.pop(self, None)
            if self.machine.datagram_sockets.get(self._local[1]) is self:
                del self.machine.datagram_sockets[self._local[1]]
            self._wake_reader()

    # Below.

    def _is_taken(self, ip: str, port: int | str) -> bool:
        return port in self.machine.datagram_sockets

    def _take_address(self, towards: str) -> None:
        if not self._is_bound:
            self._bind_towards(towards)
            self.machine.datagram_sockets[self._local[1]] = self

    async def _send(self, data: Any, to: Address) -> int:
        self._require_open()
        await checkpoint()
        return self._send_now(data, to)

    def _send_now(self, data: Any, to: Address) -> int:
        self._require_open()
        payload = bytes(data)
        if len(payload) > SIZE_MAX:
            fail(errno.EMSGSIZE)
        self._take_address(to[0])
        receiver = self.machine if to[0] == LOOPBACK else self._network.machine_at(to[0])
        if receiver is not None and self.process.alive:
            sender = (LOOPBACK if to[0] == LOOPBACK else self.machine.ip, self._local[1])
            self._dispatch(self._network.link_between(self.machine, receiver), payload, sender, to[1])
        return len(payload)

    def _dispatch(self, link: Link, payload: bytes, sender: Address, port: int | str) -> None:
        network, kernel = self._network, self._network.kernel
        if kernel.choice_log is not None:
            kernel.note_choice("send", *link.name, payload.hex())
        number, fate = network.send_message(link, payload)
        message = Message(number, *link.name, payload, kernel.now_ns, None) if number is not None else None
        if fate.copies == 0 and message is not None and network.on_message is not None:
            network.on_message(message)
        if fate.corrupt_bit is not None:
            payload = flip(payload, fate.corrupt_bit)
        for _ in range(fate.copies):
            at_ns = kernel.now_ns + link.draw_ns() + fate.extra_ns + link.queueing_ns(len(payload))
            kernel.call_at(at_ns, _arrive, link, link.receiver, payload, sender, port, message)


def _arrive(
    link: Link, machine: Host, payload: bytes, sender: Address, port: int | str, message: Message | None
) -> None:
    if link.holds and not link.down:
        held = InFlight(
            *link.name,
            payload=payload,
            is_whole=True,
            arrive=lambda: _deliver(link, machine, payload, sender, port, message),
        )
        link.holds[0].keep(held)
    else:
        _deliver(link, machine, payload, sender, port, message)


def _deliver(
    link: Link, machine: Host, payload: bytes, sender: Address, port: int | str, message: Message | None
) -> None:
    network, kernel = machine.world.network, machine.world.kernel
    receiver = machine.datagram_sockets.get(port)
    lost = bool(link.down) or receiver is None or len(receiver._waiting) >= QUEUE_MAX
    if link.down:
        link.count_cut()
    if lost or receiver is None:
        link.dropped += 1
    else:
        link.delivered += 1
        kernel.fingerprint = hash((kernel.fingerprint, kernel.now_ns, link.number, len(payload)))
        receiver._waiting.append((payload, sender))
        receiver._wake_reader()
    if message is not None and network.on_message is not None:
        network.on_message(message._replace(received_ns=None if lost else kernel.now_ns))
