"""The learner: finds out what is chosen, and has it executed in order, each slot once."""

from __future__ import annotations

from typing import Literal

from ostrakon.paxos_impl.core.ballot import Vote
from ostrakon.paxos_impl.core.multi.catch_up import TOLD_MAX
from ostrakon.paxos_impl.core.multi.command import Batch
from ostrakon.paxos_impl.core.multi.configuration import is_change
from ostrakon.paxos_impl.core.multi.effect import Apply, Chose, Learned
from ostrakon.paxos_impl.core.multi.lease import Grant
from ostrakon.paxos_impl.core.multi.log import Cell
from ostrakon.paxos_impl.core.multi.message import Ask, Entry, Heartbeat, HeartbeatResponse, Nack, Tell
from ostrakon.paxos_impl.core.multi.state import State
from ostrakon.paxos_impl.core.multi.transition import Transition

# Learning.


def knows(state: State, slot: int, vote: Vote) -> bool:
    """Whether the replica knows already that this is chosen. It asserts that nothing else ever was."""
    chosen = state.log[slot].chosen
    assert chosen is None or chosen.value == vote.value, f"slot {slot} held {chosen}, and now {vote}"
    return chosen is not None


def learn(t: Transition, slot: int, vote: Vote, how: Literal["votes", "told"]) -> Transition:
    """Remember what is chosen in a slot, and raise the commit index if no slot below is missing."""
    state = t.state
    cell = state.log[slot]
    promised = state.rules.promised_after_learning(state.promised, vote)
    t = t.update(log=state.log.put(slot, Cell(cell.accepted, vote)), promised=promised)
    chose = Chose(slot, None if cell.accepted == vote else Entry(slot, vote.ballot, vote.value))
    # A restarted replica can ask the members again, so nothing has to wait for this write. Where a change of
    # the members is under way, those that decided the slot may soon be switched off: then it must be durable.
    t = t.note(chose) if len(state.configurations) == 1 else t.persist(chose)
    return advance(t.emit(Learned(slot, vote, how, t.cause)))


def advance(t: Transition) -> Transition:
    """Raise the commit index as far as all slots are known to be chosen."""
    log, index = t.state.log, t.state.commit_index
    while log[index + 1].chosen is not None:
        index += 1
    return t if index == t.state.commit_index else t.update(commit_index=index)


# Executing.


def execute(t: Transition, slot: int) -> tuple[Transition, Batch, tuple[tuple[int, ...], ...]]:
    """Have the state machine execute a slot.

    Returns the batch too, and for each of its commands the requests that waited for it here.
    """
    state = t.state
    chosen = state.log[slot].chosen
    assert chosen is not None, f"slot {slot} is executed, and is not known to be chosen"
    batch: Batch = chosen.value
    requests = tuple(state.waiting.get(command.id, ()) for command in batch)
    if any(requests):
        done = {command.id: None for command in batch}
        waiting = {id: waits for id, waits in state.waiting.items() if id not in done}
        t = t.update(applied=slot, waiting=waiting)
    else:
        t = t.update(applied=slot)
    # A change of the members is answered later, when it is in force (see `reconfiguration`).
    answered = zip(batch, requests, strict=True)
    told = tuple(() if is_change(command) else waits for command, waits in answered)
    return t.emit(Apply(slot, batch, told)), batch, requests


# The leader's heartbeats.


def refuses(state: State, heartbeat: Heartbeat) -> bool:
    """Whether the replica has promised a higher ballot than that of a heartbeat."""
    return state.promised is not None and state.promised > heartbeat.ballot


def refuse(t: Transition, heartbeat: Heartbeat, sender: int) -> Transition:
    """Tell a leader that it was deposed."""
    promised = t.state.promised
    assert promised is not None, f"{heartbeat} refused for no reason"
    return t.send((sender,), Nack(heartbeat.ballot, promised))


def own_vote(state: State, slot: int, heartbeat: Heartbeat) -> Vote | None:
    """The replica's own vote in a slot that the leader knows to be chosen, if this vote is what is chosen."""
    cell = state.log[slot]
    if cell.chosen is not None or cell.accepted is None:
        return None
    return cell.accepted if state.rules.may_learn(cell, heartbeat.ballot) else None


def answer_heartbeat(t: Transition, heartbeat: Heartbeat, sender: int) -> Transition:
    """Answer a heartbeat, grant the lease that it asks for, and ask for slots that are still missing."""
    if not heartbeat.number:
        return t
    state, ballot = t.state, heartbeat.ballot
    grant = _grant(t, heartbeat)
    if grant is not None:
        t = t.update(grant=grant)
    response = HeartbeatResponse(ballot, heartbeat.number, state.commit_index, grant is not None)
    t = t.send((sender,), response)
    if heartbeat.commit_index > state.commit_index and state.rules.catches_up():
        t = t.send((sender,), Ask(state.commit_index + 1))
    return t


def _grant(t: Transition, heartbeat: Heartbeat) -> Grant | None:
    """The lease that the leader gets, from now on; None if it gets none."""
    state, holder = t.state, heartbeat.ballot.server_id
    config = state.lease_config
    if config is None or not state.rules.may_grant(heartbeat.lease_s, config) or t.is_bound(holder):
        return None
    return Grant(holder, t.now.monotonic_s + heartbeat.lease_s)


# What other replicas tell.


def is_near(state: State, slot: int) -> bool:
    """Whether a slot is among those that the replica may have asked for; a `Tell` has no others."""
    return slot <= state.commit_index + TOLD_MAX


def ask_for_more(t: Transition, tell: Tell, known_before: int, sender: int) -> Transition:
    """Ask for the slots after a `Tell`, if it brought something and its sender knows more."""
    if known_before < t.state.commit_index < tell.commit_index:
        return t.send((sender,), Ask(t.state.commit_index + 1))
    return t
