"""Sockets of the standard library, with which programs get a listener ready before they hand it to Trio.

    sock = socket.socket()
    sock.bind(("0.0.0.0", 8000))
    sock.listen()
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))

In a simulated process such a socket stands for one of the simulated network. What returns at once works;
what could block is refused, for it would stop every program of the world.
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

_INSTEAD = "use trio.socket or trio's streams"
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
        """None, as if it could block."""
        return None

    def setblocking(self, flag: bool) -> None:
        """Trio's sockets never block, whatever is said here."""

    def settimeout(self, value: float | None) -> None:
        """The same."""

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


def plain_view(endpoint: Endpoint) -> PlainSocket:
    """A socket of the standard library for one that Trio has already, as anyio wants to see it."""
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


def _refuse(name: str) -> Callable[..., NoReturn]:
    def refuse(self: PlainSocket, *args: Any, **kwargs: Any) -> NoReturn:
        process = _endpoints[self].process.name
        raise NotSimulated(f"socket.{name}() could block (called by {process}): {_INSTEAD}")

    return refuse


for _name in (
    *("accept", "connect", "connect_ex", "detach", "dup", "makefile"),
    *("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into"),
    *("send", "sendall", "sendto", "sendmsg", "sendfile"),
):
    setattr(PlainSocket, _name, _refuse(_name))
