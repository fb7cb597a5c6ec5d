"""Which role of a replica sees to which event."""

from __future__ import annotations

from ostrakon.paxos_impl.core.event import Started
from ostrakon.paxos_impl.core.log import (
    acceptor,
    election,
    leader,
    learner,
    reading,
    reconfiguration,
    transfer,
)
from ostrakon.paxos_impl.core.log.effect import Configured, Install, Restarted, SetTimer
from ostrakon.paxos_impl.core.log.event import (
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
from ostrakon.paxos_impl.core.log.message import (
    Accepted,
    Ask,
    Canvass,
    Chunk,
    Commit,
    Entry,
    Fetch,
    Heard,
    Message,
    Nack,
    Offer,
    Prepare,
    Promise,
    Propose,
    Support,
    Tell,
)
from ostrakon.paxos_impl.core.log.turn import Turn


def handle(turn: Turn, event: Event) -> None:
    """Do what an event asks for; called once in a turn."""
    match event:
        case Received(message, sender):
            if not turn.before.is_former(sender):
                _receive(turn, message, sender)
        case Submitted(request, command, size):
            leader.submit(turn, request, command, size)
        case ReadsRequested(wanted):
            reading.read(turn, wanted)
        case ReadRequested():
            reading.read(turn, (event,))
        case ChangeRequested(request, members):
            reconfiguration.ask(turn, request, members)
        case SnapshotSaved(image):
            transfer.saved(turn, image)
        case TimerFired("election"):
            election.time_out(turn)
        case TimerFired("beat"):
            leader.beat(turn)
        case Drained():
            leader.drain(turn)
        case Started():
            _start(turn)


def _start(turn: Turn) -> None:
    votes = tuple(
        Entry(slot, vote.ballot, vote.value) for slot, vote in turn.ledger.votes_from(turn.upto + 1)
    )
    turn.do(Restarted(turn.promised, votes, turn.upto))
    for configuration in turn.configurations:
        if configuration.members:
            turn.do(Configured(configuration))
    if turn.images:
        turn.do(Install(turn.images[-1]))
    learner.execute(turn, turn.upto)
    if turn.terms is not None:
        turn.grant = turn.rules.grant_at_start(turn.before.incarnation, turn.terms, turn.now)
    turn.do(SetTimer("election", soon=turn.before.incarnation == 0))


def _receive(turn: Turn, message: Message, sender: int) -> None:
    match message:
        case Prepare():
            acceptor.answer_prepare(turn, message, sender)
        case Propose():
            acceptor.answer_propose(turn, message, sender)
        case Promise():
            election.hear_promise(turn, message, sender)
        case Accepted():
            leader.hear_vote(turn, message, sender)
        case Nack(_, promised):
            election.hear_of(turn, promised)
        case Commit():
            learner.hear_commit(turn, message, sender)
        case Heard():
            leader.hear_answer(turn, message, sender)
        case Ask(from_slot):
            learner.tell(turn, from_slot, sender)
        case Tell():
            learner.hear_tell(turn, message, sender)
        case Offer():
            transfer.hear_offer(turn, message, sender)
        case Fetch():
            transfer.send_chunk(turn, message, sender)
        case Chunk():
            transfer.hear_chunk(turn, message, sender)
        case Canvass():
            election.answer_canvass(turn, message, sender)
        case Support():
            election.hear_support(turn, message, sender)
