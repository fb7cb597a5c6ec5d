"""One replica of the log, proposer, acceptor and learner of every slot, as a pure state machine.

What must always hold: whatever leaves a replica rests on durable state only, since it waits for the last
`Persist` before it; what it has learned never changes; and slots are executed in order, each once.
"""

from __future__ import annotations

import msgspec

from paxos_impl.core.ballot import Ballot
from paxos_impl.core.log.command import CommandId, Queued
from paxos_impl.core.log.effect import Chose, Effect, Fact, Promised, Voted
from paxos_impl.core.log.event import Event, Received
from paxos_impl.core.log.handling import handle
from paxos_impl.core.log.ledger import FIRST, Cell, Ledger
from paxos_impl.core.log.phase import Following, Phase
from paxos_impl.core.log.rules import LOG_RULES, LogRules
from paxos_impl.core.log.turn import Turn


class Recovered(msgspec.Struct, frozen=True, gc=False):
    """What a disk remembers, put together from the facts on it, oldest first."""

    promised: Ballot | None = None
    ledger: Ledger = Ledger()
    upto: int = FIRST - 1
    """Up to where all slots are known to be chosen."""

    def after(self, fact: Fact) -> Recovered:
        """With one more fact."""
        match fact:
            case Promised(ballot):
                return Recovered(ballot, self.ledger, self.upto)
            case Voted(entry):
                cell = Cell(entry.vote, self.ledger[entry.slot].chosen)
                return Recovered(entry.ballot, self.ledger.put(entry.slot, cell), self.upto)
            case Chose(slot, entry):
                accepted = self.ledger[slot].accepted
                ledger = self.ledger.put(slot, Cell(accepted, accepted if entry is None else entry.vote))
                upto = self.upto
                while ledger[upto + 1].chosen is not None:
                    upto += 1
                return Recovered(self.promised, ledger, upto)


class Replica(msgspec.Struct, frozen=True):
    """All that one node knows of the log. Build it with `recover`, then step it with `Started()`."""

    server_id: int
    members: tuple[int, ...]
    incarnation: int
    promised: Ballot | None = None
    ledger: Ledger = Ledger()
    upto: int = FIRST - 1
    """It knows of all slots up to this one what they hold."""
    applied: int = FIRST - 1
    """The last slot that it has had executed."""
    phase: Phase = Following()
    leader: int | None = None
    """Whom it believes to be leading: whose ballot it heard of last."""
    is_alone: bool = True
    """Whether it has not heard of a leader for as long as the election timer takes."""
    highest: Ballot | None = None
    """The highest ballot it has heard of."""
    own_ballot: Ballot | None = None
    """The ballot it used last in this incarnation."""
    canvass: int = 0
    """The number of its last canvass."""
    queue: tuple[Queued, ...] = ()
    waiting: dict[CommandId, tuple[int, ...]] = {}  # Never changed in place.
    """By command, the requests to be answered with its result."""
    persists: int = 0
    sends: int = 0
    rules: LogRules = LOG_RULES

    @classmethod
    def recover(
        cls,
        server_id: int,
        members: tuple[int, ...],
        *,
        incarnation: int = 0,
        state: Recovered = Recovered(),  # noqa: B008 - it is frozen
        rules: LogRules = LOG_RULES,
    ) -> Replica:
        """A replica as it finds itself at start-up, with what its disk remembers."""
        assert server_id in members, f"{server_id} is none of {members}"
        assert len(set(members)) == len(members), f"{members} would count someone twice"
        return cls(
            server_id,
            members,
            incarnation,
            state.promised,
            state.ledger,
            state.upto,
            rules=rules,
        )

    def step(self, event: Event) -> tuple[Replica, list[Effect]]:
        """The replica after an event, and what it wants done, in order."""
        turn = Turn(self, event.id if isinstance(event, Received) else None)
        handle(turn, event)
        return turn.end(), turn.effects
