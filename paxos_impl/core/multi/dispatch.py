"""Dispatches each event to the roles, in the order in which they have to act.

This is the only module that knows more than one role. A role never calls another one: where one event
concerns several roles, the function for it here says which acts first, and why the order matters.
"""

from __future__ import annotations

from typing import Literal

from ostrakon.paxos_impl.core.ballot import Vote
from ostrakon.paxos_impl.core.event import Started
from ostrakon.paxos_impl.core.multi import (
    acceptor,
    catch_up,
    election,
    leader,
    leadership,
    learner,
    reading,
    reconfiguration,
    transfer,
)
from ostrakon.paxos_impl.core.multi.effect import Configured, Install, Restarted, SetTimer
from ostrakon.paxos_impl.core.multi.event import (
    ChangeRequested,
    Drained,
    Event,
    ReadRequested,
    ReadsRequested,
    Received,
    SnapshotSaved,
    Submitted,
    TimerFired,
)
from ostrakon.paxos_impl.core.multi.message import (
    Accepted,
    Ask,
    Chunk,
    Entry,
    Fetch,
    Heartbeat,
    HeartbeatResponse,
    Message,
    Nack,
    Offer,
    Prepare,
    PreVote,
    PreVoteResponse,
    Promise,
    Propose,
    Tell,
)
from ostrakon.paxos_impl.core.multi.phase import Leading, PreVoting
from ostrakon.paxos_impl.core.multi.snapshot import Image
from ostrakon.paxos_impl.core.multi.state import State
from ostrakon.paxos_impl.core.multi.transition import Transition


def dispatch(t: Transition, event: Event) -> Transition:
    """The transition after one event."""
    match event:  # The most frequent events come first: a trial spends much of its time here.
        case Received(message, sender):
            # A removed member may still run, and must not count towards quorums or depose anybody.
            return t if t.state.is_former(sender) else _receive(t, message, sender)
        case Drained():
            return _drained(t)
        case Submitted(request, command, size):
            return leader.submit(t, request, command, size)
        case ReadsRequested(wanted):
            return _read(t, wanted)
        case TimerFired("election"):
            return _time_out(t)
        case TimerFired("heartbeat"):
            return leader.send_heartbeat(t)
        case SnapshotSaved(image):
            return _snapshot_saved(t, image)
        case ReadRequested():
            return _read(t, (event,))
        case ChangeRequested(request, members):
            return reconfiguration.request(t, request, members)
        case Started():
            return _start(t)
    raise AssertionError(f"no role handles {event}")


def _receive(t: Transition, message: Message, sender: int) -> Transition:
    match message:
        case Propose():
            return acceptor.answer_propose(t, message, sender)
        case Accepted():
            return _accepted(t, message, sender)
        case Heartbeat():
            return _heartbeat(t, message, sender)
        case HeartbeatResponse():
            return _heartbeat_response(t, message, sender)
        case Prepare():
            return acceptor.answer_prepare(t, message, sender)
        case Promise():
            return _promise(t, message, sender)
        case Nack(_, promised):
            return leadership.observe_ballot(t, promised)
        case Ask(from_slot):
            return catch_up.tell(t, from_slot, sender)
        case Tell():
            return _tell(t, message, sender)
        case Offer():
            return transfer.answer_offer(t, message, sender)
        case Fetch():
            return transfer.send_chunk(t, message, sender)
        case Chunk():
            return transfer.add_chunk(t, message, sender)
        case PreVote():
            return election.answer_pre_vote(t, message, sender)
        case PreVoteResponse(number):
            return _pre_vote(t, sender) if election.is_pre_voting(t.state, number) else t
    raise AssertionError(f"no role handles {message}")


def _start(t: Transition) -> Transition:
    """The process has begun to run, with what its disk remembers."""
    state = t.state
    votes = tuple(
        Entry(slot, vote.ballot, vote.value) for slot, vote in state.log.votes_from(state.commit_index + 1)
    )
    t = t.emit(Restarted(state.promised, votes, state.commit_index))
    t = t.emit(*(Configured(each) for each in state.configurations if each.members))
    if state.images:
        t = t.emit(Install(state.images[-1]))
    t = _execute(t, state.commit_index)
    if state.lease_config is not None:
        # A lease that was granted just before the restart is forgotten, and may still be relied on.
        t = t.update(grant=state.rules.grant_at_start(state.incarnation, state.lease_config, t.now))
    return t.emit(SetTimer("election", soon=state.incarnation == 0))


# Elections.


def _time_out(t: Transition) -> Transition:
    t = election.time_out(t)
    if isinstance(t.state.phase, PreVoting):
        return _pre_vote(t, t.state.server_id)
    return t


def _pre_vote(t: Transition, responder: int) -> Transition:
    """Count a response to a pre-vote; a quorum of them starts a ballot."""
    t = election.count_pre_vote(t, responder)
    if not election.wins_pre_vote(t.state):
        return t
    t, prepare = election.start_ballot(t)
    # The candidate's own promise comes first. The prepare then leaves only once this promise is durable, so
    # the ballot is not used again after a restart (PMS 2.5).
    t = acceptor.answer_prepare(t, prepare, t.state.server_id)
    return t.send(t.state.others, prepare)


