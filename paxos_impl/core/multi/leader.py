"""The leader: proposes what clients submit, slot after slot, and sends heartbeats.

A quorum has promised the leader's ballot for all open slots, so each command costs phase 2 only (PMS 3).
"""

from __future__ import annotations

from msgspec.structs import replace

from ostrakon.paxos_impl.core.ballot import Vote
from ostrakon.paxos_impl.core.multi import leadership
from ostrakon.paxos_impl.core.multi.command import NOOP, Batch, Command, Queued
from ostrakon.paxos_impl.core.multi.configuration import ALPHA, is_change
from ostrakon.paxos_impl.core.multi.effect import Decline, HoldsLease, Leads, Overloaded, Rejected, SetTimer
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
from ostrakon.paxos_impl.core.multi.state import State
from ostrakon.paxos_impl.core.multi.transition import Transition

WINDOW = ALPHA
"""How many slots may be proposed and not yet chosen at once. More would have no known configuration; commands
that come meanwhile share a batch."""
BATCH_COMMANDS_MAX = 128
BATCH_BYTES_MAX = 8192
"""How large a batch may get, in commands and in bytes. A single command may be larger."""
WAITING_MAX = 4096
"""How many commands may wait for their results. More are refused, so that memory stays bounded."""


# Becoming leader.


def lead(t: Transition) -> Transition:
    """A quorum has promised the ballot: propose in all open slots, and tell the followers."""
    preparing = t.state.phase
    assert isinstance(preparing, Preparing), f"elected while {preparing}"
    first = max(preparing.from_slot, t.state.commit_index + 1)  # Some slots may have been learned meanwhile.
    promisers = dict.fromkeys(preparing.promisers, preparing.from_slot)
    phase = Leading(preparing.ballot, next_slot=first, last_reported=first - 1, promisers=promisers)
    for promise in preparing.promises:
        phase = _with_reports(phase, promise)
    t = t.update(phase=phase, leader=t.state.server_id, is_leaderless=False, attempts=0)
    t = propose_queued(t.emit(Leads(phase.ballot)))
    return send_heartbeat(prepare_missing(t.emit(SetTimer("election"))))


def prepare_missing(t: Transition) -> Transition:
    """Phase 1a for members whose promises are still needed before anything is proposed in later slots."""
    state, phase = t.state, t.state.phase
    if not isinstance(phase, Leading) or leadership.is_promised(state, phase):
        return t
    missing = tuple(member for member in state.others if member not in phase.promisers)
    return t.send(missing, Prepare(phase.ballot, state.commit_index + 1))


def count_late_promise(t: Transition, promise: Promise, sender: int) -> Transition:
    """Another member has promised the leader's ballot; its reports matter in slots not yet proposed in."""
    phase = t.state.phase
    if not isinstance(phase, Leading) or promise.ballot != phase.ballot or sender in phase.promisers:
        return t
    promisers = {**phase.promisers, sender: promise.from_slot}
    return t.update(phase=replace(_with_reports(phase, promise), promisers=promisers))


def _with_reports(phase: Leading, promise: Promise) -> Leading:
    """The leader with the votes that a promise reports in slots that nothing was proposed in yet."""
    reported = {entry.slot: entry.vote for entry in promise.votes if entry.slot >= phase.next_slot}
    known = phase.reports
    return replace(
        phase,
        last_reported=max(phase.last_reported, *reported) if reported else phase.last_reported,
        reports=known | {slot: (*known.get(slot, ()), vote) for slot, vote in reported.items()},
    )


# Proposing.


