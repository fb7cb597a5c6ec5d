"""The local addresses of one machine: which socket has which, and which may be taken, by Linux's rules.

Two sockets may share a port if their addresses differ, if both say SO_REUSEPORT, or if both say SO_REUSEADDR
and neither listens. A connection that this end has closed first keeps its port in TIME_WAIT for a minute:
binding it needs SO_REUSEADDR on the new socket and on the one before.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING
from zlib import crc32

from ostrakon.harness.sim.network.resolver import ANY

if TYPE_CHECKING:
    from ostrakon.harness.sim.kernel.kernel import Kernel
    from ostrakon.harness.sim.network.endpoint import Address, Endpoint

TIME_WAIT_NS = 60 * 10**9
_FIRST, _LAST = 32768, 60999
"""The ports that sockets get which do not ask for one, as `ip_local_port_range` has them."""


class Ports:
    """The local addresses of one machine and the sockets bound to them."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._bound: dict[tuple[int, int | str], list[Endpoint]] = {}
        """The sockets by kind (stream or datagram) and port."""
        self._time_wait: dict[int | str, tuple[int, bool]] = {}
        """Until when a port is in TIME_WAIT, and whether SO_REUSEADDR was set there."""
        self._next = _FIRST
        self.paths: dict[str, str] = {}
        """The paths of UNIX sockets, by the names that the network has for them."""

    def claim(self, sock: Endpoint, address: Address) -> None:
        """Give a socket this address. Raises: OSError with EADDRINUSE."""
        ip, port = address
        until_ns, is_reusable = self._time_wait.get(port, (0, False))
        is_waiting = sock.type == socket.SOCK_STREAM and self._kernel.now_ns < until_ns
        if is_waiting and not (is_reusable and sock.has_set(socket.SO_REUSEADDR)):
            raise OSError(errno.EADDRINUSE, "Address already in use")
        sharing = self._bound.setdefault((sock.type, port), [])
        if any(_overlap(ip, other.local[0]) and not _may_share(sock, other) for other in sharing):
            raise OSError(errno.EADDRINUSE, "Address already in use")
        sharing.append(sock)

    def release(self, sock: Endpoint) -> None:
        """Release the address of a socket that was closed or has given it up."""
        key = sock.type, sock.local[1]
        sharing = self._bound.get(key)
        if sharing is not None and sock in sharing:
            sharing.remove(sock)
            if not sharing:
                del self._bound[key]

    def linger(self, sock: Endpoint) -> None:
        """A connection was closed at this end first: its port is in TIME_WAIT."""
        until_ns = self._kernel.now_ns + TIME_WAIT_NS
        self._time_wait[sock.local[1]] = until_ns, sock.has_set(socket.SO_REUSEADDR)

    def listeners(self, ip: str, port: int | str) -> list[Endpoint]:
        """The sockets that listen here for connections to this address."""
        bound = [sock for sock in self._bound.get((socket.SOCK_STREAM, port), ()) if sock.is_listening]
        return [sock for sock in bound if sock.local[0] == ip] or [
            sock for sock in bound if sock.local[0] == ANY
        ]

    def listener_at(self, ip: str, port: int | str, client: Address) -> Endpoint | None:
        """The listener that gets a connection from this client."""
        found = self.listeners(ip, port)
        return found[crc32(repr(client).encode()) % len(found)] if found else None

    def receiver_at(self, ip: str, port: int | str, sender: Address) -> Endpoint | None:
        """The socket that gets a datagram from this sender: a connected one gets its peer's alone."""
        bound = self._bound.get((socket.SOCK_DGRAM, port), ())
        fitting = [sock for sock in bound if sock.local[0] in (ip, ANY) and sock.remote in (None, sender)]
        return max(fitting, key=lambda sock: (sock.remote is not None, sock.local[0] == ip), default=None)

    def free(self, kind: int) -> int:
        """A free port of this machine."""
        while True:
            port = self._next
            self._next = port + 1 if port < _LAST else _FIRST
            if (kind, port) not in self._bound:
                return port

    def clear(self) -> None:
        """Forget all addresses, because the machine lost power."""
        self._bound.clear()
        self._time_wait.clear()


def _overlap(one: str, other: str) -> bool:
    return one == other or ANY in (one, other)


def _may_share(new: Endpoint, old: Endpoint) -> bool:
    if new.has_set(socket.SO_REUSEPORT) and old.has_set(socket.SO_REUSEPORT):
        return True
    return new.has_set(socket.SO_REUSEADDR) and old.has_set(socket.SO_REUSEADDR) and not old.is_listening
