"""The configuration of a replica."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from ostrakon.paxos_impl.core.multi import Compaction, LeaseConfig
from ostrakon.paxos_impl.server.timing import ReplicaTiming
from ostrakon.paxos_impl.wire.membership import Address, Membership
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

LEASE = LeaseConfig(length_s=0.25, drift=0.05)
"""No longer than a leader may be silent before others try to lead, so that elections need not wait for
leases."""


COMMAND_BYTES_MAX = (1 << 20) + (1 << 14)
"""Default of the longest command: a value of 1 MiB, and what an operation has besides."""
COMMAND_BYTES_LIMIT = 4 << 20
"""The highest value of that option: as many commands as a promise may have to report still fit in the longest
message between servers."""


class ReplicaConfig(msgspec.Struct, frozen=True):
    """What a replica must know before it starts."""

    server_id: int
    membership: Membership
    """The founding members of the cluster; for a replica that joins later, only itself."""
    joins: bool = False
    """Whether the replica joins an existing cluster. Then it follows the log, and has no vote until the log
    gives it one. It was added under its id, which no other replica ever had."""
    listen: Address | None = None
    """Where to listen, if that differs from the address at which the other members find it."""
    timing: ReplicaTiming = ReplicaTiming()
    lease: LeaseConfig | None = LEASE
    """The same for all replicas; None if every read must ask a quorum."""
    compaction: Compaction = Compaction()
    transport: Transport = PLAIN
    command_bytes_max: int = COMMAND_BYTES_MAX
    """Maximum length of a command that this replica accepts from a client, in bytes."""
    groups: int = 1
    """Number of independent logs over which the keys are spread; the same for all replicas, for ever."""

    @property
    def address(self) -> Address:
        """Where to listen."""
        return self.listen or self.membership.members[self.server_id]

    @property
    def snapshots(self) -> Compaction:
        """When this replica takes snapshots: each replica at other slots, so that not all are busy at
        once."""
        every = self.compaction.every
        return replace(self.compaction, every=every + every * (self.server_id % 8) // 16)

    @property
    def founders(self) -> Membership:
        """The founding members, if they are known from the start."""
        return Membership({}, self.membership.cluster_id) if self.joins else self.membership
