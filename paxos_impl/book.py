"""The registry's book: who has registered, in which order, and when that makes a cluster. Pure.

What must always hold: an id is given to one instance only, for ever; entries are never changed or removed;
and the membership is told to nobody before it is complete, so that no two instances can ever count their
quorums over different views of it.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

import msgspec

from ostrakon.paxos_impl.membership import Address, Membership


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One registered instance; its server id is its position in the book."""

    address: Address
    token: str
    """Known to that instance alone, from before it first registered; shows later that it is the same one."""


class Book(msgspec.Struct, frozen=True, gc=False):
    """All registrations, in order."""

    cluster_id: str
    cluster_size: int | None = None
    """How many make the cluster; the first to register says."""
    entries: tuple[Entry, ...] = ()

    @property
    def membership(self) -> Membership | None:
        """The cluster, once it is complete; it never changes after that."""
        if self.cluster_size is None or len(self.entries) < self.cluster_size:
            return None
        return Membership(dict(enumerate(entry.address for entry in self.entries)), self.cluster_id)

    def register(self, address: Address, token: str, cluster_size: int) -> tuple[Book, Registration]:
        """The book after a request to register, and the answer to it.

        Registering again with the same address and token gives the same id: the answer may have been lost,
        or the instance restarted.
        """
        try:
            address = normal(address)
        except ValueError as error:
            return self, Denied(str(error))
        for server_id, entry in enumerate(self.entries):
            if entry.address == address and entry.token == token:
                if cluster_size != self.cluster_size:
                    return self, Denied(self._wrong_size(cluster_size))
                return self, Granted(server_id, self.cluster_id)
            if entry.address == address:
                return self, Denied(f"{address} is registered already, by another instance")
            if entry.token == token:
                return self, Denied(f"this instance is registered already, as {entry.address}")
        if cluster_size < 1:
            return self, Denied(f"a cluster can't have {cluster_size} members")
        if self.cluster_size not in (None, cluster_size):
            return self, Denied(self._wrong_size(cluster_size))
        if len(self.entries) == self.cluster_size:
            return self, Denied(f"the cluster has its {self.cluster_size} members already")
        grown = Book(self.cluster_id, cluster_size, (*self.entries, Entry(address, token)))
        return grown, Granted(len(self.entries), self.cluster_id)

    def _wrong_size(self, cluster_size: int) -> str:
        return f"the cluster is to have {self.cluster_size} members, not {cluster_size}"


class Granted(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Registered, as this server of this cluster."""

    server_id: int
    cluster_id: str
    succeed: bool = True


class Denied(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Not registered; `why` is a sentence for people."""

    why: str
    succeed: bool = False


Registration = Granted | Denied


def normal(address: Address) -> Address:
    """The one way to write an address. Only then can two be compared, and an instance not count twice.

    Raises: ValueError for a name, which may stand for any address, and for addresses that nobody can dial.
    """
    try:
        ip = ip_address(address.host)
    except ValueError:
        raise ValueError(
            f"{address.host!r} is not an IP address; register the address it stands for"
        ) from None
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_unspecified or ip.is_multicast:
        raise ValueError(f"nobody can reach an instance at {ip}; register the address it is reached by")
    if not 0 < address.port < 65536:
        raise ValueError(f"nobody can reach an instance at port {address.port}")
    return Address(str(ip), address.port)
