"""Reading: a leader answers reads from its state, without deciding a slot for them.

What must always hold: the answer reflects all that was acknowledged before the read came. Two things ensure
this. While the leader holds its lease, nobody else can have had anything chosen. Or else a quorum has
confirmed, after the read came, that it still follows this leader (ReadIndex, Raft dissertation, 6.4).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ostrakon.paxos_impl.core.multi import leadership
from ostrakon.paxos_impl.core.multi.effect import Decline, Effect, Overloaded, Query
from ostrakon.paxos_impl.core.multi.event import ReadRequested
from ostrakon.paxos_impl.core.multi.phase import Leading, PendingRead
from ostrakon.paxos_impl.core.multi.state import State
from ostrakon.paxos_impl.core.multi.transition import Transition

WAITING_MAX = 4096
"""How many reads may wait. More are refused, so that memory stays bounded."""


def request(t: Transition, wanted: Sequence[ReadRequested]) -> Transition:
    """Answer reads that need nothing more, queue those that do, and refuse the rest.

    The reads came together, so what allows one of them to be answered allows all of them.
    """
    phase = t.state.phase
    return _request_leader(t, phase, wanted) if isinstance(phase, Leading) else _request_other(t, wanted)


def _request_other(t: Transition, wanted: Sequence[ReadRequested]) -> Transition:
    """Reads that came to a replica that does not lead."""
    state, effects = t.state, list[Effect]()
    for each in wanted:
        if each.how == "stale":
            effects.append(Query(each.request, each.op, state.applied, "stale"))
        elif state.rules.may_read(is_leader=False):
            effects.append(Query(each.request, each.op, state.applied))
        else:
            effects.append(Decline(each.request, state.leader, maybe=False))
    return t.emit(*effects)


def _request_leader(t: Transition, phase: Leading, wanted: Sequence[ReadRequested]) -> Transition:
    state = t.state
    by_lease = leadership.is_current(state, phase) and leadership.holds_lease(t, phase)
    due, room = list[PendingRead](), WAITING_MAX - len(phase.reads)
    effects, applied, ballot = list[Effect](), state.applied, phase.ballot
    for each in wanted:
        if by_lease and each.how == "lease":
            effects.append(Query(each.request, each.op, applied, "lease", ballot))
        elif each.how == "stale":
            effects.append(Query(each.request, each.op, applied, "stale"))
        elif len(due) >= room:
            effects.append(Overloaded(each.request))
        else:
            heartbeat = state.rules.heartbeat_for_read(phase.heartbeat)
            due.append(PendingRead(each.request, each.op, heartbeat, by_lease=each.how == "lease"))
    if due:
        t = t.update(phase=replace(phase, reads=(*phase.reads, *due)))
    return t.emit(*effects)


def is_waiting(state: State) -> bool:
    """Whether reads wait for a heartbeat to be answered."""
    return isinstance(state.phase, Leading) and bool(state.phase.reads)


def serve(t: Transition) -> Transition:
    """Answer all reads that may be answered by now."""
    state, phase = t.state, t.state.phase
    if not isinstance(phase, Leading) or not phase.reads or not leadership.is_current(state, phase):
        return t
    confirmed, holds_lease = _confirmed(state, phase), leadership.holds_lease(t, phase)
    effects, left = list[Effect](), list[PendingRead]()
    for each in phase.reads:
        if each.heartbeat <= confirmed:
            effects.append(Query(each.request, each.op, state.applied))
        elif each.by_lease and holds_lease:
            effects.append(Query(each.request, each.op, state.applied, "lease", phase.ballot))
        else:
            left.append(each)
    return t.emit(*effects).update(phase=replace(phase, reads=tuple(left))) if effects else t


def needs_heartbeat(state: State) -> bool:
    """Whether reads wait for a heartbeat, and none is under way that could confirm them."""
    phase = state.phase
    if not isinstance(phase, Leading) or not phase.reads or not leadership.is_current(state, phase):
        return False
    return _confirmed(state, phase) == phase.heartbeat


def _confirmed(state: State, phase: Leading) -> int:
    """The last heartbeat that a quorum has answered, of those who decide the first open slot."""
    voters = state.configuration(state.commit_index + 1).voters
    answered = sorted(
        (phase.heartbeat if voter == state.server_id else phase.answered.get(voter, 0) for voter in voters),
        reverse=True,
    )
    return answered[state.rules.quorum(len(voters)) - 1]
