"""What a replica has to know before it starts."""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.multi import Compaction, LeaseConfig
from ostrakon.paxos_impl.membership import Address, Membership
from ostrakon.paxos_impl.replica.timing import ReplicaTiming
from ostrakon.paxos_impl.transport import PLAIN, Transport

LEASE = LeaseConfig(length_s=0.25, drift=0.05)
"""No longer than a leader may be silent before others stand: so elections need not wait for leases."""


class ReplicaConfig(msgspec.Struct, frozen=True):
    """All of it."""

    server_id: int
    membership: Membership
    """Those who have founded the cluster, or, for one that joins it, only itself."""
    joins: bool = False
    """Whether others have founded the cluster: then this replica follows the log, and has no vote before
    the log gives it one. Its id is the one it was added under, and was never anybody else's."""
    listen: Address | None = None
    """Where to listen, if that is not the address at which the members find it."""
    timing: ReplicaTiming = ReplicaTiming()
    lease: LeaseConfig | None = LEASE
    """The same for all replicas; None if all reads are to ask a quorum."""
    compaction: Compaction = Compaction()
    transport: Transport = PLAIN
    groups: int = 1
    """Over how many independent logs the keys are spread; the same for all replicas, for ever."""

    @property
    def address(self) -> Address:
        """Where to listen."""
        return self.listen or self.membership.members[self.server_id]

    @property
    def founders(self) -> Membership:
        """Those who have founded the cluster, as far as they are known from the start."""
        return Membership({}, self.membership.cluster_id) if self.joins else self.membership
