"""A UDP socket, or a UNIX one for datagrams: each datagram travels alone, if it arrives at all."""

from __future__ import annotations

import errno
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from ostrakon.harness.sim.network.endpoint import (
    BROADCAST,
    UNIX,
    Address,
    Endpoint,
    fail,
    refuse_ancillary_data,
)
from ostrakon.harness.sim.network.hold import InFlight
from ostrakon.harness.sim.network.network import UNNUMBERED, LinkMessage
from ostrakon.harness.sim.network.resolver import LOOPBACK, is_loopback
from ostrakon.harness.sim.runtimes.trio.waiting import checkpoint, checkpoint_if_cancelled
from ostrakon.harness.substrates.framing import flip

if TYPE_CHECKING:
    from ostrakon.harness.sim.network.host import Host, Owner
    from ostrakon.harness.sim.network.link import Link
    from ostrakon.harness.sim.network.network import Network

SIZE_MAX = 65507
QUEUE_MAX = 1000
"""The maximum number of datagrams that wait; more are lost, as in a full socket buffer."""


class DatagramSocket(Endpoint):
    """Sends and receives datagrams."""

    def __init__(self, process: Owner, family: int, proto: int = 0) -> None:
        super().__init__(process, family, proto)
        self._is_shut = False
        self._waiting: deque[tuple[bytes, Address]] = deque()

    @property
    def type(self) -> socket.SocketKind:
        """Always datagrams."""
        return socket.SOCK_DGRAM

    @property
    def did_shutdown_SHUT_WR(self) -> bool:
        """Whether the sending side was shut down."""
        return self._is_shut

    def shutdown(self, flag: int) -> None:
        """End the sending side, even if the socket is not connected. Raises: OSError with ENOTCONN."""
        self._require_open()
        self._is_shut |= flag in (socket.SHUT_WR, socket.SHUT_RDWR)
        if self._remote is None:
            fail(errno.ENOTCONN)

    async def connect(self, address: Any) -> None:
        """Send to, and receive from, this address only."""
        self._require_open()
        await checkpoint()
        self.connect_now(address)

    def connect_now(self, address: Any) -> None:
        """As `connect`, at once. Raises: OSError with EBADF."""
        self._require_open()
        self._remote = self._resolve(address, LOOPBACK)
        self._bind_towards(self._remote[0])

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
        self._tell_of_refusal()
        if not self._waiting:
            fail(errno.EAGAIN)
        return self._next(bufsize, flags)

    def _next(self, bufsize: int, flags: int) -> tuple[bytes, Any]:
        data, sender = self._waiting[0] if flags & socket.MSG_PEEK else self._waiting.popleft()
        return data[:bufsize], None if sender == (UNIX, "") else self._shown(sender)

    def _tell_of_refusal(self) -> None:
        """Raises: OSError with ECONNREFUSED if nobody was at the port that something was sent to."""
        error, self._pending_error = self._pending_error, None
        if error is not None:
            fail(error)

    async def sendto(self, *args: Any) -> int:
        """Send a datagram: `sendto(data, address)` or `sendto(data, flags, address)`.

        Raises: OSError with EMSGSIZE, EINVAL, EACCES, ECONNREFUSED, EPIPE or EBADF.
        """
        return await self._send(args[0], self._resolve(args[-1], LOOPBACK))

    async def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> int:
        """Send the bytes of all buffers as one datagram. Raises: NotSimulated for ancillary data; OSError."""
        refuse_ancillary_data(self.process, ancdata)
        data = b"".join(buffers)
        return await (self.send(data) if address is None else self.sendto(data, address))

    async def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0
    ) -> tuple[bytes, list[Any], int, Any]:
        """As `recvfrom`, without ancillary data; says by MSG_TRUNC if the datagram was longer."""
        length = len(self._waiting[0][0]) if self._waiting else None
        data, sender = await self.recvfrom(bufsize, flags)
        is_cut = length is not None and length > bufsize
        return data, [], int(socket.MSG_TRUNC) if is_cut else 0, sender

    async def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As `recv`, into a buffer."""
        return (await self.recvfrom_into(buffer, nbytes, flags))[0]

    async def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """As `recvfrom`, into a buffer."""
        view = memoryview(buffer).cast("B")
        data, sender = await self.recvfrom(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data), sender

    async def accept(self) -> NoReturn:
        """There are no connections. Raises: OSError with EOPNOTSUPP."""
        fail(errno.EOPNOTSUPP)

    async def send(self, data: Any, flags: int = 0) -> int:
        """Send to where this socket is connected. Raises: OSError with EDESTADDRREQ or EMSGSIZE."""
        if self._remote is None:
            fail(errno.EDESTADDRREQ)
        return await self._send(data, self._remote)

    async def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """Receive a datagram and its sender's address; what is longer than `bufsize` is cut off."""
        self._require_open()
        await checkpoint_if_cancelled()
        if bufsize < 0:
            raise ValueError("negative buffersize in recvfrom")
        if self._waiting:
            await self._yield()
        while True:
            self._tell_of_refusal()
            if self._waiting:
                return self._next(bufsize, flags)
            await self._wait_to_read()

    async def recv(self, buflen: int, flags: int = 0) -> bytes:
        """Receive a datagram."""
        data, _ = await self.recvfrom(buflen, flags)
        return data

    def is_readable(self) -> bool:
        """Whether a datagram waits, or an error."""
        return bool(self._waiting) or self._pending_error is not None

    async def wait_writable(self) -> None:
        """It always is."""
        await checkpoint()

    def close(self) -> None:
        """Close it. A task that waits on it gets `trio.ClosedResourceError`."""
        if not self.closed:
            self.closed = True
            self.process.sockets.pop(self, None)
            self.machine.ports.release(self)
            self._wake_reader()

    # Below.

    async def _send(self, data: Any, to: Address) -> int:
        self._require_open()
        await checkpoint()
        return self._send_now(data, to)

    def _send_now(self, data: Any, to: Address) -> int:
        self._require_open()
        self._tell_of_refusal()
        payload = bytes(memoryview(data))
        if self._is_shut:
            fail(errno.EPIPE)
        if len(payload) > SIZE_MAX:
            fail(errno.EMSGSIZE)
        if to[1] == 0:
            fail(errno.EINVAL)
        if to[0] == BROADCAST and not self.has_set(socket.SO_BROADCAST):
            fail(errno.EACCES)
        self._bind_towards(to[0])
        if self.process.alive:
            for receiver in self._receivers(to):
                own = LOOPBACK if is_loopback(to[0]) else self.machine.ip
                sender = self._local if self._family == socket.AF_UNIX else (own, self._local[1])
                link = self._network.link_between(self.machine, receiver)
                self._dispatch(link, payload, _Route(self, sender, to))
        return len(payload)

    def _receivers(self, to: Address) -> list[Host]:
        """The machines that a datagram to this address goes to. Raises: OSError with ECONNREFUSED."""
        if to[0] == BROADCAST:
            return list(self.machine.world.machines.values())
        if to[0] == UNIX and self.machine.ports.receiver_at(*to, sender=self._local) is None:
            fail(errno.ECONNREFUSED)
        if to[0] == UNIX or is_loopback(to[0]):
            return [self.machine]
        receiver = self._network.machine_at(to[0])
        return [] if receiver is None else [receiver]

    def _dispatch(self, link: Link, payload: bytes, route: _Route) -> None:
        network, kernel = self._network, self._network.kernel
        if kernel.choice_log is not None:
            kernel.note_choice("send", *link.name, payload.hex())
        number, fate = network.send_message(link, payload)
        message = _observed(link, number, payload)
        if fate.copies == 0 and message is not None:
            _report(network, message)
        if fate.corrupt_bit is not None:
            payload = flip(payload, fate.corrupt_bit)
        for _ in range(fate.copies):
            at_ns = kernel.now_ns + link.draw_ns() + fate.extra_ns + link.queueing_ns(len(payload))
            kernel.call_at(at_ns, _arrive, link, payload, route, message)

    def put(self, payload: bytes, sender: Address) -> None:
        """Accept a datagram that has arrived."""
        self._waiting.append((payload, sender))
        self._wake_reader()

    @property
    def is_full(self) -> bool:
        """Whether a datagram that arrives now is lost."""
        return len(self._waiting) >= QUEUE_MAX

    def refused(self, by: Address) -> None:
        """Handle an ICMP message that nobody listens at the port; only a connected socket reports it."""
        if self._remote == by and not self.closed:
            self._pending_error = errno.ECONNREFUSED
            self._wake_reader()


