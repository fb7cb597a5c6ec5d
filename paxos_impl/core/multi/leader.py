"""The leader: proposes what clients submit, slot after slot, and knows whether it still leads.

It has a quorum's promise for all slots that are still open, and so needs no phase 1 for any of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from ostrakon.paxos_impl.core.ballot import Vote
from ostrakon.paxos_impl.core.multi import election, learner, reading, reconfiguration
from ostrakon.paxos_impl.core.multi.command import NOOP, Batch, Command, Queued
from ostrakon.paxos_impl.core.multi.configuration import ALPHA, is_change
from ostrakon.paxos_impl.core.multi.effect import (
    Decline,
    HoldsLease,
    Leads,
    Overloaded,
    Rejected,
    SetTimer,
)
from ostrakon.paxos_impl.core.multi.lease import Lease
from ostrakon.paxos_impl.core.multi.message import (
    Accepted,
    Heartbeat,
    HeartbeatResponse,
    Prepare,
    Promise,
    Propose,
)
from ostrakon.paxos_impl.core.multi.phase import Leading, Preparing, Proposal
from ostrakon.paxos_impl.core.multi.transition import Transition

WINDOW = ALPHA
"""How many slots may be under way at once; what comes meanwhile is batched. Who decides them is known."""
BATCH_COMMANDS_MAX = 128
BATCH_BYTES_MAX = 8192
"""What a batch may have in all, unless it is a single command."""
WAITING_MAX = 4096
"""How many commands may wait; more are refused rather than held."""


def lead(t: Transition, campaign: Preparing) -> None:
    """Phase 2a in all slots that are open, below the highest that a promise reports a vote in and above."""
    first = max(campaign.from_slot, t.commit_index + 1)  # It may have been told of some meanwhile.
    promisers = dict.fromkeys(campaign.promisers, campaign.from_slot)
    phase = Leading(campaign.ballot, next_slot=first, last_reported=first - 1, promisers=promisers)
    for promise in campaign.promises:
        phase = _with_reports(phase, promise)
    t.phase = phase
    t.leader, t.is_leaderless, t.attempts = t.me, False, 0
    t.do(Leads(phase.ballot))
    _pump(t)
    t.do(SetTimer("election"))
    prepare_missing(t)
    heartbeat(t)


def _with_reports(phase: Leading, promise: Promise) -> Leading:
    """The leader, once it knows what a promise reports of slots that it has not proposed in yet."""
    news = {entry.slot: entry.vote for entry in promise.votes if entry.slot >= phase.next_slot}
    told = phase.reports
    return replace(
        phase,
        last_reported=max(phase.last_reported, *news) if news else phase.last_reported,
        reports=told | {slot: (*told.get(slot, ()), vote) for slot, vote in news.items()},
    )


def prepare_missing(t: Transition) -> None:
    """Phase 1a for members without whose promises nothing may be proposed in slots to come."""
    phase = t.phase
    if isinstance(phase, Leading) and not _is_promised(t, phase):
        missing = tuple(member for member in t.others if member not in phase.promisers)
        t.send(missing, Prepare(phase.ballot, t.commit_index + 1))


def hear_late_promise(t: Transition, promise: Promise, sender: int) -> None:
    """Another member has promised the ballot; its reports matter where nothing was proposed yet."""
    phase = t.phase
    if isinstance(phase, Leading) and sender not in phase.promisers:
        promisers = {**phase.promisers, sender: promise.from_slot}
        t.phase = replace(_with_reports(phase, promise), promisers=promisers)


def _is_promised(t: Transition, phase: Leading) -> bool:
    """Whether a quorum of each configuration that is or will be in force has promised the ballot."""
    return all(_may_propose(t, phase, slot) for slot in _next_slots(t))


def _is_backed(t: Transition, members: tuple[int, ...]) -> bool:
    """Whether these are a quorum of each configuration that is or will be in force."""
    return all(t.is_quorum(members, slot) for slot in _next_slots(t))


def _next_slots(t: Transition) -> Iterator[int]:
    """The first slot that is open of each configuration that is or will be in force."""
    return (max(configuration.from_slot, t.commit_index + 1) for configuration in t.configurations)


def is_current(t: Transition, phase: Leading) -> bool:
    """Whether the leader's state holds all that was acknowledged before its time."""
    return t.rules.is_current(t.commit_index, phase.last_reported) and _is_promised(t, phase)


