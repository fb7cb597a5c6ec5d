"""Name service: the machines of the world by name, and numeric addresses; the real one is never asked."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import trio

from ostrakon.harness.sim.runtimes.trio.waiting import checkpoint

if TYPE_CHECKING:
    from ostrakon.harness.sim.network.network import Network

LOOPBACK = "127.0.0.1"
ANY = "0.0.0.0"


class Resolver(trio.abc.HostnameResolver):
    """What `trio.socket.getaddrinfo` asks inside a simulated process."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Resolve the name of a machine.

        Raises: socket.gaierror if there is no such machine.
        """
        await checkpoint()
        name = host.decode("ascii") if host is not None else None
        return address_info(self._network, name, port, family, type, proto, flags)

    def look_up(self, host: str, port: int) -> list[Any]:
        """As `getaddrinfo`, for a stream and at once. Raises: socket.gaierror."""
        return address_info(self._network, host, port, 0, socket.SOCK_STREAM, 0, 0)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """The name of the machine that has this address, or the address."""
        await checkpoint()
        return name_info(self._network, sockaddr, flags)


def name_info(network: Network, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
    """What `getnameinfo` answers in this world: the name of the machine with this address, and the port."""
    ip, port = sockaddr[:2]
    machine = network.machine_at(ip)
    name = machine.name if machine is not None and not flags & socket.NI_NUMERICHOST else ip
    return name, str(port)


def address_info(
    network: Network, host: str | None, port: Any, family: int, type: int, proto: int, flags: int
) -> list[Any]:
    """What `getaddrinfo` answers in this world, where there is IPv4 only."""
    if family not in (0, socket.AF_INET):
        raise socket.gaierror(socket.EAI_ADDRFAMILY, "the simulated network speaks IPv4 only")
    ip = _address(network, host, flags)
    kinds = [(socket.SOCK_STREAM, socket.IPPROTO_TCP), (socket.SOCK_DGRAM, socket.IPPROTO_UDP)]
    wanted = [(kind, number) for kind, number in kinds if type in (0, kind) and proto in (0, number)]
    return [(socket.AF_INET, kind, number, "", (ip, _port(port))) for kind, number in wanted]


def _address(network: Network, host: str | None, flags: int) -> str:
    if host is None or host == "":
        return ANY if flags & socket.AI_PASSIVE else LOOPBACK
    if is_numeric(host):
        return host
    if network.machine_named(host) is None and (short := _short_form(host)) is not None:
        return short
    if flags & socket.AI_NUMERICHOST:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if host.lower() == "localhost":
        return LOOPBACK
    machine = network.machine_named(host)
    if machine is None:
        raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: no machine is called {host!r}")
    return machine.ip


def is_loopback(ip: str) -> bool:
    """Whether it is one of the addresses by which a machine reaches itself."""
    return ip.startswith("127.")


def is_numeric(host: str) -> bool:
    """Whether it is an IPv4 address."""
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return False
    return True


def _short_form(host: str) -> str | None:
    """The address that a form such as `127.1` stands for; None if it is none."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


_SERVICES = {"ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "http": 80, "https": 443}
"""The first names of `/etc/services`."""


def _port(port: Any) -> int:
    if port is None:
        return 0
    name = port.decode() if isinstance(port, bytes) else port
    if name in _SERVICES:
        return _SERVICES[name]
    try:
        return int(port)
    except ValueError:
        raise socket.gaierror(
            socket.EAI_SERVICE, f"unknown service {port!r}: give the port's number"
        ) from None