def submit(t: Transition, request: int, command: Command, size: int) -> Transition:
    """Queue a client's command to be proposed; or refuse it, and say who leads."""
    state = t.state
    if not isinstance(state.phase, Leading):
        return t.emit(Decline(request, state.leader, maybe=False))
    if is_change(command):
        return t.emit(Rejected(request, "the members are not changed by commands of clients", is_final=True))
    waiting = state.waiting.get(command.id)
    if waiting is None and len(state.waiting) >= WAITING_MAX:
        return t.emit(Overloaded(request))
    t = t.update(waiting={**state.waiting, command.id: (*(waiting or ()), request)})
    return t if waiting is not None else t.update(queue=(*state.queue, Queued(command, size)))


def propose_queued(t: Transition) -> Transition:
    """Phase 2a: propose what promises reported, then what is queued, as far as the window allows.

    Called once for all events that came in together, so that their commands share a batch.
    """
    t = _skip_chosen(t)
    while isinstance(phase := t.state.phase, Leading) and phase.next_slot <= t.state.commit_index + WINDOW:
        state, slot = t.state, phase.next_slot
        is_needed = slot <= phase.last_reported or slot < state.configurations[-1].from_slot
        if not (is_needed or state.queue) or not leadership.may_propose(state, phase, slot):
            break
        votes, filler = phase.reports.get(slot), state.rules.filler()
        t = t.update(phase=_past(phase, slot))
        if slot > phase.last_reported:
            # Without a command, a no-op brings the log nearer to where a new configuration is in force.
            batch = _next_batch(state.queue) if state.queue else NOOP
            t = _propose(t.update(queue=state.queue[len(batch) :]), slot, batch)
        elif votes is not None or filler is not None:
            t = _propose(t, slot, state.rules.safe_value(votes or (), filler))
    return t


def _skip_chosen(t: Transition) -> Transition:
    """Go on above the slots that the leader has learned from other replicas since it was elected.

    To propose there again would be safe, but the leader might wait for it for ever: promises that came late
    may be about later slots only, so that no quorum ever promises anything about these.
    """
    phase, index = t.state.phase, t.state.commit_index
    if not isinstance(phase, Leading) or phase.next_slot > index:
        return t
    reports = {slot: votes for slot, votes in phase.reports.items() if slot > index}
    return t.update(phase=replace(phase, next_slot=index + 1, reports=reports))


def _past(phase: Leading, slot: int) -> Leading:
    """The leader when it is about to propose in a slot; the reports of that slot are not needed any more."""
    reports = phase.reports
    if slot in reports:
        reports = {each: votes for each, votes in reports.items() if each != slot}
    return replace(phase, next_slot=slot + 1, reports=reports)


def _next_batch(queue: tuple[Queued, ...]) -> Batch:
    """The commands at the head of a queue, as many as one batch may have."""
    count, size = 1, queue[0].size
    for queued in queue[1:BATCH_COMMANDS_MAX]:
        size += queued.size
        if size > BATCH_BYTES_MAX:
            break
        count += 1
    return tuple(queued.command for queued in queue[:count])


def _propose(t: Transition, slot: int, batch: Batch) -> Transition:
    phase = t.state.phase
    assert isinstance(phase, Leading), f"proposing while {phase}"
    t = t.update(phase=replace(phase, proposals={**phase.proposals, slot: Proposal(batch)}))
    return t.send(t.state.configuration(slot).voters, Propose(phase.ballot, slot, batch))


def count_vote(t: Transition, accepted: Accepted, sender: int) -> Transition:
    """Phase 2b has come back: a member has voted for what this leader proposed."""
    phase, slot = t.state.phase, accepted.slot
    if not isinstance(phase, Leading) or slot not in phase.proposals:
        return t
    if not t.state.rules.counts_vote(phase.ballot, accepted):
        return t
    proposal = phase.proposals[slot]
    voters = t.state.rules.with_voter(proposal.voters, sender)
    proposals = {**phase.proposals, slot: Proposal(proposal.batch, voters)}
    return t.update(phase=replace(phase, proposals=proposals))


