"""The learner: comes to know what slots hold, has them executed in order, and helps those behind."""

from __future__ import annotations

from typing import Literal

from ostrakon.paxos_impl.core.ballot import Vote
from ostrakon.paxos_impl.core.multi import election, leader, reconfiguration, transfer
from ostrakon.paxos_impl.core.multi.configuration import is_change
from ostrakon.paxos_impl.core.multi.effect import Apply, Chose, Learned
from ostrakon.paxos_impl.core.multi.lease import Grant
from ostrakon.paxos_impl.core.multi.log import FIRST, Cell
from ostrakon.paxos_impl.core.multi.message import Ask, Entry, Heartbeat, HeartbeatResponse, Nack, Tell
from ostrakon.paxos_impl.core.multi.transition import Transition

TOLD_MAX = 32
"""How many slots one message tells of."""


def learn(t: Transition, slot: int, vote: Vote, how: Literal["votes", "told"]) -> None:
    """From now on it is known what a slot holds."""
    if slot <= t.log.base:
        return
    leader.forget_proposal(t, slot)
    cell = t.log[slot]
    if cell.chosen is not None:
        assert cell.chosen.value == vote.value, f"slot {slot} held {cell.chosen}, and now {vote}"
        return
    t.log = t.log.put(slot, Cell(cell.accepted, vote))
    t.promised = t.rules.promised_after_learning(t.promised, vote)
    chose = Chose(slot, None if cell.accepted == vote else Entry(slot, vote.ballot, vote.value))
    if len(t.configurations) == 1:
        t.note(chose)
    else:  # Those who decided it may soon be gone, and can't be asked again after a restart.
        t.persist(chose)
    t.do(Learned(slot, vote, how, t.cause))
    go_on(t, slot)


def go_on(t: Transition, learned: int) -> None:
    """See how far the log is known without gaps, now that `learned` is, and have that executed."""
    while t.log[t.commit_index + 1].chosen is not None:
        t.commit_index += 1
    execute(t, learned)


def execute(t: Transition, learned: int) -> None:
    """Have the state machine execute all slots that it can, now that `learned` is chosen."""
    while (slot := t.rules.next_applied(t.log, t.applied, learned)) is not None:
        t.applied = slot
        chosen = t.log[slot].chosen
        assert chosen is not None, f"nobody knows what slot {slot} holds"
        batch = chosen.value
        waiting = tuple(t.waiting.get(command.id, ()) for command in batch)
        if any(waiting):
            done = {command.id: None for command in batch}
            t.waiting = {id: waits for id, waits in t.waiting.items() if id not in done}
        each = zip(batch, waiting, strict=True)
        t.do(Apply(slot, batch, tuple(() if is_change(command) else told for command, told in each)))
        reconfiguration.make(t, slot, batch, waiting)
        transfer.take_if_due(t)


def hear_heartbeat(t: Transition, heartbeat: Heartbeat, sender: int) -> None:
    """The leader lives, and knows all slots up to one to be chosen."""
    ballot = heartbeat.ballot
    if t.promised is not None and t.promised > ballot:
        t.send((sender,), Nack(ballot, t.promised))
        return
    election.follow(t, ballot)
    for slot in range(t.commit_index + 1, min(heartbeat.commit_index, t.log.top) + 1):
        cell = t.log[slot]
        if cell.chosen is None and cell.accepted is not None and t.rules.may_learn(cell, ballot):
            learn(t, slot, cell.accepted, "told")
    if heartbeat.number:
        t.send((sender,), HeartbeatResponse(ballot, heartbeat.number, t.commit_index, _grants(t, heartbeat)))
        if heartbeat.commit_index > t.commit_index and t.rules.catches_up():
            t.send((sender,), Ask(t.commit_index + 1))


def _grants(t: Transition, heartbeat: Heartbeat) -> bool:
    """Whether the leader gets the lease that it asks for; from now on it counts."""
    holder, lease_config = heartbeat.ballot.server_id, t.lease_config
    if lease_config is None or not t.rules.may_grant(heartbeat.lease_s, lease_config) or t.is_bound(holder):
        return False
    t.grant = Grant(holder, t.now.monotonic_s + heartbeat.lease_s)
    return True


def tell(t: Transition, from_slot: int, to: int) -> None:
    """Say what slots hold, from one on, to who does not know; if they are gone, offer the snapshot."""
    if from_slot <= t.log.base:
        transfer.offer(t, to)
        return
    entries: list[Entry] = []
    for slot in range(max(from_slot, FIRST), min(from_slot + TOLD_MAX, t.commit_index + 1)):
        chosen = t.log[slot].chosen
        assert chosen is not None, f"slot {slot} is open, below {t.commit_index}"
        entries.append(Entry(slot, chosen.ballot, chosen.value))
    t.send((to,), Tell(tuple(entries), t.commit_index))


def hear_tell(t: Transition, told: Tell, sender: int) -> None:
    """Learn, and ask for more if there is more."""
    commit_index = t.commit_index
    for entry in told.entries:
        if entry.slot <= t.commit_index + TOLD_MAX:  # Nobody was asked about what lies further ahead.
            learn(t, entry.slot, entry.vote, "told")
    if commit_index < t.commit_index < told.commit_index:
        t.send((sender,), Ask(t.commit_index + 1))
