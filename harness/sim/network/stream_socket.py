"""A TCP socket (or a UNIX one) of the simulated network.

Programs meet it as `trio.socket.socket()` and inside `SocketStream` and `SocketListener`. It does what Linux
does: an orderly close sends FIN, a close with unread data resets, and data for a closed socket is answered by
a reset.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn

from trio.lowlevel import current_task

from ostrakon.harness.sim.network.endpoint import (
    UNIX,
    Address,
    Endpoint,
    fail,
    fail_as_busy,
    refuse_ancillary_data,
)
from ostrakon.harness.sim.network.half_connection import RTO_NS, WINDOW, HalfConnection, Mark, Segment
from ostrakon.harness.sim.network.handshake import Handshake
from ostrakon.harness.sim.network.options import Values, resets_at_close
from ostrakon.harness.sim.network.resolver import ANY, LOOPBACK
from ostrakon.harness.sim.runtimes.trio.waiting import (
    Trap,
    checkpoint,
    checkpoint_if_cancelled,
    is_cancelled,
    let_others_run,
    park,
)

if TYPE_CHECKING:
    from ostrakon.harness.sim.network.host import Host, Owner


_REUSEPORT = socket.SO_REUSEPORT
_BACKLOG_MAX = 4096
"""`net.core.somaxconn`."""
_PEEK = int(socket.MSG_PEEK)
"""Flags of an enum cost more to look at than to receive some bytes."""


class StreamSocket(Endpoint):
    """One end of a connection, or a listener."""

    def __init__(self, process: Owner, family: int, proto: int = 0) -> None:
        super().__init__(process, family, proto)
        self.broken = False
        """Whether the connection has ended without hope of sending anything again."""
        self._out: HalfConnection | None = None
        self._in: HalfConnection | None = None
        self._chunks: list[bytes] = []
        self._reader_takes = 0
        """How many bytes the waiting reader takes at once; 0 if it wants only to be woken."""
        self._at_end = self._shut = self._is_ended = False
        """Whether there is no more to receive, to send; whether the peer has said so."""
        self._error: int | None = None
        self._backlog: deque[StreamSocket] | None = None
        """Connections that wait to be accepted; None unless it listens."""
        self._backlog_limit = 0
        self._listener: StreamSocket | None = None
        self._is_connecting = False
        """Whether `connect` was called and nobody has asked yet how it ended."""

    # What the program calls.

    @property
    def type(self) -> socket.SocketKind:
        """Always a stream."""
        return socket.SOCK_STREAM

    @property
    def did_shutdown_SHUT_WR(self) -> bool:
        """Whether the sending side was shut down."""
        return self._shut

    def getsockopt(self, level: int, optname: int, buflen: int = 0) -> Any:
        """What was set; SO_ACCEPTCONN and SO_ERROR are answered truthfully. Raises: OSError."""
        if (level, optname) == (socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return int(self._backlog is not None)
        if (level, optname) == (socket.SOL_SOCKET, socket.SO_ERROR):
            self._require_open()
            error, self._error = self._error, None
            return error or 0
        return super().getsockopt(level, optname, buflen)

    @property
    def is_listening(self) -> bool:
        """Whether it accepts connections."""
        return self._backlog is not None

    @property
    def is_full(self) -> bool:
        """Whether so many connections wait to be accepted that requests for more are dropped."""
        return self._backlog is not None and len(self._backlog) > self._backlog_limit

    def listen(self, backlog: int = 128) -> None:
        """Accept connections from now on. Raises: OSError with EADDRINUSE or EINVAL."""
        self._require_open()
        if self._out is not None or (self._family == socket.AF_UNIX and not self._is_bound):
            fail(errno.EINVAL)
        ports = self.machine.ports
        if not self._is_bound:
            self._claim((ANY, ports.free(self.type)))
        others = [sock for sock in ports.listeners(*self._local) if sock is not self]
        if any(not (self.has_set(_REUSEPORT) and sock.has_set(_REUSEPORT)) for sock in others):
            fail(errno.EADDRINUSE)
        self._backlog = deque() if self._backlog is None else self._backlog
        self._backlog_limit = min(max(0, backlog), _BACKLOG_MAX)

    async def accept(self) -> tuple[StreamSocket, Any]:
        """Wait for a connection. Raises: OSError with EINVAL."""
        self._require_open()
        if self._backlog is None:
            fail(errno.EINVAL)
        await checkpoint_if_cancelled()
        if self._backlog:
            await self._yield()
        while not self._backlog:
            await self._wait_to_read()
            if self._backlog is None:
                fail(errno.EINVAL)  # Somebody has shut it down.
        return self._next_connection()

    async def connect(self, address: Any) -> None:
        """Open a connection; if that is cancelled, the socket is closed.

        Raises: OSError with ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, EISCONN, ...
        """
        try:
            await checkpoint_if_cancelled()
            if self._has_ended_connecting():
                return
            self._begin_to_connect(address)
            await self._wait_to_write()
        except OSError:
            raise
        except BaseException:
            self.close()
            raise
        if self._error is not None:
            error, self._error = self._error, None
            raise OSError(error, f"Error connecting to {address!r}: {os.strerror(error)}")

    def accept_now(self) -> tuple[StreamSocket, Any]:
        """As `accept`. Raises: BlockingIOError if it had to wait; OSError with EINVAL."""
        self._require_open()
        if self._backlog is None:
            fail(errno.EINVAL)
        if not self._backlog:
            fail(errno.EAGAIN)
        return self._next_connection()

    def connect_now(self, address: Any) -> None:
        """As `connect`; how it ends is told by SO_ERROR when it is writable.

        Raises: BlockingIOError; OSError with EISCONN, EALREADY, ECONNABORTED, ...
        """
        if not self._has_ended_connecting():
            self._begin_to_connect(address)
            fail(errno.EINPROGRESS)

    def _next_connection(self) -> tuple[StreamSocket, Any]:
        assert self._backlog
        accepted = self._backlog.popleft()
        assert accepted._remote is not None
        return accepted, accepted._shown(accepted._remote)

    def _has_ended_connecting(self) -> bool:
        """Whether an earlier `connect` has succeeded and this one only hears of it. Raises: OSError."""
        self._require_open()
        if not self._is_connecting:
            if self._remote is not None or (self._backlog is not None and self._family == socket.AF_INET):
                fail(errno.EISCONN)
            return False
        if self._remote is None and not self.broken:
            fail(errno.EALREADY)
        # Linux goes back to the beginning when it has told how the first attempt ended.
        self._is_connecting = False
        if self._remote is not None:
            return True
        error, self._error, self.broken = self._error, None, False
        self.machine.ports.release(self)
        self._local, self._is_bound = (ANY, 0), False
        return fail(errno.ECONNABORTED if error is None else error)

    def _begin_to_connect(self, address: Any) -> None:
        remote = self._resolve(address, LOOPBACK)
        self._bind_towards(remote[0])
        if remote[0] == UNIX and not self.machine.ports.listeners(*remote):
            fail(errno.ECONNREFUSED)
        self._is_connecting = self._family != socket.AF_UNIX
        Handshake(self, remote).send_request()

    def send_now(self, data: Any, flags: int = 0) -> int:
        """As `send`. Raises: BlockingIOError if the window is full; OSError as `send` does."""
        pipe = self._out
        if pipe is None or self.closed or self._shut or self._error is not None or self.broken:
            self._fail_to_send()
        room = WINDOW - pipe.unread
        if room <= 0:
            fail(errno.EAGAIN)
        sent = bytes(data) if len(data) <= room else bytes(data[:room])
        if sent:
            pipe.send(sent)
        return len(sent)

    def sendto_now(self, *args: Any) -> int:
        """As `send_now`: the address is that of the peer in any case."""
        return self.send_now(args[0])

    def recv_now(self, bufsize: int, flags: int = 0) -> bytes:
        """As `recv`. Raises: BlockingIOError if there is nothing yet; OSError as `recv` does."""
        if not self._chunks and not self._at_end and self._error is None:
            self._require_open()
            fail(errno.EAGAIN if self._in is not None else errno.ENOTCONN)
        self._require_open()
        return self._take(bufsize, peek=bool(flags and flags & _PEEK))

    def recvfrom_now(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """As `recv_now`, with no address: a stream has one peer."""
        return self.recv_now(bufsize, flags), None

    async def send(self, data: Any, flags: int = 0) -> int:
        """Send at least one of the bytes; waits while the window is full.

        Raises: OSError with EPIPE, ECONNRESET, ETIMEDOUT, ENOTCONN or EBADF.
        """
        if is_cancelled():
            await checkpoint_if_cancelled()
        pipe, waited = self._out, False
        while True:
            if pipe is None or self.closed or self._shut or self._error is not None or self.broken:
                self._fail_to_send()
            room = WINDOW - pipe.unread
            if room > 0:
                break
            waited = True
            self._watch_shut_window(pipe)
            await self._wait_to_write()
        try:
            sent = bytes(data) if len(data) <= room else bytes(data[:room])
        except TypeError:
            raise TypeError(f"a bytes-like object is required, not {type(data).__name__!r}") from None
        if sent:
            pipe.send(sent)
        if not waited and not self.process.is_alone:
            await let_others_run()
        return len(sent)

    async def recv(self, buflen: int, flags: int = 0) -> bytes:
        """Receive up to `buflen` bytes; none at the end of the stream.

        Raises: OSError with ECONNRESET, ETIMEDOUT, ENOTCONN or EBADF.
        """
        self._require_open()
        if buflen <= 0 and self._is_no_receipt(buflen):
            await checkpoint()
            return b""
        if self._chunks or self._at_end or self._error is not None:
            await checkpoint_if_cancelled()
            await self._yield()
            return self._take(buflen, peek=bool(flags & socket.MSG_PEEK))
        if self._in is None:
            if self.broken:
                return b""  # A connection that was refused has ended.
            fail(errno.ENOTCONN)
        if self._reader is not None:
            fail_as_busy()
        self._reader, self._reader_takes = current_task(), 0 if flags else buflen
        data: bytes | None = await park(self._to_read or self._read_trap())  # Raises at once if cancelled.
        if data is None and flags:
            self._require_not_closed_meanwhile()
            return self._take(buflen, peek=bool(flags & socket.MSG_PEEK))
        return self.received(data, buflen)

    def begin_to_receive(self, most: int) -> Trap | None:
        """What to wait in for up to `most` bytes, at least one; None if `recv` would not wait for any.

        Whoever waits hands what it is woken with to `received`.
        """
        if (
            self._chunks
            or self._at_end
            or self._error is not None
            or self._in is None
            or self._reader is not None
            or self.closed
        ):
            return None
        self._reader, self._reader_takes = current_task(), most
        return self._to_read or self._read_trap()

    def received(self, data: bytes | None, most: int) -> bytes:
        """What has come for the one who waited. Raises: OSError; trio.ClosedResourceError."""
        if data is None:
            self._require_not_closed_meanwhile()
            return self._take(most, peek=False)
        if self._in is not None:
            self._in.taken(len(data))
        return data

    def set_stream_options(self, values: Values) -> None:
        """Set some options at once, those of every stream of Trio."""
        if self._family == socket.AF_INET:
            self.option_values = {**self.option_values, **values}

    async def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As `recv`, into a buffer."""
        view = memoryview(buffer).cast("B")
        data = await self.recv(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data)

    def _is_no_receipt(self, buflen: int) -> bool:
        """Whether nothing is to be received. Raises: ValueError; OSError with ENOTCONN."""
        if buflen < 0:
            raise ValueError("negative buffersize in recv")
        if self._in is None:
            fail(errno.ENOTCONN)
        return True

    async def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """As `recv`, with no address: a stream has one peer."""
        return await self.recv(bufsize, flags), None

    async def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """As `recv_into`, with no address."""
        return await self.recv_into(buffer, nbytes, flags), None

    async def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0
    ) -> tuple[bytes, list[Any], int, Any]:
        """As `recv`, without ancillary data."""
        return await self.recv(bufsize, flags), [], 0, None

    async def sendto(self, *args: Any) -> int:
        """As `send`: the address is that of the peer in any case."""
        return await self.send(args[0])

    async def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> int:
        """Send the bytes of all buffers together. Raises: NotSimulated for ancillary data; OSError."""
        refuse_ancillary_data(self.process, ancdata)
        return await self.send(b"".join(buffers), flags)

    def getpeername(self) -> Any:
        """The remote address. Raises: OSError with ENOTCONN or EBADF."""
        self._require_open()
        if self.broken:
            fail(errno.ENOTCONN)
        return super().getpeername()

    def shutdown(self, flag: int) -> None:
        """End the sending side, the receiving side, or both. Raises: OSError with ENOTCONN."""
        self._require_open()
        if self._backlog is not None:
            if flag != socket.SHUT_WR:
                backlog, self._backlog = self._backlog, None
                self._stop_listening(backlog)
                self._wake_reader()
            return
        if self._out is None or self.broken or (self._shut and self._is_ended):
            fail(errno.ENOTCONN)
        if flag in (socket.SHUT_WR, socket.SHUT_RDWR) and not self._shut:
            self._shut = True
            if not self.broken:
                self._out.mark(Mark.FIN)
        if flag in (socket.SHUT_RD, socket.SHUT_RDWR):
            self._at_end = True
            self._wake_reader()

    def close(self) -> None:
        """Close it; whoever waits on it gets `trio.ClosedResourceError`."""
        if self.closed:
            return
        self.closed = True
        self.process.sockets.pop(self, None)
        if self._backlog is not None:
            self._stop_listening(self._backlog)
        if self._out is not None and not self.broken and not self.machine.world.closing:
            if self._chunks or resets_at_close(self.option_values):
                self._send_reset(self._out)
                self.broken = True
            else:
                if self._listener is not None and not self._at_end:
                    self.machine.ports.linger(self)
                if not self._shut:
                    self._out.mark(Mark.FIN)
        self.machine.ports.release(self)
        self._wake_reader()
        self._wake_writer()
        if self.machine.world.closing:
            # Nothing comes or goes any more. Taken apart, it need not wait for the garbage collector.
            self._out = self._in = self._to_read = self._to_write = None

    def is_readable(self) -> bool:
        """Whether `recv` or `accept` would return at once."""
        return bool(self._chunks or self._at_end or self._error is not None or self._backlog)

    def is_writable(self) -> bool:
        """Whether `send` would return at once, or connecting has ended."""
        out = self._out
        if out is None or self.broken or self._error is not None:
            return self.broken or self._error is not None
        return out.unread < WINDOW

    def poll_read(self, waiter: Any) -> bool:
        """Whether there may be something to read; if not, wake `waiter` as soon as there may be."""
        if self._chunks or self._at_end or self._error is not None or self._backlog:
            return not self.closed
        if not self.closed:
            self._reader, self._reader_takes = waiter, 0
        return False

    def send_whole(self, data: bytes) -> bool:
        """Send all of the bytes, or none if that is not possible at once. Nothing is raised here."""
        pipe = self._out
        if pipe is None or self.closed or self._shut or self._error is not None or self.broken:
            return False
        if pipe.unread + len(data) > WINDOW:
            return False
        pipe.send(data)
        return True

    def take_whole(self, most: int) -> bytes:
        """All that has come, if there is something, up to `most` bytes; else nothing, whatever the reason."""
        chunks = self._chunks
        if not chunks:
            return b""
        if len(chunks) > 1 or len(chunks[0]) > most:
            return self._take(most, peek=False)
        data, half = chunks.pop(), self._in
        assert half is not None
        half.unread -= len(data)
        if half.source._writer is not None:
            half.taken(0)  # Its program waits for room.
        return data

    async def wait_writable(self) -> None:
        """Wait until `send` would not block."""
        self._require_open()
        await checkpoint()
        while self._out is not None and not self.broken and self._out.unread >= WINDOW:
            await self._wait_to_write()

    # What the network calls.

    @property
    def wants_room(self) -> bool:
        """Whether the program waits to send more."""
        return self._writer is not None

    @property
    def out(self) -> HalfConnection:
        """The direction in which it sends, once it is connected."""
        assert self._out is not None
        return self._out

    def has_room(self) -> None:
        """The peer has read something."""
        self._wake_writer()

    @property
    def waits_for(self) -> tuple[object, str] | None:
        """Who waits here for an answer, and the machine that is to give it.

        Who has accepted a connection waits for questions, and so for nobody in particular.
        """
        if self._reader is None or self._in is None or self._listener is not None:
            return None
        return self._reader, self._in.link.sender.name

    def is_connected_to(self, machine: Host) -> bool:
        """Whether it is an end of a connection with `machine`."""
        return self._out is not None and self._out.link.receiver is machine and not self.broken

    def sibling(self, local: Address) -> StreamSocket:
        """A socket of the same process, with this address: the server's end of a new connection."""
        other = StreamSocket(self.process, self._family, self._proto)
        other._local, other._is_bound = local, True
        other.option_values = self.option_values
        return other

    def join(self, peer: StreamSocket, *, remote: Address, listener: StreamSocket | None = None) -> None:
        """Become one end of a connection; with a listener, one that waits to be accepted there."""
        self._listener = listener
        link = self._network.link_between(self.machine, peer.machine)
        self._remote = remote
        self._out = HalfConnection(self._network, link, self, peer)
        peer._in = self._out

    def established(self) -> None:
        """The connection is there: let the program go on."""
        self._wake_writer()

    def arrive(self, segment: Segment) -> None:
        """A segment has come, in its turn."""
        if self.closed or self.broken:
            if isinstance(segment, bytes) and self._out is not None:
                self._send_reset(self._out)
        elif type(segment) is bytes:
            reader = self._reader
            if reader is not None and len(segment) <= self._reader_takes:
                # The reader had nothing to read, or it would not wait: hand it over.
                self._reader = None
                self.process.reschedule(reader, segment)
            else:
                self._chunks.append(segment)
                if reader is not None:
                    self._reader = None
                    self.process.reschedule(reader)
        elif segment is Mark.FIN:
            self._at_end = self._is_ended = True
            self._wake_reader()
        else:
            assert self._listener is not None
            if not self._listener.offer(self):
                self.abort()

    def offer(self, connection: StreamSocket) -> bool:
        """A connection for this listener; False if its queue is full or it is gone."""
        if self.closed or self._backlog is None:
            return False
        self._backlog.append(connection)
        self._wake_reader()
        return True

    def abort(self) -> None:
        """Close it with a reset."""
        self._chunks.append(b"")  # Unread data, as far as `close` can tell.
        self.close()

    def reset(self) -> None:
        """Break the connection here, at once."""
        # After the peer's FIN, Linux tells of it only to those who still send.
        self.break_with(errno.EPIPE if self._at_end and self._remote is not None else errno.ECONNRESET)

    def break_with(self, error: int) -> None:
        """The connection has failed; the program learns of it when it next looks."""
        if self.broken:
            return
        self.broken = True
        if not self.closed:
            self._error = error
            self._wake_reader()
            self._wake_writer()

    def vanish(self) -> None:
        """The machine lost its power: gone without a word."""
        self.broken = self.closed = True

    # Below.

    def _take(self, buflen: int, *, peek: bool) -> bytes:
        chunks = self._chunks
        if chunks:
            if peek:
                return b"".join(chunks)[:buflen]
            if len(chunks) == 1 and len(chunks[0]) <= buflen:
                data = chunks.pop()
            else:
                joined = b"".join(chunks)
                data, rest = joined[:buflen], joined[buflen:]
                self._chunks = [rest] if rest else []
            assert self._in is not None
            self._in.taken(len(data))
            return data
        if self._error is not None and self._error != errno.EPIPE:
            error, self._error, self._at_end = self._error, None, True
            fail(error)
        return b""

    def _watch_shut_window(self, pipe: HalfConnection) -> None:
        """Break the connection if the window stays shut for as long as TCP_USER_TIMEOUT says."""
        limit_ns = pipe.user_timeout_ns
        if limit_ns is None:
            return  # Linux probes a shut window for ever, as long as the peer's system answers.
        kernel = self._network.kernel
        read = pipe.read
        kernel.call_at(kernel.now_ns + limit_ns + RTO_NS, self._give_up_if_shut, pipe, read)

    def _give_up_if_shut(self, pipe: HalfConnection, read: int) -> None:
        if pipe.read == read and pipe.unread >= WINDOW and self._writer is not None:
            self.break_with(errno.ETIMEDOUT)

    def _fail_to_send(self) -> NoReturn:
        self._require_open()
        if self._error is not None:
            error, self._error, self._at_end = self._error, None, True
            fail(error)
        fail(errno.ENOTCONN if self._out is None and self._family == socket.AF_UNIX else errno.EPIPE)

    def _stop_listening(self, backlog: deque[StreamSocket]) -> None:
        for waiting in backlog:
            waiting.abort()
        backlog.clear()

    def _send_reset(self, out: HalfConnection) -> None:
        """Tell the peer that the connection is gone; that may be lost on the way."""
        link, kernel = out.link, self._network.kernel
        if link.down:
            link.count_cut()
        else:
            kernel.call_at(kernel.now_ns + link.draw_ns(), self._reset_arrives, out)

    def _reset_arrives(self, out: HalfConnection) -> None:
        if out.link.down:
            out.link.count_cut()
        else:
            out.sink.reset()