def chosen_by(state: State, accepted: Accepted) -> Vote | None:
    """What the leader's proposal in the slot of this vote has chosen; None if no quorum has voted yet."""
    phase, slot = state.phase, accepted.slot
    if not isinstance(phase, Leading) or slot not in phase.proposals:
        return None
    proposal = phase.proposals[slot]
    return Vote(phase.ballot, proposal.batch) if state.is_quorum(proposal.voters, slot) else None


def drop_proposal(t: Transition, slot: int) -> Transition:
    """The slot is known to be chosen: its proposal is not sent again."""
    phase = t.state.phase
    if not isinstance(phase, Leading) or slot not in phase.proposals:
        return t
    proposals = {each: proposal for each, proposal in phase.proposals.items() if each != slot}
    return t.update(phase=replace(phase, proposals=proposals))


# Heartbeats.


def announce(t: Transition) -> Transition:
    """Tell the followers the commit index if it has risen, without waiting for the next heartbeat."""
    state, phase = t.state, t.state.phase
    if not isinstance(phase, Leading) or phase.announced_index >= state.commit_index:
        return t
    t = t.update(phase=replace(phase, announced_index=state.commit_index))
    return t.send(state.others, Heartbeat(phase.ballot, state.commit_index))


def send_heartbeat(t: Transition) -> Transition:
    """Tell the followers that the leader lives, and send again what was lost.

    A proposal that was under way at the last heartbeat already has probably been lost, or a vote for it.
    """
    state, phase = t.state, t.state.phase
    if not isinstance(phase, Leading):
        return t
    for slot, proposal in phase.proposals.items():
        if slot < phase.resend_below:
            deciding = state.configuration(slot).voters
            missing = tuple(member for member in deciding if member not in proposal.voters)
            t = t.send(missing, Propose(phase.ballot, slot, proposal.batch))
    number, config, lease = phase.heartbeat + 1, state.lease_config, phase.lease
    if config is not None:
        lease = lease.asked_for(number, t.now, config)
    t = t.update(
        phase=replace(
            phase,
            heartbeat=number,
            resend_below=phase.next_slot,
            announced_index=state.commit_index,
            lease=lease,
        )
    )
    lease_s = 0.0 if config is None else config.length_s
    t = t.send(state.others, Heartbeat(phase.ballot, state.commit_index, number, lease_s))
    return prepare_missing(t.emit(SetTimer("heartbeat")))


def is_own_heartbeat(state: State, response: HeartbeatResponse) -> bool:
    """Whether a response answers a heartbeat that this leader sent at its present ballot."""
    return isinstance(state.phase, Leading) and response.ballot == state.phase.ballot


def count_heartbeat_response(t: Transition, response: HeartbeatResponse, sender: int) -> Transition:
    """A follower has promised no higher ballot, and may have granted a lease."""
    phase = t.state.phase
    assert isinstance(phase, Leading), f"a heartbeat answered while {phase}"
    held = leadership.holds_lease(t, phase)
    last = max(response.heartbeat, phase.answered.get(sender, 0))
    phase = replace(
        phase,
        answered={**phase.answered, sender: last},
        commit_indexes={**phase.commit_indexes, sender: response.commit_index},
        lease=_with_grant(t, phase.lease, response, sender),
    )
    t = t.update(phase=phase)
    if not held and leadership.holds_lease(t, phase):
        t = t.emit(HoldsLease(phase.ballot, t.state.commit_index))
    return t


def _with_grant(t: Transition, lease: Lease, response: HeartbeatResponse, sender: int) -> Lease:
    asked = lease.asked.get(response.heartbeat)
    if not response.is_granted or asked is None:
        return lease
    return lease.granted_by(sender, t.state.rules.counts_from(asked, t.now))


def resign_if_removed(t: Transition) -> Transition:
    """Step down if the members have changed and this leader has no vote any more (Raft, 4.2.2)."""
    if isinstance(t.state.phase, Leading) and not t.state.has_vote:
        return leadership.step_down(t)
    return t
