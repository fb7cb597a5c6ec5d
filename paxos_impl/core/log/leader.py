"""The leader: proposes what clients submit, slot after slot, and knows whether it still leads.

It has a quorum's promise for all slots that are still open, and so needs no phase 1 for any of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from ostrakon.paxos_impl.core.ballot import Vote
from ostrakon.paxos_impl.core.log import election, learner, reading, reconfiguration
from ostrakon.paxos_impl.core.log.command import NOOP, Batch, Command, Queued
from ostrakon.paxos_impl.core.log.configuration import ALPHA, is_change
from ostrakon.paxos_impl.core.log.effect import (
    Decline,
    HoldsLease,
    Leads,
    Overloaded,
    Rejected,
    SetTimer,
)
from ostrakon.paxos_impl.core.log.lease import Lease
from ostrakon.paxos_impl.core.log.message import Accepted, Commit, Heard, Prepare, Promise, Propose
from ostrakon.paxos_impl.core.log.phase import Campaigning, Flight, Leading
from ostrakon.paxos_impl.core.log.turn import Turn

WINDOW = ALPHA
"""How many slots may be under way at once; what comes meanwhile is batched. Who decides them is known."""
BATCH_COMMANDS_MAX = 128
BATCH_BYTES_MAX = 8192
"""What a batch may have in all, unless it is a single command."""
WAITING_MAX = 4096
"""How many commands may wait; more are refused rather than held."""


def lead(turn: Turn, campaign: Campaigning) -> None:
    """Phase 2a in all slots that are open, below the highest that a promise reports a vote in and above."""
    first = max(campaign.from_slot, turn.upto + 1)  # It may have been told of some meanwhile.
    promisers = dict.fromkeys(campaign.promisers, campaign.from_slot)
    phase = Leading(campaign.ballot, next_slot=first, barrier=first - 1, promisers=promisers)
    for promise in campaign.promises:
        phase = _with_reports(phase, promise)
    turn.phase = phase
    turn.leader, turn.is_alone, turn.attempts = turn.me, False, 0
    turn.do(Leads(phase.ballot))
    _pump(turn)
    turn.do(SetTimer("election"))
    prepare_missing(turn)
    beat(turn)


def _with_reports(phase: Leading, promise: Promise) -> Leading:
    """The leader, once it knows what a promise reports of slots that it has not proposed in yet."""
    news = {entry.slot: entry.vote for entry in promise.votes if entry.slot >= phase.next_slot}
    told = phase.reports
    return replace(
        phase,
        barrier=max(phase.barrier, *news) if news else phase.barrier,
        reports=told | {slot: (*told.get(slot, ()), vote) for slot, vote in news.items()},
    )


def prepare_missing(turn: Turn) -> None:
    """Phase 1a for members without whose promises nothing may be proposed in slots to come."""
    phase = turn.phase
    if isinstance(phase, Leading) and not _is_promised(turn, phase):
        missing = tuple(member for member in turn.others if member not in phase.promisers)
        turn.send(missing, Prepare(phase.ballot, turn.upto + 1))


def hear_late_promise(turn: Turn, promise: Promise, sender: int) -> None:
    """Another member has promised the ballot; its reports matter where nothing was proposed yet."""
    phase = turn.phase
    if isinstance(phase, Leading) and sender not in phase.promisers:
        promisers = {**phase.promisers, sender: promise.from_slot}
        turn.phase = replace(_with_reports(phase, promise), promisers=promisers)


def _is_promised(turn: Turn, phase: Leading) -> bool:
    """Whether a quorum of each configuration that is or will be in force has promised the ballot."""
    return all(_may_propose(turn, phase, slot) for slot in _next_slots(turn))


def _is_backed(turn: Turn, members: tuple[int, ...]) -> bool:
    """Whether these are a quorum of each configuration that is or will be in force."""
    return all(turn.is_quorum(members, slot) for slot in _next_slots(turn))


def _next_slots(turn: Turn) -> Iterator[int]:
    """The first slot that is open of each configuration that is or will be in force."""
    return (max(configuration.from_slot, turn.upto + 1) for configuration in turn.configurations)


def is_current(turn: Turn, phase: Leading) -> bool:
    """Whether the leader's state holds all that was acknowledged before its time."""
    return turn.rules.is_current(turn.upto, phase.barrier) and _is_promised(turn, phase)


def _may_propose(turn: Turn, phase: Leading, slot: int) -> bool:
    """Whether a quorum of those who decide a slot has promised the ballot, and told of its votes there."""
    return turn.is_quorum(tuple(who for who, first in phase.promisers.items() if first <= slot), slot)


