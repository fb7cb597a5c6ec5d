"""The state of one replica: every field is declared here and nowhere else.

A state is frozen. A step makes a new one (see `transition`). Nothing in it was read from a clock or drawn at
random, so equal states behave alike for ever.
"""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi.command import CommandId, Queued
from ostrakon.paxos_impl.core.multi.configuration import Configuration
from ostrakon.paxos_impl.core.multi.lease import Grant, LeaseConfig
from ostrakon.paxos_impl.core.multi.log import FIRST, Log
from ostrakon.paxos_impl.core.multi.phase import Following, Phase
from ostrakon.paxos_impl.core.multi.rules import LOG_RULES, LogRules
from ostrakon.paxos_impl.core.multi.snapshot import Compaction, Fetching, Image


class State(msgspec.Struct, frozen=True, gc=False):
    """All that one replica knows. `Replica` adds how a state is made and how it steps."""

    server_id: int
    members: tuple[int, ...]
    """The ids of all members of `configurations`, in order."""
    configurations: tuple[Configuration, ...]
    """The configurations of the slots that are still open, oldest first."""
    incarnation: int
    """How often the process was started before, from 0."""

    # The acceptor (durable) and the learner.
    promised: Ballot | None = None
    """The highest ballot promised: one promise for all slots."""
    log: Log = Log()
    """By slot, the replica's own vote and the value known to be chosen."""
    commit_index: int = FIRST - 1
    """The replica knows what is chosen in this slot and in every slot below it."""
    applied: int = FIRST - 1
    """The last slot that the state machine was told to execute."""

    # The proposer.
    phase: Phase = Following()
    leader: int | None = None
    """The server whose ballot was heard of last, which probably leads."""
    is_leaderless: bool = True
    """Whether the election timer ran out since the replica last heard of a leader."""
    highest: Ballot | None = None
    """The highest ballot heard of."""
    own_ballot: Ballot | None = None
    """The ballot that the replica used last in this incarnation."""
    pre_votes: int = 0
    """The number of the last pre-vote that the replica started."""
    attempts: int = 0
    """How many pre-votes the replica has started since it last knew a leader."""
    deferred_to: tuple[int, ...] = ()
    """Candidates that the replica has waited for, since it last had a leader or started a pre-vote."""
    queue: tuple[Queued, ...] = ()
    """Commands to be proposed, oldest first."""
    waiting: dict[CommandId, tuple[int, ...]] = {}  # Never changed in place.
    """By command that is queued or proposed, the requests to be answered with its result."""

    # Snapshots.
    images: tuple[Image, ...] = ()
    """The newest durable snapshot, and before it the one before it, if there is one."""
    saving: int = FIRST - 1
    """The slot of the snapshot whose saving began last."""
    fetching: Fetching | None = None
    """The snapshot that is being fetched from another replica."""
    compaction: Compaction = Compaction()

    # Leases.
    lease_config: LeaseConfig | None = None
    """None where there are no leases."""
    grant: Grant | None = None
    """The lease that this replica granted last."""

    # Counters that make effects unique within an incarnation.
    persists: int = 0
    sends: int = 0
    rules: LogRules = LOG_RULES

    @property
    def others(self) -> tuple[int, ...]:
        """All members but this one."""
        return tuple(member for member in self.members if member != self.server_id)

    def is_former(self, server_id: int) -> bool:
        """Whether a server was a member once and is none any more. Ids are never given twice."""
        return server_id not in self.members and server_id < self.configurations[-1].next_id

    def configuration(self, slot: int) -> Configuration:
        """The configuration that decides a slot, as far as this replica knows."""
        return self.rules.in_force(self.configurations, slot)

    def is_quorum(self, voters: tuple[int, ...], slot: int) -> bool:
        """Whether these servers include a quorum of the configuration that decides a slot."""
        configuration = self.configuration(slot)
        return self.rules.is_chosen(self.rules.counted(configuration, voters), len(configuration.voters))

    @property
    def has_vote(self) -> bool:
        """Whether this replica's vote counts in the first slot that is open."""
        return self.server_id in self.configuration(self.commit_index + 1).voters
