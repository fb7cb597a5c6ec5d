"""The leader: proposes what clients submit, slot after slot, and lets them read.

It has a quorum's promise for all slots that are still open, and so needs no phase 1 for any of them.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from paxos_impl.core.ballot import Vote
from paxos_impl.core.log import learner
from paxos_impl.core.log.command import Batch, Command, Queued
from paxos_impl.core.log.effect import Decline, Overloaded, Query, SetTimer
from paxos_impl.core.log.message import Accepted, Commit, Heard, Propose
from paxos_impl.core.log.phase import Campaigning, Flight, Leading, Read
from paxos_impl.core.log.turn import Turn

WINDOW = 16
"""How many slots may be under way at once; what comes meanwhile is batched."""
BATCH_COMMANDS_MAX = 128
BATCH_BYTES_MAX = 8192
"""What a batch may have in all, unless it is a single command."""
WAITING_MAX = 4096
"""How many commands, and how many reads, may wait; more are refused rather than held."""


def lead(turn: Turn, campaign: Campaigning) -> None:
    """Phase 2a for all slots that the promises left open, below the highest that any of them reports."""
    reports: dict[int, list[Vote | None]] = {}
    for promise in campaign.promises:
        for entry in promise.votes:
            reports.setdefault(entry.slot, []).append(entry.vote)
    top = max(reports, default=campaign.from_slot - 1)
    turn.phase = Leading(campaign.ballot, max(top, turn.upto) + 1, barrier=top)
    turn.leader, turn.is_alone = turn.me, False
    for slot in range(campaign.from_slot, top + 1):
        filler = turn.rules.filler()
        if slot in reports or filler is not None:
            _propose(turn, slot, turn.rules.safe_value(reports.get(slot, ()), filler))
    turn.do(SetTimer("election"))
    beat(turn)


def submit(turn: Turn, request: int, command: Command, size: int) -> None:
    """A client wants a command executed: queue it to be proposed, or say who would."""
    if not isinstance(turn.phase, Leading):
        turn.do(Decline(request, turn.leader, maybe=False))
        return
    waiting = turn.waiting.get(command.id)
    if waiting is None and len(turn.waiting) >= WAITING_MAX:
        turn.do(Overloaded(request))
        return
    turn.waiting = {**turn.waiting, command.id: (*(waiting or ()), request)}
    if waiting is None:
        turn.queue = (*turn.queue, Queued(command, size))


def drain(turn: Turn) -> None:
    """Propose what is queued, and announce what was learned, once for all that came in together."""
    _pump(turn)
    phase = turn.phase
    if isinstance(phase, Leading) and phase.announced < turn.upto:
        turn.phase = replace(phase, announced=turn.upto)
        turn.send(turn.others, Commit(phase.ballot, turn.upto))


def _pump(turn: Turn) -> None:
    """Propose what is queued, as far as the window allows."""
    while turn.queue and isinstance(turn.phase, Leading) and turn.phase.next_slot <= turn.upto + WINDOW:
        batch = _next_batch(turn)
        slot = turn.phase.next_slot
        turn.phase = replace(turn.phase, next_slot=slot + 1)
        _propose(turn, slot, batch)


def _next_batch(turn: Turn) -> Batch:
    count, size = 1, turn.queue[0].size
    for queued in turn.queue[1:BATCH_COMMANDS_MAX]:
        size += queued.size
        if size > BATCH_BYTES_MAX:
            break
        count += 1
    batch, turn.queue = turn.queue[:count], turn.queue[count:]
    return tuple(queued.command for queued in batch)


def _propose(turn: Turn, slot: int, batch: Batch) -> None:
    phase = turn.phase
    assert isinstance(phase, Leading), f"proposing while {phase}"
    turn.phase = replace(phase, flights={**phase.flights, slot: Flight(batch)})
    turn.send(turn.members, Propose(phase.ballot, slot, batch))


def hear_vote(turn: Turn, accepted: Accepted, sender: int) -> None:
    """Phase 2b has come back; a quorum's votes make it chosen."""
    phase = turn.phase
    if not isinstance(phase, Leading) or accepted.ballot != phase.ballot:
        return
    slot = accepted.slot
    if (flight := phase.flights.get(slot)) is None:
        return
    voters = turn.rules.with_voter(flight.voters, sender)
    turn.phase = replace(phase, flights={**phase.flights, slot: Flight(flight.batch, voters)})
    if turn.rules.is_chosen(voters, len(turn.members)):
        learner.learn(turn, slot, Vote(phase.ballot, flight.batch), "votes")
        _serve_reads(turn)


def forget_flight(turn: Turn, slot: int) -> None:
    """What the slot holds is known."""
    phase = turn.phase
    if isinstance(phase, Leading) and slot in phase.flights:
        flights = {each: flight for each, flight in phase.flights.items() if each != slot}
        turn.phase = replace(phase, flights=flights)


def beat(turn: Turn) -> None:
    """Say that the leader lives, and send again what has been under way for a whole beat."""
    phase = turn.phase
    if not isinstance(phase, Leading):
        return
    for slot, flight in phase.flights.items():
        if slot < phase.settled:
            missing = tuple(member for member in turn.members if member not in flight.voters)
            turn.send(missing, Propose(phase.ballot, slot, flight.batch))
    turn.phase = replace(phase, beat=phase.beat + 1, settled=phase.next_slot, announced=turn.upto)
    turn.send(turn.others, Commit(phase.ballot, turn.upto, phase.beat + 1))
    turn.do(SetTimer("beat"))


def hear_answer(turn: Turn, heard: Heard, sender: int) -> None:
    """A follower goes by no higher ballot."""
    phase = turn.phase
    if isinstance(phase, Leading) and heard.ballot == phase.ballot:
        last = max(heard.beat, phase.heard.get(sender, 0))
        turn.phase = replace(phase, heard={**phase.heard, sender: last})
        _serve_reads(turn)


def answering(turn: Turn, phase: Leading) -> tuple[int, ...]:
    """Who has answered a heartbeat since this was last checked, and the leader itself."""
    return (turn.me, *(member for member in turn.others if phase.heard.get(member, 0) > phase.checked))


def read(turn: Turn, request: int, op: Any) -> None:
    """A client wants to see the state; nothing is written to the log for it."""
    phase = turn.phase
    if not turn.rules.may_read(isinstance(phase, Leading)):
        turn.do(Decline(request, turn.leader, maybe=False))
    elif not isinstance(phase, Leading):
        turn.do(Query(request, op, turn.applied))
    elif len(phase.reads) >= WAITING_MAX:
        turn.do(Overloaded(request))
    else:
        due = Read(request, op, turn.rules.beats_to_hear(phase.beat))
        turn.phase = replace(phase, reads=(*phase.reads, due))
        if not phase.reads:
            _serve_reads(turn)


def _serve_reads(turn: Turn) -> None:
    """Answer what may be answered by now. What is left waits for a heartbeat, of which one is under way."""
    phase = turn.phase
    if not isinstance(phase, Leading) or not phase.reads:
        return
    answered = sorted((phase.beat, *(phase.heard.get(member, 0) for member in turn.others)), reverse=True)
    confirmed = answered[turn.rules.quorum(len(turn.members)) - 1]
    is_current = turn.rules.is_current(turn.upto, phase.barrier)
    left = tuple(read for read in phase.reads if not is_current or read.beat > confirmed)
    for read in phase.reads:
        if read not in left:
            turn.do(Query(read.request, read.op, turn.applied))
    turn.phase = replace(phase, reads=left)
    if left and is_current and confirmed == phase.beat:
        beat(turn)
        if not turn.others:
            _serve_reads(turn)
