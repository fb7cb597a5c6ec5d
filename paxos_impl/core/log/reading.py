"""Reading: a leader shows clients the state, without a slot being spent on it.

What must always hold: what is shown has all that was done before the read came. Either nobody else can have
had anything done by then, as long as the leader holds its lease; or a quorum has said since that it still
goes by this leader.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ostrakon.paxos_impl.core.log import leader
from ostrakon.paxos_impl.core.log.effect import Decline, Overloaded, Query
from ostrakon.paxos_impl.core.log.event import ReadRequested
from ostrakon.paxos_impl.core.log.phase import Leading, Read
from ostrakon.paxos_impl.core.log.turn import Turn

WAITING_MAX = 4096
"""How many reads may wait; more are refused rather than held."""


def read(turn: Turn, wanted: Sequence[ReadRequested]) -> None:
    """Clients want to see the state. What allows one of them allows all of them: they came together."""
    phase = turn.phase
    if isinstance(phase, Leading):
        _read(turn, phase, wanted)
        return
    for each in wanted:
        if each.how == "stale":
            turn.do(Query(each.request, each.op, turn.applied, "stale"))
        elif turn.rules.may_read(is_leader=False):
            turn.do(Query(each.request, each.op, turn.applied))
        else:
            turn.do(Decline(each.request, turn.leader, maybe=False))


def _read(turn: Turn, phase: Leading, wanted: Sequence[ReadRequested]) -> None:
    by_lease = leader.is_current(turn, phase) and leader.holds_lease(turn, phase)
    due, room = list[Read](), WAITING_MAX - len(phase.reads)
    do, applied, ballot = turn.effects.append, turn.applied, phase.ballot
    for each in wanted:
        if by_lease and each.how == "lease":
            do(Query(each.request, each.op, applied, "lease", ballot))
        elif each.how == "stale":
            do(Query(each.request, each.op, applied, "stale"))
        elif len(due) >= room:
            do(Overloaded(each.request))
        else:
            beat = turn.rules.beats_to_hear(phase.beat)
            due.append(Read(each.request, each.op, beat, by_lease=each.how == "lease"))
    if due:
        turn.phase = replace(phase, reads=(*phase.reads, *due))
        if not phase.reads:
            serve(turn)


def serve(turn: Turn) -> None:
    """Answer what may be answered by now. What is left waits for a heartbeat, of which one is under way."""
    phase = turn.phase
    if not isinstance(phase, Leading) or not phase.reads or not leader.is_current(turn, phase):
        return
    confirmed, holds_lease = _confirmed(turn, phase), leader.holds_lease(turn, phase)
    left = []
    for each in phase.reads:
        if each.beat <= confirmed:
            turn.do(Query(each.request, each.op, turn.applied))
        elif each.by_lease and holds_lease:
            turn.do(Query(each.request, each.op, turn.applied, "lease", phase.ballot))
        else:
            left.append(each)
    turn.phase = replace(phase, reads=tuple(left))
    if left and confirmed == phase.beat:
        leader.beat(turn)
        if not turn.others:
            serve(turn)


def _confirmed(turn: Turn, phase: Leading) -> int:
    """The last heartbeat that a quorum has answered, of those who decide the first slot that is open."""
    voters = turn.configuration(turn.upto + 1).voters
    answered = sorted(
        (phase.beat if voter == turn.me else phase.heard.get(voter, 0) for voter in voters), reverse=True
    )
    return answered[turn.rules.quorum(len(voters)) - 1]
