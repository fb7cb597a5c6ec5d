"""A TCP socket of the simulated network, behind Trio's own socket API.

Programs meet it as `trio.socket.socket()` and inside `SocketStream` and `SocketListener`. It does what Linux
does: an orderly close sends FIN, a close with unread data resets, and data for a closed socket is answered by
a reset.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import trio
from trio.lowlevel import (
    Abort,
    Task,
    cancel_shielded_checkpoint,
    checkpoint,
    checkpoint_if_cancelled,
    current_task,
)

from harness.sim._trio import Trap, is_cancelled, park
from harness.sim.errors import NotSimulated
from harness.sim.pipe import WINDOW, Mark, Pipe, Segment
from harness.sim.resolver import ANY, LOOPBACK, address_info

if TYPE_CHECKING:
    from harness.sim.machine import Machine
    from harness.sim.process import Process

_SYN_RETRY_NS = 1_000_000_000
_SYN_RETRIES = 6
_UNREACHABLE_NS = 3_000_000_000

Address = tuple[str, int]
_ErrorType = type[BaseException] | None


class SocketFactory(trio.abc.SocketFactory):
    """Makes the sockets of one machine's processes."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def socket(
        self, family: int = socket.AF_INET, type: int = socket.SOCK_STREAM, proto: int = 0
    ) -> SimSocket:
        """A new socket for the process that asks.

        Raises: OSError with EAFNOSUPPORT or EPROTONOSUPPORT for what is not simulated.
        """
        if family != socket.AF_INET:
            _fail(errno.EAFNOSUPPORT)
        if type != socket.SOCK_STREAM:
            _fail(errno.EPROTONOSUPPORT)
        process: Process = self._machine.world.kernel.current
        return SimSocket(process)


