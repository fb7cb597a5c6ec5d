"""The members of a cluster and their addresses."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Address(NamedTuple):
    """A host name or IP address, and a port."""

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
    """The members of a cluster, the same for all of them; it never changes.

    A quorum is a majority of these members, so two nodes with different memberships could have disjoint
    quorums.
    """

    members: dict[int, Address]
    """Address of each member, by server id."""
    cluster_id: str
    """Different for each cluster."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The server ids, in order."""
        return tuple(sorted(self.members))
