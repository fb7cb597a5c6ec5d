"""The registry's state: which instances have registered, in which order, and when the cluster is complete.
Pure.

What must always hold: an id belongs to one instance for ever, and entries are never changed or removed. The
membership is told to no instance before it is complete, so that no two instances can count quorums over
different memberships.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

import msgspec

from ostrakon.paxos_impl.wire.membership import Address, Membership


class RegistryEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One registered instance; its server id is its position among the entries."""

    address: Address
    token: str
    """A secret of that instance, which shows later that it is the same one."""


class RegistryState(msgspec.Struct, frozen=True, gc=False):
    """All registrations, in order."""

    cluster_id: str
    cluster_size: int | None = None
    """Number of members of the cluster, as the first instance said; None before that."""
    entries: tuple[RegistryEntry, ...] = ()
    backup: str = ""
    """Id of the backup that all members begin with, as the first instance said; empty for none."""

    @property
    def membership(self) -> Membership | None:
        """The membership; None until it is complete. After that it never changes."""
        if self.cluster_size is None or len(self.entries) < self.cluster_size:
            return None
        return Membership(dict(enumerate(entry.address for entry in self.entries)), self.cluster_id)

    def register(
        self, address: Address, token: str, cluster_size: int, backup: str = ""
    ) -> tuple[RegistryState, Registration]:
        """The state after a request to register, and the answer.

        `backup` is the id of the backup that the instance begins with, or empty. All members must begin with
        the same state, or their state machines would differ for ever.

        A request with the same address and token gets the same id, because the first answer may have been
        lost, or the instance may have been restarted.
        """
        try:
            address = canonical(address)
        except ValueError as error:
            return self, Denied(str(error))
        for server_id, entry in enumerate(self.entries):
            if entry.address == address and entry.token == token:
                if cluster_size != self.cluster_size:
                    return self, Denied(self._wrong_size(cluster_size))
                if backup != self.backup:
                    return self, Denied(self._wrong_backup(backup))
                return self, Granted(server_id, self.cluster_id)
            if entry.address == address:
                return self, Denied(f"{address} is registered already, by another instance")
            if entry.token == token:
                return self, Denied(f"this instance is registered already, as {entry.address}")
        if cluster_size < 1:
            return self, Denied(f"a cluster can't have {cluster_size} members")
        if self.cluster_size not in (None, cluster_size):
            return self, Denied(self._wrong_size(cluster_size))
        if self.entries and backup != self.backup:
            return self, Denied(self._wrong_backup(backup))
        if len(self.entries) == self.cluster_size:
            return self, Denied(f"the cluster has its {self.cluster_size} members already")
        grown = RegistryState(
            self.cluster_id, cluster_size, (*self.entries, RegistryEntry(address, token)), backup
        )
        return grown, Granted(len(self.entries), self.cluster_id)

    def _wrong_size(self, cluster_size: int) -> str:
        return f"the cluster is to have {self.cluster_size} members, not {cluster_size}"

    def _wrong_backup(self, backup: str) -> str:
        ours, theirs = (f"the backup {id}" if id else "no backup" for id in (self.backup, backup))
        return f"all members of the cluster begin with {ours}, and this instance with {theirs}"


class Granted(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Registered under this server id."""

    server_id: int
    cluster_id: str
    succeed: bool = True


class Denied(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Not registered; `why` is a sentence for people."""

    why: str
    succeed: bool = False


Registration = Granted | Denied


def canonical(address: Address) -> Address:
    """The canonical form of an address, so that two can be compared and no instance is counted twice.

    Raises: ValueError, for a host name, and for an address that no other machine can connect to.
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
        raise ValueError(
            f"no other machine can connect to {ip}; register an address that others can connect to"
        )
    if not 0 < address.port < 65536:
        raise ValueError(f"no instance can listen at port {address.port}")
    return Address(str(ip), address.port)
