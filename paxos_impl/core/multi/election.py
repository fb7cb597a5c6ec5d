"""Who leads: found out by time-outs, among those whom a quorum can reach and would follow.

Safety rests on none of this. A leader is disturbed by nobody as long as a quorum hears from it, and gives
up by itself when it does not hear from one.
"""

from __future__ import annotations

from msgspec.structs import replace

from ostrakon.paxos_impl.core.ballot import Ballot, highest
from ostrakon.paxos_impl.core.multi import acceptor, leader
from ostrakon.paxos_impl.core.multi.effect import Decline, SetTimer
from ostrakon.paxos_impl.core.multi.message import Prepare, PreVote, PreVoteResponse, Promise
from ostrakon.paxos_impl.core.multi.phase import Following, Leading, Preparing, PreVoting
from ostrakon.paxos_impl.core.multi.transition import Transition


def follow(t: Transition, ballot: Ballot) -> None:
    """The leader of this ballot lives."""
    make_way(t, ballot)
    if ballot.server_id != t.me:
        t.leader, t.is_leaderless, t.attempts, t.deferred_to = ballot.server_id, False, 0, ()
        if isinstance(t.phase, PreVoting):
            t.phase = Following()


def make_way(t: Transition, ballot: Ballot) -> None:
    """Somebody uses a ballot that is none lower than what was promised: let it have its chance."""
    hear_of(t, ballot)
    if ballot.server_id != t.me:
        t.do(SetTimer("election"))


def hear_of(t: Transition, ballot: Ballot) -> None:
    """There is such a ballot; one's own is over if it is lower."""
    t.highest = highest(t.highest, ballot)
    if isinstance(t.phase, Preparing | Leading) and t.phase.ballot < ballot:
        step_down(t)


def step_down(t: Transition) -> None:
    """Propose nothing any more. What was proposed may be chosen yet."""
    if isinstance(t.phase, Leading):
        queued = {queued.command.id: None for queued in t.queue}
        t.leader = None
        for id, requests in t.waiting.items():
            for request in requests:
                t.do(Decline(request, None, maybe=id not in queued))
        for request in t.phase.changes:
            t.do(Decline(request, None, maybe=True))
        for read in t.phase.reads:
            t.do(Decline(read.request, None, maybe=False))
        t.waiting, t.queue = {}, ()
        t.do(SetTimer("election"))
    t.phase = Following()


def time_out(t: Transition) -> None:
    """No leader was heard of for long, or, at the leader, it is time to see who answers."""
    match t.phase:
        case Leading() as phase if t.rules.may_go_on(_is_answered(t, phase)):
            t.phase = replace(phase, checked=phase.heartbeat)
            t.do(SetTimer("election"))
        case _:
            step_down(t)
            t.leader, t.is_leaderless, t.deferred_to = None, True, ()
            if t.has_vote and not t.is_bound(t.me):
                _send_pre_vote(t)
            else:
                t.do(SetTimer("election", soon=t.has_vote))


def _is_answered(t: Transition, phase: Leading) -> bool:
    return t.is_quorum(leader.answering(t, phase), t.commit_index + 1)


def _send_pre_vote(t: Transition) -> None:
    t.pre_votes += 1
    t.attempts += 1
    t.phase = PreVoting()
    t.send(t.others, PreVote(t.pre_votes))
    t.do(SetTimer("election", soon=True, attempt=t.attempts))
    hear_pre_vote_response(t, PreVoteResponse(t.pre_votes), t.me)


def answer_pre_vote(t: Transition, pre_vote: PreVote, sender: int) -> None:
    """PreVoteResponse whoever asks, unless there is a leader, or may be one by a lease that was granted.

    And give way to it for a while, lest they duel.
    """
    if t.is_leaderless and not t.is_bound(sender):
        t.send((sender,), PreVoteResponse(pre_vote.number))
        if isinstance(t.phase, Following) and t.rules.may_defer_to(t.deferred_to, sender):
            t.deferred_to = (*t.deferred_to, sender)
            t.do(SetTimer("election", soon=True, attempt=max(1, t.attempts)))


def hear_pre_vote_response(t: Transition, response: PreVoteResponse, sender: int) -> None:
    """With a quorum's support, start a ballot."""
    if isinstance(t.phase, PreVoting) and response.number == t.pre_votes:
        responders = t.rules.with_voter(t.phase.responders, sender)
        t.phase = PreVoting(responders)
        if t.is_quorum(responders, t.commit_index + 1):
            _prepare(t)


def _prepare(t: Transition) -> None:
    """Phase 1a: once, for all slots that are not known to be chosen."""
    ballot = t.rules.next_ballot(t.me, t.own_ballot, t.promised, t.highest)
    t.own_ballot = ballot
    t.highest = highest(t.highest, ballot)
    prepare = Prepare(ballot, t.commit_index + 1)
    t.phase = Preparing(ballot, prepare.from_slot)
    # Its own promise comes first: the prepare waits until that is durable, and so the ballot can't
    # be used again after a restart (PMS 2.5).
    acceptor.answer_prepare(t, prepare, t.me)
    t.send(t.others, prepare)


def hear_promise(t: Transition, promise: Promise, sender: int) -> None:
    """With a quorum's promises, lead."""
    phase = t.phase
    if isinstance(phase, Leading) and promise.ballot == phase.ballot:
        leader.hear_late_promise(t, promise, sender)
    if not isinstance(phase, Preparing) or promise.ballot != phase.ballot:
        return
    promisers = t.rules.with_voter(phase.promisers, sender)
    if promisers == phase.promisers:
        return
    phase = replace(phase, promisers=promisers, promises=(*phase.promises, promise))
    t.phase = phase
    if t.is_quorum(promisers, phase.from_slot):
        leader.lead(t, phase)
