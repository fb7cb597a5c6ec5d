"""One replica of the log, proposer, acceptor and learner of every slot, as a pure state machine.

What must always hold: whatever leaves a replica rests on durable state only, since it waits for the last
`Persist` before it; what it has learned never changes; and slots are executed in order, each once.
"""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi.command import CommandId, Queued
from ostrakon.paxos_impl.core.multi.configuration import Configuration, founded_by, members_of
from ostrakon.paxos_impl.core.multi.dispatch import dispatch
from ostrakon.paxos_impl.core.multi.effect import Effect
from ostrakon.paxos_impl.core.multi.event import Event, Received
from ostrakon.paxos_impl.core.multi.lease import ClockReading, Grant, LeaseConfig
from ostrakon.paxos_impl.core.multi.log import FIRST, Log
from ostrakon.paxos_impl.core.multi.phase import Following, Phase
from ostrakon.paxos_impl.core.multi.recovery import Recovered
from ostrakon.paxos_impl.core.multi.rules import LOG_RULES, LogRules
from ostrakon.paxos_impl.core.multi.snapshot import Compaction, Fetching, Image
from ostrakon.paxos_impl.core.multi.transition import Transition


class Replica(msgspec.Struct, frozen=True):
    """All that one node knows of the log. Build it with `recover`, then step it with `Started()`."""

    server_id: int
    members: tuple[int, ...]
    """Everybody who is a member in one of the configurations."""
    configurations: tuple[Configuration, ...]
    """Those for the slots that are still open, oldest first."""
    incarnation: int
    promised: Ballot | None = None
    log: Log = Log()
    commit_index: int = FIRST - 1
    """It knows of all slots up to this one what they hold."""
    applied: int = FIRST - 1
    """The last slot that it has had executed."""
    phase: Phase = Following()
    leader: int | None = None
    """Whom it believes to be leading: whose ballot it heard of last."""
    is_leaderless: bool = True
    """Whether it has not heard of a leader for as long as the election timer takes."""
    highest: Ballot | None = None
    """The highest ballot it has heard of."""
    own_ballot: Ballot | None = None
    """The ballot it used last in this incarnation."""
    pre_votes: int = 0
    """The number of its last pre_vote."""
    attempts: int = 0
    """How often it has stood for election since it last knew of a leader."""
    deferred_to: tuple[int, ...] = ()
    """To whom it gave way since it last stood itself, or had a leader."""
    queue: tuple[Queued, ...] = ()
    waiting: dict[CommandId, tuple[int, ...]] = {}  # Never changed in place.
    """By command, the requests to be answered with its result."""
    images: tuple[Image, ...] = ()
    """The newest durable snapshot, and before it the one before it."""
    saving: int = FIRST - 1
    """Up to where the snapshot goes that was last begun to be saved."""
    fetching: Fetching | None = None
    """The snapshot that is being fetched."""
    compaction: Compaction = Compaction()
    lease_config: LeaseConfig | None = None
    """Those of leases; None if there are to be none."""
    grant: Grant | None = None
    """The last lease that it granted."""
    persists: int = 0
    sends: int = 0
    rules: LogRules = LOG_RULES

    @classmethod
    def recover(
        cls,
        server_id: int,
        founders: Configuration | tuple[int, ...],
        *,
        incarnation: int = 0,
        state: Recovered = Recovered(),  # noqa: B008 - it is frozen
        compaction: Compaction = Compaction(),  # noqa: B008
        lease_config: LeaseConfig | None = None,
        rules: LogRules = LOG_RULES,
    ) -> Replica:
        """A replica as it finds itself at start-up, with what its disk remembers.

        `founders` are the members that the log begins with, or their ids, if they are known: a replica that
        joins later learns from the log who they are.
        """
        if isinstance(founders, tuple):
            assert len(set(founders)) == len(founders), f"{founders} would count someone twice"
            founders = founded_by(founders)
        first = state.image
        configurations = (founders,) if first is None else first.snapshot.configurations
        return cls(
            server_id,
            members_of(configurations),
            configurations,
            incarnation,
            state.promised,
            state.log,
            state.commit_index,
            applied=state.log.base,
            images=() if first is None else (first,),
            saving=state.log.base,
            compaction=compaction,
            lease_config=lease_config,
            rules=rules,
        )

    def is_former(self, server_id: int) -> bool:
        """Whether somebody was a member and is none any more. Ids are not given twice."""
        return server_id not in self.members and server_id < self.configurations[-1].next_id

    def step(self, event: Event, now: ClockReading = ClockReading()) -> tuple[Replica, list[Effect]]:  # noqa: B008
        """The replica after an event, and what it wants done, in order.

        `now` was read from the clocks after the event had come in.
        """
        t = Transition(self, event.id if isinstance(event, Received) else None, now)
        dispatch(t, event)
        return t.end(), t.effects