class SimSocket(trio.socket.SocketType):
    """One end of a connection, or a listener."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._machine = process.machine
        self._network = process.machine.world.network
        self._local: Address = (ANY, 0)
        self._remote: Address | None = None
        self._out: Pipe | None = None
        self._in: Pipe | None = None
        self._chunks: list[bytes] = []
        self._at_end = self._closed = self._shut = self._is_bound = False
        self._error: int | None = None
        self._backlog: deque[SimSocket] | None = None
        """Connections that wait to be accepted; None unless it listens."""
        self._backlog_limit = 0
        self._listener: SimSocket | None = None
        self._reader: Task | None = None
        self._writer: Task | None = None
        self._to_read, self._to_write = Trap(self._stop_reading), Trap(self._stop_writing)
        self._options: dict[tuple[int, int], Any] = {}
        self.broken = False
        """Whether the connection has ended without hope of sending anything again."""
        process.sockets[self] = None

    # What the program calls.

    @property
    def family(self) -> socket.AddressFamily:
        """Always IPv4."""
        return socket.AF_INET

    @property
    def type(self) -> socket.SocketKind:
        """Always a stream."""
        return socket.SOCK_STREAM

    @property
    def proto(self) -> int:
        """Always TCP."""
        return socket.IPPROTO_TCP

    @property
    def did_shutdown_SHUT_WR(self) -> bool:
        """Whether the sending side was shut down."""
        return self._shut

    def __repr__(self) -> str:
        return f"<SimSocket of {self._process.name}, {self._local} to {self._remote}>"

    def __enter__(self) -> SimSocket:
        return self

    def __exit__(self, kind: _ErrorType, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def fileno(self) -> int:
        """A number that stands for no real file; -1 once closed."""
        return -1 if self._closed else 1_000_000

    def getsockname(self) -> Address:
        """The local address."""
        return self._local

    def getpeername(self) -> Address:
        """The remote address."""
        if self._remote is None:
            _fail(errno.ENOTCONN)
        return self._remote

    def getsockopt(self, level: int, optname: int, buflen: int = 0) -> Any:
        """What was set; SO_ACCEPTCONN, SO_ERROR and SO_TYPE are answered truthfully."""
        if level == socket.SOL_SOCKET and optname == socket.SO_ACCEPTCONN:
            return int(self._backlog is not None)
        if level == socket.SOL_SOCKET and optname == socket.SO_ERROR:
            error, self._error = self._error, None
            return error or 0
        if level == socket.SOL_SOCKET and optname == socket.SO_TYPE:
            return int(socket.SOCK_STREAM)
        return self._options.get((level, optname), 0)

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        """Remembered, without effect."""
        self._require_open()
        self._options[level, optname] = value

    async def bind(self, address: Any) -> None:
        """Take a local address.

        Raises: OSError with EADDRINUSE, EADDRNOTAVAIL or EINVAL.
        """
        self._require_open()
        await checkpoint()
        if self._is_bound:
            _fail(errno.EINVAL)
        host, port = address[0] or ANY, int(address[1])
        ip = self._resolve(host)
        if ip not in (ANY, LOOPBACK, self._machine.ip):
            _fail(errno.EADDRNOTAVAIL)
        if port and self._machine.listener_at(ip, port) is not None:
            _fail(errno.EADDRINUSE)
        self._local, self._is_bound = (ip, port or self._machine.free_port()), True

    def listen(self, backlog: int = 128) -> None:
        """Accept connections from now on."""
        self._require_open()
        if not self._is_bound:
            self._local, self._is_bound = (ANY, self._machine.free_port()), True
        if self._machine.listener_at(*self._local) not in (None, self):
            _fail(errno.EADDRINUSE)
        self._backlog = deque() if self._backlog is None else self._backlog
        self._backlog_limit = max(1, backlog)
        self._machine.listeners[self._local] = self

    async def accept(self) -> tuple[SimSocket, Address]:
        """Wait for a connection."""
        self._require_open()
        if self._backlog is None:
            _fail(errno.EINVAL)
        await checkpoint_if_cancelled()
        if self._backlog:
            await self._yield()
        while not self._backlog:
            await self._wait_to_read()
        accepted = self._backlog.popleft()
        assert accepted._remote is not None
        return accepted, accepted._remote

    async def connect(self, address: Any) -> None:
        """Open a connection.

        Raises: OSError with ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH or EISCONN.
        """
        self._require_open()
        if self._remote is not None:
            _fail(errno.EISCONN)
        await checkpoint_if_cancelled()
        host, port = address[0] or LOOPBACK, int(address[1])
        ip = self._resolve(host)
        if not self._is_bound or self._local[0] == ANY:
            own = LOOPBACK if ip == LOOPBACK else self._machine.ip
            self._local, self._is_bound = (own, self._local[1] or self._machine.free_port()), True
        Handshake(self, ip, port).send_request()
        try:
            await self._wait_to_write()
        except BaseException:
            self.close()
            raise
        if self._error is not None:
            error, self._error = self._error, None
            _fail(error)

    async def send(self, data: Any, flags: int = 0) -> int:
        """Send at least one of the bytes; waits while the window is full.

        Raises: OSError with EPIPE, ECONNRESET, ETIMEDOUT or EBADF.
        """
        task = current_task()
        if is_cancelled(task):
            await checkpoint_if_cancelled()
        pipe, waited = self._out, False
        while True:
            if pipe is None or self._closed or self._shut or self._error is not None or self.broken:
                self._fail_to_send()
            room = WINDOW - pipe.unread
            if room > 0:
                break
            waited = True
            await self._wait_to_write()
        sent = bytes(data) if len(data) <= room else bytes(data[:room])
        pipe.send(sent)
        if not waited and not self._process.is_alone:
            await cancel_shielded_checkpoint()
        return len(sent)

    async def recv(self, buflen: int, flags: int = 0) -> bytes:
        """Receive up to `buflen` bytes; none at the end of the stream.

        Raises: OSError with ECONNRESET, ETIMEDOUT, ENOTCONN or EBADF.
        """
        if is_cancelled(current_task()):
            await checkpoint_if_cancelled()
        self._require_open()
        if self._chunks or self._at_end or self._error is not None:
            await self._yield()
        else:
            if self._in is None:
                _fail(errno.ENOTCONN)
            while not (self._chunks or self._at_end or self._error is not None):
                await self._wait_to_read()
        return self._take(buflen)

    async def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As `recv`, into a buffer."""
        view = memoryview(buffer).cast("B")
        data = await self.recv(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data)

    def shutdown(self, flag: int) -> None:
        """End the sending side, the receiving side, or both.

        Raises: OSError with ENOTCONN.
        """
        self._require_open()
        if self._out is None:
            _fail(errno.ENOTCONN)
        if flag in (socket.SHUT_WR, socket.SHUT_RDWR) and not self._shut:
            self._shut = True
            if not self.broken:
                self._out.mark(Mark.FIN)
        if flag in (socket.SHUT_RD, socket.SHUT_RDWR):
            self._at_end = True
            self._wake_reader()

    def close(self) -> None:
        """Close it. Whoever waits on it gets EBADF."""
        if self._closed:
            return
        self._closed = True
        self._process.sockets.pop(self, None)
        if self._backlog is not None:
            self._stop_listening(self._backlog)
        if self._out is not None and not self.broken and not self._machine.world.closing:
            if self._chunks:
                self._send_reset(self._out)
                self.broken = True
            elif not self._shut:
                self._out.mark(Mark.FIN)
        self._wake_reader()
        self._wake_writer()

    def detach(self) -> NoReturn:
        """There is no file descriptor to hand out."""
        raise NotSimulated("a simulated socket has no file descriptor to detach")

    def is_readable(self) -> bool:
        """Whether `recv` or `accept` would return at once."""
        return bool(self._chunks or self._at_end or self._error is not None or self._backlog)

    async def wait_writable(self) -> None:
        """Wait until `send` would not block."""
        self._require_open()
        await checkpoint()
        while self._out is not None and not self.broken and self._out.unread >= WINDOW:
            await self._wait_to_write()

    # What the network calls.

    @property
    def process(self) -> Process:
        """Whose socket it is."""
        return self._process

    @property
    def machine(self) -> Machine:
        """Where it is."""
        return self._machine

    @property
    def wants_room(self) -> bool:
        """Whether the program waits to send more."""
        return self._writer is not None

    def has_room(self) -> None:
        """The peer has read something."""
        self._wake_writer()

    def is_connected_to(self, machine: Machine) -> bool:
        """Whether it is an end of a connection with `machine`."""
        return self._out is not None and self._out.link.receiver is machine and not self.broken

    def join(self, peer: SimSocket, *, remote: Address, listener: SimSocket | None = None) -> None:
        """Become one end of a connection; with a listener, one that waits to be accepted there."""
        self._listener = listener
        link = self._network.link_between(self._machine, peer._machine)
        self._remote = remote
        self._out = Pipe(self._network, link, self, peer)
        peer._in = self._out

    def established(self) -> None:
        """The connection is there: let the program go on."""
        self._wake_writer()

    def arrive(self, segment: Segment) -> None:
        """A segment has come, in its turn."""
        if self._closed or self.broken:
            if isinstance(segment, bytes) and self._out is not None:
                self._send_reset(self._out)
        elif segment is Mark.OPEN:
            assert self._listener is not None
            if not self._listener.offer(self):
                self.abort()
        elif segment is Mark.FIN:
            self._at_end = True
            self._wake_reader()
        else:
            assert isinstance(segment, bytes)
            self._chunks.append(segment)
            if self._reader is not None:
                self._wake_reader()

    def abort(self) -> None:
        """Close it with a reset."""
        self._chunks.append(b"")  # Unread data, as far as `close` can tell.
        self.close()

    def offer(self, connection: SimSocket) -> bool:
        """A connection for this listener; False if its queue is full."""
        if self._closed or self._backlog is None or len(self._backlog) >= self._backlog_limit:
            return False
        self._backlog.append(connection)
        self._wake_reader()
        return True

    def reset(self) -> None:
        """Break the connection here, at once."""
        self.break_with(errno.ECONNRESET)

    def break_with(self, error: int) -> None:
        """The connection has failed; the program learns of it when it next looks."""
        if self.broken:
            return
        self.broken = True
        if not self._closed:
            self._error = error
            self._wake_reader()
            self._wake_writer()

    def vanish(self) -> None:
        """The machine lost its power: gone without a word."""
        self.broken = self._closed = True

    # Below.

    def _take(self, buflen: int) -> bytes:
        chunks = self._chunks
        if chunks:
            if len(chunks) == 1 and len(chunks[0]) <= buflen:
                data = chunks.pop()
            else:
                joined = b"".join(chunks)
                data, rest = joined[:buflen], joined[buflen:]
                self._chunks = [rest] if rest else []
            assert self._in is not None
            self._in.taken(len(data))
            return data
        if self._error is not None:
            error, self._error, self._at_end = self._error, None, True
            _fail(error)
        return b""

    def _fail_to_send(self) -> NoReturn:
        self._require_open()
        if self._error is not None:
            error, self._error = self._error, None
            self._at_end = True
            _fail(error)
        _fail(errno.EPIPE if self._out is not None else errno.ENOTCONN)

    def _require_open(self) -> None:
        if self._closed:
            _fail(errno.EBADF)

    def _require_not_closed_meanwhile(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("another task closed this socket")

    def _resolve(self, host: str) -> str:
        info = address_info(self._network, host, 0, 0, socket.SOCK_STREAM, 0, 0)
        address: str = info[0][4][0]
        return address

    def _stop_listening(self, backlog: deque[SimSocket]) -> None:
        if self._machine.listeners.get(self._local) is self:
            del self._machine.listeners[self._local]
        for waiting in backlog:
            waiting.abort()
        backlog.clear()

    def _send_reset(self, out: Pipe) -> None:
        """Tell the peer that the connection is gone; that may be lost on the way."""
        link, kernel = out.link, self._network.kernel
        if link.down:
            link.count_cut()
        else:
            kernel.call_at(kernel.now_ns + link.draw_ns(), self._reset_arrives, out)

    def _reset_arrives(self, out: Pipe) -> None:
        if out.link.down:
            out.link.count_cut()
        else:
            out.sink.reset()

    async def _yield(self) -> None:
        if not self._process.is_alone:
            await cancel_shielded_checkpoint()

    async def _wait_to_read(self) -> None:
        if self._reader is not None:
            raise trio.BusyResourceError("another task is already reading from this socket")
        self._reader = current_task()
        await park(self._to_read)
        self._require_not_closed_meanwhile()

    async def _wait_to_write(self) -> None:
        if self._writer is not None:
            raise trio.BusyResourceError("another task is already writing to this socket")
        self._writer = current_task()
        await park(self._to_write)
        self._require_not_closed_meanwhile()

    def _stop_reading(self, _: Callable[[], NoReturn]) -> Abort:
        self._reader = None
        return Abort.SUCCEEDED

    def _stop_writing(self, _: Callable[[], NoReturn]) -> Abort:
        self._writer = None
        return Abort.SUCCEEDED

    def _wake_reader(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            self._process.reschedule(reader)

    def _wake_writer(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            self._process.reschedule(writer)


class Handshake:
    """Opens one connection: request, answer, confirmation, any of which may be lost."""

    def __init__(self, client: SimSocket, ip: str, port: int) -> None:
        self._client, self._ip, self._port = client, ip, port
        self._network = client.machine.world.network
        self._kernel = self._network.kernel
        self._tries = 0
        self._answered = False

    def send_request(self) -> None:
        """Send SYN, and again if no answer comes."""
        client = self._client
        if self._answered or client.fileno() == -1 or client.broken:
            return
        server = client.machine if self._ip == LOOPBACK else self._network.machine_at(self._ip)
        if server is None:
            self._later(_UNREACHABLE_NS, client.break_with, errno.EHOSTUNREACH)
            return
        if self._tries > _SYN_RETRIES:
            client.break_with(errno.ETIMEDOUT)
            return
        self._later(_SYN_RETRY_NS << self._tries, self.send_request)
        self._tries += 1
        self._send(client.machine, server, self._request_arrives, server)

    def _request_arrives(self, server: Machine) -> None:
        client = self._client
        listener = server.listener_at(self._ip, self._port)
        if self._answered or client.fileno() == -1:
            return
        if listener is None:
            self._send(server, client.machine, self._refusal_arrives)
            return
        self._send(server, client.machine, self._answer_arrives, listener)

    def _refusal_arrives(self) -> None:
        if not self._answered:
            self._answered = True
            self._client.break_with(errno.ECONNREFUSED)

    def _answer_arrives(self, listener: SimSocket) -> None:
        client = self._client
        if self._answered or client.fileno() == -1 or client.broken:
            return
        self._answered = True
        peer = SimSocket(listener.process)
        peer._local, peer._is_bound = (self._ip, self._port), True
        client.join(peer, remote=(self._ip, self._port))
        peer.join(client, remote=client.getsockname(), listener=listener)
        assert client._out is not None
        client._out.mark(Mark.OPEN)
        client.established()

    def _send(self, sender: Machine, receiver: Machine, arrive: Callable[..., None], *args: Any) -> None:
        link = self._network.link_between(sender, receiver)
        if link.down:
            link.count_cut()
        else:
            self._later(link.draw_ns(), self._pass, link, arrive, args)

    def _pass(self, link: Any, arrive: Callable[..., None], args: tuple[Any, ...]) -> None:
        if link.down:
            link.count_cut()
        else:
            arrive(*args)

    def _later(self, delay_ns: int, call: Callable[..., object], *args: Any) -> None:
        self._kernel.call_at(self._kernel.now_ns + delay_ns, call, *args)


def _fail(error: int) -> NoReturn:
    raise OSError(error, os.strerror(error))
