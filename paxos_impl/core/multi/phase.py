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
    """Votes and learns, and leaves proposing to others."""


class PreVoting(msgspec.Struct, frozen=True, tag="canvassing", gc=False):
    """Misses a leader, and finds out whether a quorum can be reached that misses one too."""

    responders: tuple[int, ...] = ()


class Preparing(msgspec.Struct, frozen=True, tag="campaigning", gc=False):
    """Phase 1, for all slots from one on."""

    ballot: Ballot
    from_slot: int
    promisers: tuple[int, ...] = ()
    promises: tuple[Promise, ...] = ()
    """What they promised, in the same order."""


class Proposal(msgspec.Struct, frozen=True, gc=False):
    """A slot in which something is proposed and not yet known to be chosen."""

    batch: Batch
    voters: tuple[int, ...] = ()


class Read(msgspec.Struct, frozen=True, gc=False):
    """A client that wants to see the state, and what must have been heard before it may."""

    request: int
    op: Any
    heartbeat: int
    """A quorum must have answered this heartbeat or a later one."""
    by_lease: bool = False
    """Or else the leader must hold its lease."""


class Leading(msgspec.Struct, frozen=True, tag="leading", gc=False):
    """Phase 2, slot after slot, for as long as no higher ballot is heard of."""

    ballot: Ballot
    next_slot: int
    last_reported: int
    """The last slot that the promises reported a vote in."""
    promisers: dict[int, int]  # Never changed in place.
    """By who promised this ballot, the slot from which on its promise reports."""
    reports: dict[int, tuple[Vote, ...]] = {}  # Never changed in place.
    """By slot that nothing was proposed in yet, the votes that promises reported."""
    proposals: dict[int, Proposal] = {}  # Never changed in place.
    resend_below: int = 0
    """Flights below this slot were under way at the last heartbeat already: something was lost."""
    heartbeat: int = 0
    """The number of the last heartbeat."""
    answered: dict[int, int] = {}  # Never changed in place.
    """By member, the last heartbeat that it answered."""
    commit_indexes: dict[int, int] = {}  # Never changed in place.
    """By member, up to which slot it said that it knows all."""
    checked: int = 0
    """The number of the last heartbeat when it was last seen to it that a quorum answers."""
    lease: Lease = Lease()
    reads: tuple[Read, ...] = ()
    changes: tuple[int, ...] = ()
    """The requests to be answered once the newest configuration is in force."""
    announced_index: int = 0
    """Up to which slot it has told its followers that all are chosen."""


Phase = Following | PreVoting | Preparing | Leading
