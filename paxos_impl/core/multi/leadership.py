"""Leadership: which ballot a replica follows, and what a leader's own authority rests on.

Every role may hear of a higher ballot, and must then give up its own. So these transitions belong to no role
in particular, just as every server of Raft steps down on a higher term (Raft dissertation, figure 3.1).
"""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.paxos_impl.core.ballot import Ballot, highest
from ostrakon.paxos_impl.core.multi.effect import Decline, SetTimer
from ostrakon.paxos_impl.core.multi.phase import Following, Leading, Preparing, PreVoting
from ostrakon.paxos_impl.core.multi.state import State
from ostrakon.paxos_impl.core.multi.transition import Transition

# Transitions.


def follow(t: Transition, ballot: Ballot) -> Transition:
    """The replica heard from the leader of a ballot that is not lower than its promise: follow it."""
    t = make_way(t, ballot)
    state = t.state
    if ballot.server_id == state.server_id:
        return t
    phase = Following() if isinstance(state.phase, PreVoting) else state.phase
    return t.update(leader=ballot.server_id, is_leaderless=False, attempts=0, deferred_to=(), phase=phase)


def make_way(t: Transition, ballot: Ballot) -> Transition:
    """The replica heard a ballot that is not lower than its promise: give its proposer time to succeed."""
    t = observe_ballot(t, ballot)
    return t if ballot.server_id == t.state.server_id else t.emit(SetTimer("election"))


def observe_ballot(t: Transition, ballot: Ballot) -> Transition:
    """The replica heard of a ballot: give up its own if that is lower."""
    state = t.state
    if state.highest is None or ballot > state.highest:
        t = t.update(highest=highest(state.highest, ballot))
    if isinstance(state.phase, Preparing | Leading) and state.phase.ballot < ballot:
        return step_down(t)
    return t


def step_down(t: Transition) -> Transition:
    """Stop proposing. What was proposed may still be chosen, so clients are told "maybe"."""
    state = t.state
    phase = state.phase
    if not isinstance(phase, Leading):
        return t.update(phase=Following())
    queued = {queued.command.id: None for queued in state.queue}
    declined = [
        Decline(request, None, maybe=id not in queued)
        for id, requests in state.waiting.items()
        for request in requests
    ]
    declined += [Decline(request, None, maybe=True) for request in phase.changes]
    declined += [Decline(read.request, None, maybe=False) for read in phase.reads]
    t = t.emit(*declined, SetTimer("election"))
    return t.update(leader=None, waiting={}, queue=(), phase=Following())


# What a leader may rely on.


def may_propose(state: State, phase: Leading, slot: int) -> bool:
    """Whether a quorum of the slot's configuration has promised the ballot and reported its votes there."""
    return state.is_quorum(tuple(who for who, first in phase.promisers.items() if first <= slot), slot)


def is_promised(state: State, phase: Leading) -> bool:
    """Whether a quorum of each configuration that is or will be in force has promised the ballot."""
    return all(may_propose(state, phase, slot) for slot in _next_slots(state))


def is_current(state: State, phase: Leading) -> bool:
    """Whether the leader's state holds all that was acknowledged before it led."""
    caught_up = state.rules.is_current(state.commit_index, phase.last_reported)
    return caught_up and is_promised(state, phase)


def holds_lease(t: Transition, phase: Leading) -> bool:
    """Whether a quorum of those who could elect another leader has granted that it will not do so yet."""
    state = t.state
    if state.lease_config is None:
        return False
    rules, trusted_s = state.rules, state.rules.trusted_s(state.lease_config)
    granters = (
        follower
        for follower, since in phase.lease.granted.items()
        if rules.holds(rules.passed_s(since, t.now), trusted_s)
    )
    # The leader counts itself: it steps down before it promises anything to another candidate.
    members = (state.server_id, *granters)
    return all(state.is_quorum(members, slot) for slot in _next_slots(state))


def is_answered(state: State, phase: Leading) -> bool:
    """Whether a quorum has answered a heartbeat since this was last checked."""
    answering = (member for member in state.others if phase.answered.get(member, 0) > phase.checked)
    return state.is_quorum((state.server_id, *answering), state.commit_index + 1)


def _next_slots(state: State) -> Iterator[int]:
    """For each configuration that is or will be in force, the first open slot that it decides."""
    first = state.commit_index + 1
    return (max(configuration.from_slot, first) for configuration in state.configurations)
