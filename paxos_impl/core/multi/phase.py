"""What a replica is doing: following a leader, looking for one, or leading.

The tag of each phase is its name in a replica's status, as clients see it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.multi.command import Batch
from ostrakon.paxos_impl.core.multi.lease import Lease
from ostrakon.paxos_impl.core.multi.message import Promise


class Following(msgspec.Struct, frozen=True, tag="following", gc=False):
    """Votes and learns, and proposes nothing."""


class PreVoting(msgspec.Struct, frozen=True, tag="canvassing", gc=False):
    """Hears of no leader, and asks whether a quorum would follow."""

    responders: tuple[int, ...] = ()


class Preparing(msgspec.Struct, frozen=True, tag="campaigning", gc=False):
    """Phase 1, for all slots from `from_slot` on."""

    ballot: Ballot
    from_slot: int
    promisers: tuple[int, ...] = ()
    promises: tuple[Promise, ...] = ()
    """The promises, in the order of `promisers`."""


class Proposal(msgspec.Struct, frozen=True, gc=False):
    """A batch that is proposed in a slot and not yet known to be chosen, and who has voted for it."""

    batch: Batch
    voters: tuple[int, ...] = ()


class PendingRead(msgspec.Struct, frozen=True, gc=False):
    """A read that waits until the leader knows that it still leads."""

    request: int
    op: Any
    heartbeat: int
    """A quorum must answer this heartbeat or a later one."""
    by_lease: bool = False
    """Whether a lease that the leader comes to hold is enough, too."""


class Leading(msgspec.Struct, frozen=True, tag="leading", gc=False):
    """Phase 2, slot after slot, until a higher ballot is heard of."""

    ballot: Ballot
    next_slot: int
    last_reported: int
    """The last slot in which a promise reported a vote. Up to it, the leader proposes what was reported."""
    promisers: dict[int, int]  # Never changed in place.
    """By member that has promised this ballot, the first slot that its promise is about."""
    reports: dict[int, tuple[Vote, ...]] = {}  # Never changed in place.
    """By slot in which nothing is proposed yet, the votes that promises reported."""
    proposals: dict[int, Proposal] = {}  # Never changed in place.
    resend_below: int = 0
    """Proposals below this slot were under way at the last heartbeat already; the next one repeats them."""
    heartbeat: int = 0
    """The number of the last heartbeat."""
    answered: dict[int, int] = {}  # Never changed in place.
    """By member, the number of the last heartbeat that it answered."""
    commit_indexes: dict[int, int] = {}  # Never changed in place.
    """By member, the commit index that it told last."""
    checked: int = 0
    """The number of the last heartbeat at the time when the leader last checked that a quorum answers."""
    lease: Lease = Lease()
    reads: tuple[PendingRead, ...] = ()
    changes: tuple[int, ...] = ()
    """Requests to be answered once the newest configuration is in force."""
    announced_index: int = 0
    """The commit index that the leader told its followers last."""


Phase = Following | PreVoting | Preparing | Leading
