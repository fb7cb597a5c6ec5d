"""The sockets of a live node: they look like those of a machine of its own, and lead to the proxy.

Nodes know each other by name and listen on any port. Here a name stands for an address that does not exist. A
listener really uses a free port of the loopback interface, and a connection leads there through the proxy.
This uses Trio's public hooks only, so programs run unmodified.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from typing import Any

import trio

from ostrakon.harness.live.preamble import (
    LINE_MAX,
    LOOPBACK,
    OK,
    Connecting,
    Listening,
    encode_preamble,
    read_line,
)

_NETWORK = "10.77"
"""The network of the nodes' addresses. Nothing is ever sent to it."""
_ANNOUNCE_S = 5.0
Address = tuple[str, int]


def install(name: str, nodes: Sequence[str], proxy_port: int) -> None:
    """Make the current Trio run that of a machine called `name`, whose peers are `nodes`."""
    directory = Directory(name, nodes)
    trio.socket.set_custom_hostname_resolver(Resolver(directory))
    trio.socket.set_custom_socket_factory(SocketFactory(directory, proxy_port))


class Directory:
    """The addresses of names."""

    def __init__(self, me: str, nodes: Sequence[str]) -> None:
        self.me = me
        self._ips = {
            name: f"{_NETWORK}.{number >> 8}.{number & 255}" for number, name in enumerate(nodes, start=1)
        }
        self._ips.setdefault(me, f"{_NETWORK}.255.1")
        self._names = {ip: name for name, ip in self._ips.items()}

    def ip_of(self, name: str) -> str | None:
        """The address of a host name; None if no node has the name."""
        return self._ips.get(name)

    def name_at(self, ip: str) -> str | None:
        """The node with an address; None if no node has it. Loopback addresses belong to this node."""
        return self.me if ip.startswith("127.") else self._names.get(ip)


class Resolver(trio.abc.HostnameResolver):
    """Resolves the names of nodes, and numeric addresses."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """One address. Raises: socket.gaierror."""
        name = host.decode() if host is not None else None
        passive = "0.0.0.0" if flags & socket.AI_PASSIVE else LOOPBACK
        ip = passive if name is None else LOOPBACK if name == "localhost" else self._directory.ip_of(name)
        if ip is None:
            raise socket.gaierror(
                socket.EAI_NONAME, f"there is no node called {name!r} in this trial, and no other host"
            )
        return [(socket.AF_INET, type or socket.SOCK_STREAM, proto, "", (ip, int(port or 0)))]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """The name of a node, or the address itself."""
        ip, port = sockaddr[:2]
        return self._directory.name_at(ip) or ip, str(port)


class SocketFactory(trio.abc.SocketFactory):
    """Makes the sockets of one node."""

    def __init__(self, directory: Directory, proxy_port: int) -> None:
        self._directory, self._proxy = directory, (LOOPBACK, proxy_port)

    def socket(
        self, family: int = socket.AF_INET, type: int = socket.SOCK_STREAM, proto: int = 0
    ) -> trio.socket.SocketType:
        """A TCP socket over IPv4. Raises: OSError with EAFNOSUPPORT or EPROTONOSUPPORT for anything else."""
        if family != socket.AF_INET:
            raise OSError(errno.EAFNOSUPPORT, "between live nodes there is IPv4 only")
        if type & socket.SOCK_STREAM == 0:
            raise OSError(errno.EPROTONOSUPPORT, "between live nodes there is TCP only")
        return LiveSocket(trio.socket.from_stdlib_socket(socket.socket(family, type, proto)), self)

    async def reach(self, sock: trio.socket.SocketType, address: Address) -> None:
        """Connect a socket to what listens at a node's address. Raises: OSError."""
        receiver = self._directory.name_at(address[0])
        if receiver is None:
            raise OSError(errno.ENETUNREACH, f"{address[0]} is no node's address, and nodes reach no others")
        await sock.connect(self._proxy)
        # Without Nagle's algorithm, so that all data is sent to the peer immediately.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await sock.send(encode_preamble(Connecting(self._directory.me, receiver, address[1])))
        if await read_line(sock.recv) != OK:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    def announce(self, port: int, real_port: int) -> None:
        """Send the proxy the real port of this node and wait for its answer. Raises: OSError."""
        # This call blocks, like `listen`. A client must not call it: it shares its run with the proxy.
        with socket.create_connection(self._proxy, timeout=_ANNOUNCE_S) as line:
            line.sendall(encode_preamble(Listening(self._directory.me, port, real_port)))
            if line.recv(LINE_MAX) != OK:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    def own_address(self, port: int) -> Address:
        """The port of this node that other nodes know."""
        ip = self._directory.ip_of(self._directory.me)
        assert ip is not None
        return ip, port


class LiveSocket(trio.socket.SocketType):
    """A real socket that shows other addresses than its real ones."""

    def __init__(self, real: trio.socket.SocketType, factory: SocketFactory) -> None:
        self._real, self._factory = real, factory
        self._bound: Address | None = None
        self._peer: Address | None = None
        # All methods without addresses are those of the real socket.
        for name in ("send", "recv", "recv_into", "shutdown", "wait_writable", "is_readable", "fileno"):
            setattr(self, name, getattr(real, name))
        for name in ("getsockopt", "setsockopt", "detach", "get_inheritable", "set_inheritable"):
            setattr(self, name, getattr(real, name))
        # anyio finds the socket beneath there, to show it to programs as an attribute of streams.
        self._sock: socket.socket = getattr(real, "_sock")  # noqa: B009

    @property
    def family(self) -> socket.AddressFamily:
        """IPv4."""
        return self._real.family

    @property
    def type(self) -> socket.SocketKind:
        """A stream."""
        return self._real.type

    @property
    def proto(self) -> int:
        """TCP."""
        return self._real.proto

    @property
    def did_shutdown_SHUT_WR(self) -> bool:
        """Whether the sending direction is shut down."""
        return self._real.did_shutdown_SHUT_WR

    async def bind(self, address: Any) -> None:
        """Bind to a port; the real port is a free one of the loopback interface. Raises: OSError."""
        await self._real.bind((LOOPBACK, 0))
        port = int(address[1])
        self._bound = self._factory.own_address(port or self._real.getsockname()[1])

    def listen(self, backlog: int = 128) -> None:
        """Accept connections. Raises: OSError with EADDRINUSE, if the node already listens on this port."""
        if self._bound is None:
            raise OSError(errno.EINVAL, "a socket must be bound before it listens")
        self._real.listen(backlog)
        self._factory.announce(self._bound[1], self._real.getsockname()[1])

    async def accept(self) -> tuple[trio.socket.SocketType, Any]:
        """Wait for the next connection."""
        connection, address = await self._real.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    async def connect(self, address: Any) -> None:
        """Connect to a node, through the proxy. Raises: OSError."""
        await self._factory.reach(self._real, (str(address[0]), int(address[1])))
        self._peer = (str(address[0]), int(address[1]))

    def getsockname(self) -> Any:
        """The address that the socket is bound to, as other nodes know it."""
        return self._bound or self._real.getsockname()

    def getpeername(self) -> Any:
        """The address that the socket is connected to."""
        return self._peer or self._real.getpeername()

    def close(self) -> None:
        """Close the socket."""
        self._real.close()

    def __enter__(self) -> LiveSocket:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