def _may_propose(t: Transition, phase: Leading, slot: int) -> bool:
    """Whether a quorum of those who decide a slot has promised the ballot, and told of its votes there."""
    return t.is_quorum(tuple(who for who, first in phase.promisers.items() if first <= slot), slot)


def submit(t: Transition, request: int, command: Command, size: int) -> None:
    """A client wants a command executed: queue it to be proposed, or say who would."""
    if not isinstance(t.phase, Leading):
        t.do(Decline(request, t.leader, maybe=False))
        return
    if is_change(command):
        t.do(Rejected(request, "the members are not changed by commands of clients", is_final=True))
        return
    waiting = t.waiting.get(command.id)
    if waiting is None and len(t.waiting) >= WAITING_MAX:
        t.do(Overloaded(request))
        return
    t.waiting = {**t.waiting, command.id: (*(waiting or ()), request)}
    if waiting is None:
        t.queue = (*t.queue, Queued(command, size))


def drain(t: Transition) -> None:
    """Propose what is queued, and announce what was learned, once for all that came in together."""
    _pump(t)
    phase = t.phase
    if isinstance(phase, Leading) and phase.announced_index < t.commit_index:
        t.phase = replace(phase, announced_index=t.commit_index)
        t.send(t.others, Heartbeat(phase.ballot, t.commit_index))
    reconfiguration.answer(t)
    if isinstance(phase, Leading) and not t.has_vote:
        election.step_down(t)


def _pump(t: Transition) -> None:
    """Propose what promises call for, and then what is queued, as far as the window allows."""
    while isinstance(phase := t.phase, Leading) and phase.next_slot <= t.commit_index + WINDOW:
        slot = phase.next_slot
        is_awaited = slot <= phase.last_reported or slot < t.configurations[-1].from_slot
        if not (is_awaited or t.queue) or not _may_propose(t, phase, slot):
            return
        votes = phase.reports.get(slot)
        t.phase = _past(phase, slot)
        filler = t.rules.filler()
        if slot > phase.last_reported:
            # With nothing to propose, no-ops bring on the slot from which a new configuration is in force.
            _propose(t, slot, _next_batch(t) if t.queue else NOOP)
        elif votes is not None or filler is not None:
            _propose(t, slot, t.rules.safe_value(votes or (), filler))


def _past(phase: Leading, slot: int) -> Leading:
    """The leader, once it is about to propose in a slot; what was reported of it is not needed any more."""
    reports = phase.reports
    if slot in reports:
        reports = {each: votes for each, votes in reports.items() if each != slot}
    return replace(phase, next_slot=slot + 1, reports=reports)


def _next_batch(t: Transition) -> Batch:
    count, size = 1, t.queue[0].size
    for queued in t.queue[1:BATCH_COMMANDS_MAX]:
        size += queued.size
        if size > BATCH_BYTES_MAX:
            break
        count += 1
    batch, t.queue = t.queue[:count], t.queue[count:]
    return tuple(queued.command for queued in batch)


def _propose(t: Transition, slot: int, batch: Batch) -> None:
    phase = t.phase
    assert isinstance(phase, Leading), f"proposing while {phase}"
    t.phase = replace(phase, proposals={**phase.proposals, slot: Proposal(batch)})
    t.send(t.configuration(slot).voters, Propose(phase.ballot, slot, batch))


