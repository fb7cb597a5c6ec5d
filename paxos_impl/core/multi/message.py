"""Messages between replicas. Each class is also the wire format of its message: an array after its tag.

A tag that differs from the name of its class is an older name, which stays so that builds of different age
understand each other.
"""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.multi.command import Batch
from ostrakon.paxos_impl.core.multi.snapshot import SnapshotId


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A batch at a ballot in a slot: a vote, or what is chosen."""

    slot: int
    ballot: Ballot
    batch: Batch

    @property
    def vote(self) -> Vote:
        """The entry without its slot."""
        return Vote(self.ballot, self.batch)


class Prepare(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 1a, for this slot and all above it at once (PMS 3)."""

    ballot: Ballot
    from_slot: int


class Promise(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 1b: the sender accepts nothing below this ballot any more, in any slot, and reports its votes."""

    ballot: Ballot
    from_slot: int
    votes: tuple[Entry, ...] = ()
    """By slot from `from_slot` on, the sender's vote of the highest ballot, if it has voted there."""


class Propose(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 2a in one slot: a request to vote for this batch."""

    ballot: Ballot
    slot: int
    batch: Batch


class Accepted(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 2b: the sender has voted for what this ballot proposes in this slot.

    It goes to the leader alone, which tells the others the commit index. In Basic Paxos every member counts
    votes; here that would cost n messages a member instead of one.
    """

    ballot: Ballot
    slot: int


class Nack(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The sender has promised a higher ballot, and refuses this one."""

    ballot: Ballot
    promised: Ballot


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag="Commit", gc=False):
    """The leader of this ballot lives, and tells its commit index.

    It does not say what is chosen, because a follower that voted at this very ballot has that already.
    """

    ballot: Ballot
    commit_index: int
    number: int = 0
    """Counts the heartbeats of this ballot, from 1. 0 asks for no response."""
    lease_s: float = 0.0
    """The length of the lease that the leader asks for; 0 asks for none."""


class HeartbeatResponse(msgspec.Struct, frozen=True, array_like=True, tag="Heard", gc=False):
    """The response to a heartbeat: the sender has promised no higher ballot."""

    ballot: Ballot
    heartbeat: int
    commit_index: int
    """The sender's commit index."""
    is_granted: bool = False
    """Whether the sender grants the lease: it promises no ballot to anybody else for that long."""


class Ask(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Asks what is chosen from this slot on."""

    from_slot: int


class Tell(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The response to `Ask`: some slots that are chosen, in order, and the sender's commit index."""

    entries: tuple[Entry, ...]
    commit_index: int


class Offer(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The slots that the receiver lacks are gone from the sender's log. It has this snapshot instead."""

    id: SnapshotId


class Fetch(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Asks for the chunk of a snapshot that begins at an offset, in bytes."""

    id: SnapshotId
    offset: int


class Chunk(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A part of a snapshot, from an offset on."""

    id: SnapshotId
    offset: int
    data: bytes
    checksum: int


class PreVote(msgspec.Struct, frozen=True, array_like=True, tag="Canvass", gc=False):
    """Asks whether the receiver would follow the sender, before the sender uses a ballot (Raft, 9.6)."""

    number: int


class PreVoteResponse(msgspec.Struct, frozen=True, array_like=True, tag="Support", gc=False):
    """The response to a pre-vote: the sender has no leader either, and would follow."""

    number: int


Message = (
    Prepare
    | Promise
    | Propose
    | Accepted
    | Nack
    | Heartbeat
    | HeartbeatResponse
    | Ask
    | Tell
    | Offer
    | Fetch
    | Chunk
    | PreVote
    | PreVoteResponse
)