def _promise(t: Transition, promise: Promise, sender: int) -> Transition:
    t = leader.count_late_promise(t, promise, sender)
    counted = election.count_promise(t, promise, sender)
    if counted is not t and election.is_elected(counted.state):
        return leader.lead(counted)
    return counted


# Learning and executing.


def _accepted(t: Transition, accepted: Accepted, sender: int) -> Transition:
    t = leader.count_vote(t, accepted, sender)
    if (chosen := leader.chosen_by(t.state, accepted)) is None:
        return t
    # A new leader may answer reads once it has executed what promises reported, which may be this slot.
    return _serve_reads(_learn(t, accepted.slot, chosen, "votes"))


def _learn(t: Transition, slot: int, vote: Vote, how: Literal["votes", "told"]) -> Transition:
    """A value is known to be chosen in a slot; execute it if all slots before it are executed."""
    if slot <= t.state.log.base:
        return t
    t = leader.drop_proposal(t, slot)
    if learner.knows(t.state, slot, vote):
        return t
    return _execute(learner.learn(t, slot, vote, how), slot)


def _execute(t: Transition, learned: int) -> Transition:
    """Execute all slots that can be, now that `learned` is known to be chosen."""
    while (slot := t.state.rules.next_applied(t.state.log, t.state.applied, learned)) is not None:
        t, batch, requests = learner.execute(t, slot)
        before = t.state.configurations
        t = reconfiguration.apply(t, slot, batch, requests)
        if t.state.configurations is not before:
            t = leader.prepare_missing(t)  # New members have promised nothing yet.
        t = transfer.take_if_due(t)
    return t


def _tell(t: Transition, tell: Tell, sender: int) -> Transition:
    known_before = t.state.commit_index
    for entry in tell.entries:
        if learner.is_near(t.state, entry.slot):
            t = _learn(t, entry.slot, entry.vote, "told")
    return learner.ask_for_more(t, tell, known_before, sender)


def _snapshot_saved(t: Transition, image: Image) -> Transition:
    """A snapshot is durable: install it if it is ahead, or drop what it replaces."""
    state = t.state
    if not transfer.is_newer(state, image):
        return t
    t = transfer.keep(t, image)
    if not state.rules.may_install(image.slot, state.applied):
        return transfer.compact(t, image)
    # A leader that lacks what the snapshot shows would propose in slots that are decided already.
    t = transfer.install(leadership.step_down(t), image)
    return _execute(learner.advance(t), image.slot)


# Heartbeats and reads.


def _heartbeat(t: Transition, heartbeat: Heartbeat, sender: int) -> Transition:
    """The leader lives, and tells its commit index."""
    if learner.refuses(t.state, heartbeat):
        return learner.refuse(t, heartbeat, sender)
    t = leadership.follow(t, heartbeat.ballot)
    state = t.state
    for slot in range(state.commit_index + 1, min(heartbeat.commit_index, state.log.top) + 1):
        if (vote := learner.own_vote(t.state, slot, heartbeat)) is not None:
            t = _learn(t, slot, vote, "told")
    return learner.answer_heartbeat(t, heartbeat, sender)


def _heartbeat_response(t: Transition, response: HeartbeatResponse, sender: int) -> Transition:
    if not leader.is_own_heartbeat(t.state, response):
        return t
    t = _serve_reads(leader.count_heartbeat_response(t, response, sender))
    return reconfiguration.answer(t)


def _read(t: Transition, wanted: tuple[ReadRequested, ...]) -> Transition:
    is_waiting = reading.is_waiting(t.state)
    t = reading.request(t, wanted)
    # Reads that wait already have a heartbeat under way; the new ones join the next one.
    return t if is_waiting else _serve_reads(t)


def _serve_reads(t: Transition) -> Transition:
    t = reading.serve(t)
    if not reading.needs_heartbeat(t.state):
        return t
    t = leader.send_heartbeat(t)
    return t if t.state.others else _serve_reads(t)  # A leader alone needs no answer but its own.


def is_settled(state: State) -> bool:
    """Whether the event `Drained` would change nothing and have no effect, so that it can be left out.

    It comes after each batch of events, and a leader that only waits for votes has nothing to do then.
    """
    phase = state.phase
    return not isinstance(phase, Leading) or not (
        phase.announced_index < state.commit_index or _has_work(state, phase)
    )


def only_announces(state: State) -> bool:
    """Whether the event `Drained` would do nothing but tell the followers the commit index.

    That may wait: the followers vote and promise the same without it, and only execute the slot later.
    """
    phase = state.phase
    return (
        isinstance(phase, Leading)
        and phase.announced_index < state.commit_index
        and not _has_work(state, phase)
    )


def _has_work(state: State, phase: Leading) -> bool:
    """Whether a leader has something to propose or to answer, or has to resign."""
    return bool(
        state.queue
        or phase.changes
        or phase.next_slot <= max(phase.last_reported, state.commit_index)
        or phase.next_slot < state.configurations[-1].from_slot
        or not state.has_vote
    )


def _drained(t: Transition) -> Transition:
    """All events that had come in were handled: do what is done once for all of them."""
    t = leader.announce(leader.propose_queued(t))
    return leader.resign_if_removed(reconfiguration.answer(t))