class _Route(NamedTuple):
    """The source and the destination of a datagram."""

    source: DatagramSocket
    sender: Address
    to: Address


def _arrive(link: Link, payload: bytes, route: _Route, message: LinkMessage | None) -> None:
    if link.holds and not link.down:
        held = InFlight(
            *link.name,
            payload=payload,
            is_whole=True,
            arrive=lambda: _deliver(link, payload, route, message),
        )
        link.holds[0].keep(held)
    else:
        _deliver(link, payload, route, message)


def _deliver(link: Link, payload: bytes, route: _Route, message: LinkMessage | None) -> None:
    machine = link.receiver
    network, kernel = machine.world.network, machine.world.kernel
    ip = machine.ip if route.to[0] == BROADCAST else route.to[0]
    found = machine.ports.receiver_at(ip, route.to[1], route.sender)
    receiver = found if isinstance(found, DatagramSocket) else None
    lost = bool(link.down) or receiver is None or receiver.is_full
    if link.down:
        link.count_cut()
    elif receiver is None:
        _refuse(link, route)
    if lost or receiver is None:
        link.dropped += 1
    else:
        link.delivered += 1
        kernel.fingerprint = hash((kernel.fingerprint, kernel.now_ns, link.number, len(payload)))
        receiver.put(payload, route.sender)
    if message is not None:
        _report(network, message._replace(received_ns=None if lost else kernel.now_ns))


def _observed(link: Link, number: int | None, payload: bytes) -> LinkMessage | None:
    """The message that observers are told of; None if nobody observes."""
    network = link.sender.world.network
    if network.on_unnumbered is None and (number is None or network.on_message is None):
        return None
    if number is None and link.is_loopback:
        return None
    now_ns = network.kernel.now_ns
    return LinkMessage(UNNUMBERED if number is None else number, *link.name, payload, now_ns, None)


def _report(network: Network, message: LinkMessage) -> None:
    listener = network.on_message if message.number != UNNUMBERED else network.on_unnumbered
    if listener is not None:
        listener(message)


def _refuse(link: Link, route: _Route) -> None:
    """Send an ICMP message back, if the sender is one that would hear of it."""
    if route.source.remote != route.to:
        return
    network, kernel = link.receiver.world.network, link.receiver.world.kernel
    back = network.link_between(link.receiver, link.sender)
    if back.down:
        back.count_cut()
    else:
        kernel.call_at(kernel.now_ns + back.draw_ns(), route.source.refused, route.to)
