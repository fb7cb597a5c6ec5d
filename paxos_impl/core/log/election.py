"""Who leads: found out by time-outs, among those whom a quorum can reach and would follow.

Safety rests on none of this. A leader is disturbed by nobody as long as a quorum hears from it, and gives
up by itself when it does not hear from one.
"""

from __future__ import annotations

from msgspec.structs import replace

from ostrakon.paxos_impl.core.ballot import Ballot, highest
from ostrakon.paxos_impl.core.log import acceptor, leader
from ostrakon.paxos_impl.core.log.effect import Decline, SetTimer
from ostrakon.paxos_impl.core.log.message import Canvass, Prepare, Promise, Support
from ostrakon.paxos_impl.core.log.phase import Campaigning, Canvassing, Following, Leading
from ostrakon.paxos_impl.core.log.turn import Turn


def follow(turn: Turn, ballot: Ballot) -> None:
    """The leader of this ballot lives."""
    make_way(turn, ballot)
    if ballot.server_id != turn.me:
        turn.leader, turn.is_alone, turn.attempts, turn.yielded = ballot.server_id, False, 0, ()
        if isinstance(turn.phase, Canvassing):
            turn.phase = Following()


def make_way(turn: Turn, ballot: Ballot) -> None:
    """Somebody uses a ballot that is none lower than what was promised: let it have its chance."""
    hear_of(turn, ballot)
    if ballot.server_id != turn.me:
        turn.do(SetTimer("election"))


def hear_of(turn: Turn, ballot: Ballot) -> None:
    """There is such a ballot; one's own is over if it is lower."""
    turn.highest = highest(turn.highest, ballot)
    if isinstance(turn.phase, Campaigning | Leading) and turn.phase.ballot < ballot:
        step_down(turn)


def step_down(turn: Turn) -> None:
    """Propose nothing any more. What was proposed may be chosen yet."""
    if isinstance(turn.phase, Leading):
        queued = {queued.command.id: None for queued in turn.queue}
        turn.leader = None
        for id, requests in turn.waiting.items():
            for request in requests:
                turn.do(Decline(request, None, maybe=id not in queued))
        for request in turn.phase.changes:
            turn.do(Decline(request, None, maybe=True))
        for read in turn.phase.reads:
            turn.do(Decline(read.request, None, maybe=False))
        turn.waiting, turn.queue = {}, ()
        turn.do(SetTimer("election"))
    turn.phase = Following()


def time_out(turn: Turn) -> None:
    """No leader was heard of for long, or, at the leader, it is time to see who answers."""
    match turn.phase:
        case Leading() as phase if turn.rules.may_go_on(_is_answered(turn, phase)):
            turn.phase = replace(phase, checked=phase.beat)
            turn.do(SetTimer("election"))
        case _:
            step_down(turn)
            turn.leader, turn.is_alone, turn.yielded = None, True, ()
            if turn.has_vote and not turn.is_bound(turn.me):
                _canvass(turn)
            else:
                turn.do(SetTimer("election", soon=turn.has_vote))


def _is_answered(turn: Turn, phase: Leading) -> bool:
    return turn.is_quorum(leader.answering(turn, phase), turn.upto + 1)


def _canvass(turn: Turn) -> None:
    turn.canvass += 1
    turn.attempts += 1
    turn.phase = Canvassing()
    turn.send(turn.others, Canvass(turn.canvass))
    turn.do(SetTimer("election", soon=True, attempt=turn.attempts))
    hear_support(turn, Support(turn.canvass), turn.me)


def answer_canvass(turn: Turn, canvass: Canvass, sender: int) -> None:
    """Support whoever asks, unless there is a leader, or may be one by a lease that was granted.

    And give way to it for a while, lest they duel.
    """
    if turn.is_alone and not turn.is_bound(sender):
        turn.send((sender,), Support(canvass.number))
        if isinstance(turn.phase, Following) and turn.rules.may_yield(turn.yielded, sender):
            turn.yielded = (*turn.yielded, sender)
            turn.do(SetTimer("election", soon=True, attempt=max(1, turn.attempts)))


def hear_support(turn: Turn, support: Support, sender: int) -> None:
    """With a quorum's support, start a ballot."""
    if isinstance(turn.phase, Canvassing) and support.number == turn.canvass:
        supporters = turn.rules.with_voter(turn.phase.supporters, sender)
        turn.phase = Canvassing(supporters)
        if turn.is_quorum(supporters, turn.upto + 1):
            _campaign(turn)


def _campaign(turn: Turn) -> None:
    """Phase 1a: once, for all slots that are not known to be chosen."""
    ballot = turn.rules.next_ballot(turn.me, turn.own_ballot, turn.promised, turn.highest)
    turn.own_ballot = ballot
    turn.highest = highest(turn.highest, ballot)
    prepare = Prepare(ballot, turn.upto + 1)
    turn.phase = Campaigning(ballot, prepare.from_slot)
    # Its own promise comes first: the prepare waits until that is durable, and so the ballot can't
    # be used again after a restart (PMS 2.5).
    acceptor.answer_prepare(turn, prepare, turn.me)
    turn.send(turn.others, prepare)


def hear_promise(turn: Turn, promise: Promise, sender: int) -> None:
    """With a quorum's promises, lead."""
    phase = turn.phase
    if isinstance(phase, Leading) and promise.ballot == phase.ballot:
        leader.hear_late_promise(turn, promise, sender)
    if not isinstance(phase, Campaigning) or promise.ballot != phase.ballot:
        return
    promisers = turn.rules.with_voter(phase.promisers, sender)
    if promisers == phase.promisers:
        return
    phase = replace(phase, promisers=promisers, promises=(*phase.promises, promise))
    turn.phase = phase
    if turn.is_quorum(promisers, phase.from_slot):
        leader.lead(turn, phase)