def hear_vote(t: Transition, accepted: Accepted, sender: int) -> None:
    """Phase 2b has come back; a quorum's votes make it chosen."""
    phase = t.phase
    if not isinstance(phase, Leading) or accepted.ballot != phase.ballot:
        return
    slot = accepted.slot
    if (proposal := phase.proposals.get(slot)) is None:
        return
    voters = t.rules.with_voter(proposal.voters, sender)
    t.phase = replace(phase, proposals={**phase.proposals, slot: Proposal(proposal.batch, voters)})
    if t.is_quorum(voters, slot):
        learner.learn(t, slot, Vote(phase.ballot, proposal.batch), "votes")
        reading.serve(t)


def forget_proposal(t: Transition, slot: int) -> None:
    """What the slot holds is known."""
    phase = t.phase
    if isinstance(phase, Leading) and slot in phase.proposals:
        proposals = {each: proposal for each, proposal in phase.proposals.items() if each != slot}
        t.phase = replace(phase, proposals=proposals)


def heartbeat(t: Transition) -> None:
    """Say that the leader lives, and send again what has been under way for a whole heartbeat."""
    phase = t.phase
    if not isinstance(phase, Leading):
        return
    for slot, proposal in phase.proposals.items():
        if slot < phase.resend_below:
            deciding = t.configuration(slot).voters
            missing = tuple(member for member in deciding if member not in proposal.voters)
            t.send(missing, Propose(phase.ballot, slot, proposal.batch))
    number, lease_config, lease = phase.heartbeat + 1, t.lease_config, phase.lease
    if lease_config is not None:
        lease = lease.asked_for(number, t.now, lease_config)
    t.phase = replace(
        phase, heartbeat=number, resend_below=phase.next_slot, announced_index=t.commit_index, lease=lease
    )
    lease_s = 0.0 if lease_config is None else lease_config.length_s
    t.send(t.others, Heartbeat(phase.ballot, t.commit_index, number, lease_s))
    t.do(SetTimer("heartbeat"))
    prepare_missing(t)


def hear_answer(t: Transition, heard: HeartbeatResponse, sender: int) -> None:
    """A follower goes by no higher ballot, and may have granted a lease."""
    phase = t.phase
    if isinstance(phase, Leading) and heard.ballot == phase.ballot:
        held = holds_lease(t, phase)
        last = max(heard.heartbeat, phase.answered.get(sender, 0))
        commit_indexes = {**phase.commit_indexes, sender: heard.commit_index}
        lease = _with_grant(t, phase.lease, heard, sender)
        phase = replace(
            phase, answered={**phase.answered, sender: last}, commit_indexes=commit_indexes, lease=lease
        )
        t.phase = phase
        if not held and holds_lease(t, phase):
            t.do(HoldsLease(phase.ballot, t.commit_index))
        reading.serve(t)
        reconfiguration.answer(t)


def _with_grant(t: Transition, lease: Lease, heard: HeartbeatResponse, sender: int) -> Lease:
    asked = lease.asked.get(heard.heartbeat)
    if not heard.is_granted or asked is None:
        return lease
    return lease.granted_by(sender, t.rules.counts_from(asked, t.now))


def holds_lease(t: Transition, phase: Leading) -> bool:
    """Whether a quorum of those who could elect another leader has granted it that they do not yet."""
    if t.lease_config is None:
        return False
    rules, trusted_s = t.rules, t.rules.trusted_s(t.lease_config)
    granters = (
        follower
        for follower, since in phase.lease.granted.items()
        if rules.holds(rules.passed_s(since, t.now), trusted_s)
    )
    # It counts itself in: it gives up leading before it promises anything to another.
    return _is_backed(t, (t.me, *granters))


def answering(t: Transition, phase: Leading) -> tuple[int, ...]:
    """Who has answered a heartbeat since this was last checked, and the leader itself."""
    return (t.me, *(member for member in t.others if phase.answered.get(member, 0) > phase.checked))
