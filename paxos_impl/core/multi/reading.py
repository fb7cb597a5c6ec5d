"""Reading: a leader shows clients the state, without a slot being spent on it.

What must always hold: what is shown has all that was done before the read came. Either nobody else can have
had anything done by then, as long as the leader holds its lease; or a quorum has said since that it still
goes by this leader.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ostrakon.paxos_impl.core.multi import leader
from ostrakon.paxos_impl.core.multi.effect import Decline, Overloaded, Query
from ostrakon.paxos_impl.core.multi.event import ReadRequested
from ostrakon.paxos_impl.core.multi.phase import Leading, Read
from ostrakon.paxos_impl.core.multi.transition import Transition

WAITING_MAX = 4096
"""How many reads may wait; more are refused rather than held."""


def read(t: Transition, wanted: Sequence[ReadRequested]) -> None:
    """Clients want to see the state. What allows one of them allows all of them: they came together."""
    phase = t.phase
    if isinstance(phase, Leading):
        _read(t, phase, wanted)
        return
    for each in wanted:
        if each.how == "stale":
            t.do(Query(each.request, each.op, t.applied, "stale"))
        elif t.rules.may_read(is_leader=False):
            t.do(Query(each.request, each.op, t.applied))
        else:
            t.do(Decline(each.request, t.leader, maybe=False))


def _read(t: Transition, phase: Leading, wanted: Sequence[ReadRequested]) -> None:
    by_lease = leader.is_current(t, phase) and leader.holds_lease(t, phase)
    due, room = list[Read](), WAITING_MAX - len(phase.reads)
    do, applied, ballot = t.effects.append, t.applied, phase.ballot
    for each in wanted:
        if by_lease and each.how == "lease":
            do(Query(each.request, each.op, applied, "lease", ballot))
        elif each.how == "stale":
            do(Query(each.request, each.op, applied, "stale"))
        elif len(due) >= room:
            do(Overloaded(each.request))
        else:
            heartbeat = t.rules.heartbeat_for_read(phase.heartbeat)
            due.append(Read(each.request, each.op, heartbeat, by_lease=each.how == "lease"))
    if due:
        t.phase = replace(phase, reads=(*phase.reads, *due))
        if not phase.reads:
            serve(t)


def serve(t: Transition) -> None:
    """Answer what may be answered by now. What is left waits for a heartbeat, of which one is under way."""
    phase = t.phase
    if not isinstance(phase, Leading) or not phase.reads or not leader.is_current(t, phase):
        return
    confirmed, holds_lease = _confirmed(t, phase), leader.holds_lease(t, phase)
    left = []
    for each in phase.reads:
        if each.heartbeat <= confirmed:
            t.do(Query(each.request, each.op, t.applied))
        elif each.by_lease and holds_lease:
            t.do(Query(each.request, each.op, t.applied, "lease", phase.ballot))
        else:
            left.append(each)
    t.phase = replace(phase, reads=tuple(left))
    if left and confirmed == phase.heartbeat:
        leader.heartbeat(t)
        if not t.others:
            serve(t)


def _confirmed(t: Transition, phase: Leading) -> int:
    """The last heartbeat that a quorum has answered, of those who decide the first slot that is open."""
    voters = t.configuration(t.commit_index + 1).voters
    answered = sorted(
        (phase.heartbeat if voter == t.me else phase.answered.get(voter, 0) for voter in voters), reverse=True
    )
    return answered[t.rules.quorum(len(voters)) - 1]
