"""Who counts: the members of a cluster, where each is found, and which cluster it is."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Address(NamedTuple):
    """Where something listens: a host name or IP address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `HOST:PORT` or `[IPV6]:PORT`.

        Raises: ValueError, saying what is missing.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not host:
            raise ValueError(f"{text!r} is not HOST:PORT")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"an IPv6 address is written [{host}]:{port}")
        if not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(f"the port in {text!r} is not a number from 0 to 65535")
        return cls(host, int(port))


class Membership(msgspec.Struct, frozen=True, gc=False):
    """A view of the cluster that all its members share; it never changes.

    A quorum is a majority of these members, so two nodes that held different views could both find one.
    """

    members: dict[int, Address]
    """Where each server id is found."""
    cluster_id: str
    """What tells this cluster from any other."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The server ids, in order."""
        return tuple(sorted(self.members))
