"""The candidate: notices by a time-out that there is no leader, and gathers a quorum's promises.

Safety rests on nothing in this file; it only decides when somebody uses a new ballot. A pre-vote comes first
(Raft dissertation, 9.6): a replica asks whether a quorum misses a leader too before it uses a ballot. So a
replica that cannot hear the leader does not depose it, and a leader that no quorum answers gives up.
"""

from __future__ import annotations

from msgspec.structs import replace

from ostrakon.paxos_impl.core.ballot import highest
from ostrakon.paxos_impl.core.multi import leadership
from ostrakon.paxos_impl.core.multi.effect import SetTimer
from ostrakon.paxos_impl.core.multi.message import Prepare, PreVote, PreVoteResponse, Promise
from ostrakon.paxos_impl.core.multi.phase import Following, Leading, Preparing, PreVoting
from ostrakon.paxos_impl.core.multi.state import State
from ostrakon.paxos_impl.core.multi.transition import Transition


def time_out(t: Transition) -> Transition:
    """The election timer ran out.

    A leader goes on leading if a quorum has answered since last time. Any other replica has heard of no
    leader for long, and starts a pre-vote if it may: its phase is `PreVoting` then.
    """
    state = t.state
    phase = state.phase
    if isinstance(phase, Leading) and state.rules.may_go_on(leadership.is_answered(state, phase)):
        return t.update(phase=replace(phase, checked=phase.heartbeat)).emit(SetTimer("election"))
    t = leadership.step_down(t).update(leader=None, is_leaderless=True, deferred_to=())
    if not state.has_vote or t.is_bound(state.server_id):
        return t.emit(SetTimer("election", soon=state.has_vote))
    number, attempts = state.pre_votes + 1, state.attempts + 1
    t = t.update(pre_votes=number, attempts=attempts, phase=PreVoting())
    t = t.send(state.others, PreVote(number))
    return t.emit(SetTimer("election", soon=True, attempt=attempts))


def answer_pre_vote(t: Transition, pre_vote: PreVote, sender: int) -> Transition:
    """Agree to a pre-vote, unless there is a leader, or a lease was granted to somebody who may be one.

    The replica also waits a while before it starts a pre-vote itself, so that the two do not duel.
    """
    state = t.state
    if not state.is_leaderless or t.is_bound(sender):
        return t
    t = t.send((sender,), PreVoteResponse(pre_vote.number))
    if not isinstance(state.phase, Following) or not state.rules.may_defer_to(state.deferred_to, sender):
        return t
    timer = SetTimer("election", soon=True, attempt=max(1, state.attempts))
    return t.update(deferred_to=(*state.deferred_to, sender)).emit(timer)


def is_pre_voting(state: State, number: int) -> bool:
    """Whether the replica waits for responses to this pre-vote."""
    return isinstance(state.phase, PreVoting) and number == state.pre_votes


def count_pre_vote(t: Transition, sender: int) -> Transition:
    """A member would follow this replica."""
    phase = t.state.phase
    assert isinstance(phase, PreVoting), f"a pre-vote counted while {phase}"
    return t.update(phase=PreVoting(t.state.rules.with_voter(phase.responders, sender)))


def wins_pre_vote(state: State) -> bool:
    """Whether a quorum would follow this replica."""
    return isinstance(state.phase, PreVoting) and state.is_quorum(
        state.phase.responders, state.commit_index + 1
    )


def start_ballot(t: Transition) -> tuple[Transition, Prepare]:
    """Choose a new ballot. The prepare is phase 1a, once for all slots that are not known to be chosen."""
    state = t.state
    ballot = state.rules.next_ballot(state.server_id, state.own_ballot, state.promised, state.highest)
    prepare = Prepare(ballot, state.commit_index + 1)
    t = t.update(
        own_ballot=ballot,
        highest=highest(state.highest, ballot),
        phase=Preparing(ballot, prepare.from_slot),
    )
    return t, prepare


def count_promise(t: Transition, promise: Promise, sender: int) -> Transition:
    """Count a promise of the ballot that this replica prepares; any other promise changes nothing."""
    phase = t.state.phase
    if not isinstance(phase, Preparing) or promise.ballot != phase.ballot:
        return t
    promisers = t.state.rules.with_voter(phase.promisers, sender)
    if promisers == phase.promisers:
        return t
    return t.update(phase=replace(phase, promisers=promisers, promises=(*phase.promises, promise)))


def is_elected(state: State) -> bool:
    """Whether a quorum has promised the ballot that this replica prepares."""
    phase = state.phase
    return isinstance(phase, Preparing) and state.is_quorum(phase.promisers, phase.from_slot)
