"""Which role of a replica sees to which event."""

from __future__ import annotations

from ostrakon.paxos_impl.core.event import Started
from ostrakon.paxos_impl.core.multi import (
    acceptor,
    election,
    leader,
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
from ostrakon.paxos_impl.core.multi.transition import Transition


def dispatch(t: Transition, event: Event) -> None:
    """Do what an event asks for; called once in a t."""
    match event:
        case Received(message, sender):
            if not t.before.is_former(sender):
                _receive(t, message, sender)
        case Submitted(request, command, size):
            leader.submit(t, request, command, size)
        case ReadsRequested(wanted):
            reading.read(t, wanted)
        case ReadRequested():
            reading.read(t, (event,))
        case ChangeRequested(request, members):
            reconfiguration.ask(t, request, members)
        case SnapshotSaved(image):
            transfer.saved(t, image)
        case TimerFired("election"):
            election.time_out(t)
        case TimerFired("heartbeat"):
            leader.heartbeat(t)
        case Drained():
            leader.drain(t)
        case Started():
            _start(t)


def _start(t: Transition) -> None:
    votes = tuple(Entry(slot, vote.ballot, vote.value) for slot, vote in t.log.votes_from(t.commit_index + 1))
    t.do(Restarted(t.promised, votes, t.commit_index))
    for configuration in t.configurations:
        if configuration.members:
            t.do(Configured(configuration))
    if t.images:
        t.do(Install(t.images[-1]))
    learner.execute(t, t.commit_index)
    if t.lease_config is not None:
        t.grant = t.rules.grant_at_start(t.before.incarnation, t.lease_config, t.now)
    t.do(SetTimer("election", soon=t.before.incarnation == 0))


def _receive(t: Transition, message: Message, sender: int) -> None:
    match message:
        case Prepare():
            acceptor.answer_prepare(t, message, sender)
        case Propose():
            acceptor.answer_propose(t, message, sender)
        case Promise():
            election.hear_promise(t, message, sender)
        case Accepted():
            leader.hear_vote(t, message, sender)
        case Nack(_, promised):
            election.hear_of(t, promised)
        case Heartbeat():
            learner.hear_heartbeat(t, message, sender)
        case HeartbeatResponse():
            leader.hear_answer(t, message, sender)
        case Ask(from_slot):
            learner.tell(t, from_slot, sender)
        case Tell():
            learner.hear_tell(t, message, sender)
        case Offer():
            transfer.hear_offer(t, message, sender)
        case Fetch():
            transfer.send_chunk(t, message, sender)
        case Chunk():
            transfer.hear_chunk(t, message, sender)
        case PreVote():
            election.answer_pre_vote(t, message, sender)
        case PreVoteResponse():
            election.hear_pre_vote_response(t, message, sender)
