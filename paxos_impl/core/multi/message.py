"""What replicas say to one another; each message is also its own wire format."""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.multi.command import Batch
from ostrakon.paxos_impl.core.multi.snapshot import SnapshotId


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A batch at a ballot in a slot: a vote that was cast, or what was chosen."""

    slot: int
    ballot: Ballot
    batch: Batch

    @property
    def vote(self) -> Vote:
        """The same without its slot."""
        return Vote(self.ballot, self.batch)


class Prepare(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 1a for this slot and all above at once (PMS 3)."""

    ballot: Ballot
    from_slot: int


class Promise(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 1b: nothing below this ballot any more, in any slot; and these are my votes from there on."""

    ballot: Ballot
    from_slot: int
    votes: tuple[Entry, ...] = ()
    """For each slot from `from_slot` on in which it has voted, its vote of the highest ballot."""


class Propose(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 2a in one slot."""

    ballot: Ballot
    slot: int
    batch: Batch


class Accepted(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Phase 2b: I have voted for what this ballot proposes in this slot. Only the leader needs to know."""

    ballot: Ballot
    slot: int


class Nack(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """I go by a higher ballot than this one."""

    ballot: Ballot
    promised: Ballot


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag="Commit", gc=False):
    """The leader of this ballot lives, and knows all slots up to this one to be chosen.

    It says nothing of what they hold; who voted at this very ballot knows that already.
    """

    ballot: Ballot
    commit_index: int
    number: int = 0
    """Counts the heartbeats of this ballot; 0 asks for no answer."""
    lease_s: float = 0.0
    """For how long nobody else should be promised a ballot; 0 asks for no lease."""


class HeartbeatResponse(msgspec.Struct, frozen=True, array_like=True, tag="Heard", gc=False):
    """The answer to a heartbeat: I go by no higher ballot."""

    ballot: Ballot
    heartbeat: int
    commit_index: int
    """I know all slots up to this one."""
    is_granted: bool = False
    """And for as long as was asked for, I promise no ballot to anybody else."""


class Ask(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """What is chosen from this slot on?"""

    from_slot: int


class Tell(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Some slots that I know to be chosen, in order, and the last one up to which I know all."""

    entries: tuple[Entry, ...]
    commit_index: int


class Offer(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The slots that you lack are gone; take this snapshot from me."""

    id: SnapshotId


class Fetch(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Send me the piece of this snapshot that begins here."""

    id: SnapshotId
    offset: int


class Chunk(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A piece of a snapshot."""

    id: SnapshotId
    offset: int
    data: bytes
    checksum: int


class PreVote(msgspec.Struct, frozen=True, array_like=True, tag="Canvass", gc=False):
    """Would you follow me? Asked by who misses a leader, before it disturbs anyone with a ballot."""

    number: int


class PreVoteResponse(msgspec.Struct, frozen=True, array_like=True, tag="Support", gc=False):
    """I hear of no leader either."""

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