def submit(turn: Turn, request: int, command: Command, size: int) -> None:
    """A client wants a command executed: queue it to be proposed, or say who would."""
    if not isinstance(turn.phase, Leading):
        turn.do(Decline(request, turn.leader, maybe=False))
        return
    if is_change(command):
        turn.do(Rejected(request, "the members are not changed by commands of clients", is_final=True))
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
    reconfiguration.answer(turn)
    if isinstance(phase, Leading) and not turn.has_vote:
        election.step_down(turn)


def _pump(turn: Turn) -> None:
    """Propose what promises call for, and then what is queued, as far as the window allows."""
    while isinstance(phase := turn.phase, Leading) and phase.next_slot <= turn.upto + WINDOW:
        slot = phase.next_slot
        is_awaited = slot <= phase.barrier or slot < turn.configurations[-1].from_slot
        if not (is_awaited or turn.queue) or not _may_propose(turn, phase, slot):
            return
        votes = phase.reports.get(slot)
        turn.phase = _past(phase, slot)
        filler = turn.rules.filler()
        if slot > phase.barrier:
            # With nothing to propose, no-ops bring on the slot from which a new configuration is in force.
            _propose(turn, slot, _next_batch(turn) if turn.queue else NOOP)
        elif votes is not None or filler is not None:
            _propose(turn, slot, turn.rules.safe_value(votes or (), filler))


def _past(phase: Leading, slot: int) -> Leading:
    """The leader, once it is about to propose in a slot; what was reported of it is not needed any more."""
    reports = phase.reports
    if slot in reports:
        reports = {each: votes for each, votes in reports.items() if each != slot}
    return replace(phase, next_slot=slot + 1, reports=reports)


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
    turn.send(turn.configuration(slot).voters, Propose(phase.ballot, slot, batch))


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
    if turn.is_quorum(voters, slot):
        learner.learn(turn, slot, Vote(phase.ballot, flight.batch), "votes")
        reading.serve(turn)


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
            deciding = turn.configuration(slot).voters
            missing = tuple(member for member in deciding if member not in flight.voters)
            turn.send(missing, Propose(phase.ballot, slot, flight.batch))
    number, terms, lease = phase.beat + 1, turn.terms, phase.lease
    if terms is not None:
        lease = lease.asked_for(number, turn.now, terms)
    turn.phase = replace(phase, beat=number, settled=phase.next_slot, announced=turn.upto, lease=lease)
    lease_s = 0.0 if terms is None else terms.length_s
    turn.send(turn.others, Commit(phase.ballot, turn.upto, number, lease_s))
    turn.do(SetTimer("beat"))
    prepare_missing(turn)


def hear_answer(turn: Turn, heard: Heard, sender: int) -> None:
    """A follower goes by no higher ballot, and may have granted a lease."""
    phase = turn.phase
    if isinstance(phase, Leading) and heard.ballot == phase.ballot:
        held = holds_lease(turn, phase)
        last = max(heard.beat, phase.heard.get(sender, 0))
        reached = {**phase.reached, sender: heard.upto}
        lease = _with_grant(turn, phase.lease, heard, sender)
        phase = replace(phase, heard={**phase.heard, sender: last}, reached=reached, lease=lease)
        turn.phase = phase
        if not held and holds_lease(turn, phase):
            turn.do(HoldsLease(phase.ballot, turn.upto))
        reading.serve(turn)
        reconfiguration.answer(turn)


def _with_grant(turn: Turn, lease: Lease, heard: Heard, sender: int) -> Lease:
    asked = lease.asked.get(heard.beat)
    if not heard.is_granted or asked is None:
        return lease
    return lease.granted_by(sender, turn.rules.counts_from(asked, turn.now))


def holds_lease(turn: Turn, phase: Leading) -> bool:
    """Whether a quorum of those who could elect another leader has granted it that they do not yet."""
    if turn.terms is None:
        return False
    rules, trusted_s = turn.rules, turn.rules.trusted_s(turn.terms)
    granters = (
        follower
        for follower, since in phase.lease.granted.items()
        if rules.holds(rules.passed_s(since, turn.now), trusted_s)
    )
    # It counts itself in: it gives up leading before it promises anything to another.
    return _is_backed(turn, (turn.me, *granters))


def answering(turn: Turn, phase: Leading) -> tuple[int, ...]:
    """Who has answered a heartbeat since this was last checked, and the leader itself."""
    return (turn.me, *(member for member in turn.others if phase.heard.get(member, 0) > phase.checked))
