"""Sockets of the standard library: what asyncio works with, and how programs get a listener ready for Trio.

    sock = socket.socket()
    sock.bind(("0.0.0.0", 8000))
    sock.listen()
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))

In a simulated process such a socket stands for one of the simulated network. What returns at once works, and
so does everything on a socket that is not to block. What would block is refused, for it would stop every
program of the world.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakKeyDictionary

from ostrakon.harness.sim.kernel.errors import NotSimulated
from ostrakon.harness.sim.network.endpoint import Endpoint

if TYPE_CHECKING:
    from ostrakon.harness.sim.network.host import Owner

_INSTEAD = "use trio.socket, loop.sock_recv() and its like, or streams"
_endpoints: WeakKeyDictionary[socket.socket, Endpoint] = WeakKeyDictionary()


class PlainSocket(socket.socket):
    """What `socket.socket()` makes in a simulated process: the file descriptor behind it was never opened."""

    __slots__ = ()

    @property
    def family(self) -> Any:
        """AF_INET or AF_UNIX."""
        return _endpoints[self].family

    @property
    def type(self) -> Any:
        """A stream, or datagrams."""
        return _endpoints[self].type

    @property
    def proto(self) -> int:
        """TCP or UDP; 0 for UNIX sockets."""
        return _endpoints[self].proto

    @property
    def timeout(self) -> Any:
        """The timeout that was set; None at first, as for a socket that blocks."""
        return _endpoints[self].timeout_s

    def gettimeout(self) -> float | None:
        """The timeout that was set."""
        return _endpoints[self].timeout_s

    def getblocking(self) -> bool:
        """Whether calls that cannot be done at once are to wait; here they are refused then."""
        return _endpoints[self].timeout_s != 0

    def setblocking(self, flag: bool) -> None:
        """Say whether calls may wait. What Trio has been handed never blocks, whatever is said here."""
        _endpoints[self].timeout_s = None if flag else 0

    def settimeout(self, value: float | None) -> None:
        """Say how long calls may wait."""
        _endpoints[self].timeout_s = None if value is None else float(value)

    def set_inheritable(self, inheritable: bool) -> None:
        """There is nobody to inherit it."""

    def fileno(self) -> int:
        """A number that stands for no real file; -1 once closed."""
        return _endpoints[self].fileno()

    def getsockname(self) -> Any:
        """The local address."""
        return _endpoints[self].getsockname()

    def getpeername(self) -> Any:
        """The remote address. Raises: OSError with ENOTCONN."""
        return _endpoints[self].getpeername()

    def getsockopt(self, level: int, optname: int, buflen: int = 0) -> Any:
        """What was set, or 0."""
        return _endpoints[self].getsockopt(level, optname, buflen)

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        """Remembered, without effect. Raises: OSError with EBADF."""
        _endpoints[self].setsockopt(level, optname, value, optlen)

    def bind(self, address: Any) -> None:
        """Take a local address. Raises: OSError with EADDRINUSE, EADDRNOTAVAIL or EINVAL."""
        _endpoints[self].take(address)

    def listen(self, backlog: int = 128) -> None:
        """Accept connections from now on. Raises: OSError with EADDRINUSE or EOPNOTSUPP."""
        _endpoints[self].listen(backlog)

    def shutdown(self, how: int) -> None:
        """End the sending side, the receiving side, or both. Raises: OSError with ENOTCONN."""
        _endpoints[self].shutdown(how)

    def close(self) -> None:
        """Close it; if Trio has it, for Trio as well."""
        _endpoints[self].close()

    def accept(self) -> tuple[PlainSocket, Any]:
        """The next connection. Raises: BlockingIOError; OSError; NotSimulated if it would block."""
        endpoint, address = self._now("accept", _endpoints[self].accept_now)
        return plain_view(endpoint), address

    def connect(self, address: Any) -> None:
        """Open a connection. Raises: BlockingIOError; OSError; NotSimulated if it would block."""
        self._now("connect", _endpoints[self].connect_now, address)

    def connect_ex(self, address: Any) -> int:
        """As `connect`, but returns the number of the error. Raises: NotSimulated if it would block."""
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or 0
        return 0

    def send(self, data: Any, flags: int = 0) -> int:
        """Send some of the bytes. Raises: BlockingIOError; OSError; NotSimulated if it would block."""
        sent: int = self._now("send", _endpoints[self].send_now, data, flags)
        return sent

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of the bytes. Raises: BlockingIOError; OSError; NotSimulated if it would block."""
        view = memoryview(data).cast("B")
        while len(view):
            view = view[self.send(view, flags) :]

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> int:
        """Send the bytes of all buffers together, without ancillary data.

        Raises: BlockingIOError; OSError; NotSimulated if it would block.
        """
        if ancdata:
            raise NotSimulated(f"ancillary data are not simulated (sent by {_endpoints[self].process.name})")
        data = b"".join(buffers)
        return self.send(data, flags) if address is None else self.sendto(data, flags, address)

    def sendto(self, *args: Any) -> int:
        """Send a datagram. Raises: BlockingIOError; OSError; NotSimulated if it would block."""
        sent: int = self._now("sendto", _endpoints[self].sendto_now, *args)
        return sent

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive some bytes. Raises: BlockingIOError; OSError; NotSimulated if it would block."""
        received: bytes = self._now("recv", _endpoints[self].recv_now, bufsize, flags)
        return received

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As `recv`, into a buffer."""
        return self.recvfrom_into(buffer, nbytes, flags)[0]

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """Receive a datagram. Raises: BlockingIOError; OSError; NotSimulated if it would block."""
        received: tuple[bytes, Any] = self._now("recvfrom", _endpoints[self].recvfrom_now, bufsize, flags)
        return received

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """As `recvfrom`, into a buffer."""
        view = memoryview(buffer).cast("B")
        data, sender = self.recvfrom(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data), sender

    def _now(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except BlockingIOError:
            if self.timeout == 0:
                raise
        endpoint = _endpoints[self]
        if name == "connect":
            endpoint.close()
        raise NotSimulated(f"socket.{name}() would block (called by {endpoint.process.name}): {_INSTEAD}")


def make_ready(
    process: Owner,
    sock: socket.socket,
    family: int = -1,
    type: int = -1,
    proto: int = -1,
    fileno: Any = None,
) -> None:
    """What `socket.socket.__init__` does in a simulated process.

    Raises: NotSimulated for a file descriptor from elsewhere and for subclasses; OSError as trio's sockets.
    """
    if fileno is not None or sock.__class__ is not socket.socket:
        name = f"{sock.__class__.__module__}.{sock.__class__.__qualname__}"
        raise NotSimulated(f"a real socket ({name}) is not simulated (made by {process.name}): {_INSTEAD}")
    family, type, proto = (
        default if given == -1 else given
        for given, default in ((family, socket.AF_INET), (type, socket.SOCK_STREAM), (proto, 0))
    )
    endpoint = process.machine.socket_factory.socket(family, type, proto)
    sock.__class__ = PlainSocket
    _stand_for(endpoint, sock)


def endpoint_of(sock: Any) -> Endpoint:
    """The simulated socket that one of the standard library stands for. Raises: KeyError."""
    return _endpoints[sock]


def plain_view(endpoint: Endpoint) -> PlainSocket:
    """A socket of the standard library for a simulated one."""
    sock = PlainSocket.__new__(PlainSocket)
    _stand_for(endpoint, sock)
    return sock


def handed_to_trio(process: Owner, sock: socket.socket) -> Endpoint:
    """What `trio.socket.from_stdlib_socket` gives in a simulated process. Raises: NotSimulated."""
    endpoint = _endpoints.get(sock)
    if endpoint is None:
        raise NotSimulated(f"{sock} is a real socket (used by {process.name}): {_INSTEAD}")
    return endpoint


def _stand_for(endpoint: Endpoint, sock: Any) -> None:
    sock._closed, sock._io_refs = False, 0  # What the constructor of the real one sets.
    _endpoints[sock] = endpoint


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(self: PlainSocket, *args: Any, **kwargs: Any) -> NoReturn:
        process = _endpoints[self].process.name
        raise NotSimulated(f"socket.{name}() is not simulated (called by {process}): {_INSTEAD}")

    return refuse


for _name in ("detach", "dup", "makefile", "recvmsg", "recvmsg_into", "sendfile"):
    setattr(PlainSocket, _name, _refusal(_name))
