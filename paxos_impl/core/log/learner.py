"""The learner: comes to know what slots hold, has them executed in order, and helps those behind."""

from __future__ import annotations

from typing import Literal

from ostrakon.paxos_impl.core.ballot import Vote
from ostrakon.paxos_impl.core.log import election, leader, reconfiguration, transfer
from ostrakon.paxos_impl.core.log.configuration import is_change
from ostrakon.paxos_impl.core.log.effect import Apply, Chose, Learned
from ostrakon.paxos_impl.core.log.lease import Grant
from ostrakon.paxos_impl.core.log.ledger import FIRST, Cell
from ostrakon.paxos_impl.core.log.message import Ask, Commit, Entry, Heard, Nack, Tell
from ostrakon.paxos_impl.core.log.turn import Turn

TOLD_MAX = 32
"""How many slots one message tells of."""


def learn(turn: Turn, slot: int, vote: Vote, how: Literal["votes", "told"]) -> None:
    """From now on it is known what a slot holds."""
    if slot <= turn.ledger.base:
        return
    leader.forget_flight(turn, slot)
    cell = turn.ledger[slot]
    if cell.chosen is not None:
        assert cell.chosen.value == vote.value, f"slot {slot} held {cell.chosen}, and now {vote}"
        return
    turn.ledger = turn.ledger.put(slot, Cell(cell.accepted, vote))
    turn.promised = turn.rules.promised_after_learning(turn.promised, vote)
    chose = Chose(slot, None if cell.accepted == vote else Entry(slot, vote.ballot, vote.value))
    if len(turn.configurations) == 1:
        turn.note(chose)
    else:  # Those who decided it may soon be gone, and can't be asked again after a restart.
        turn.persist(chose)
    turn.do(Learned(slot, vote, how, turn.cause))
    go_on(turn, slot)


def go_on(turn: Turn, learned: int) -> None:
    """See how far the log is known without gaps, now that `learned` is, and have that executed."""
    while turn.ledger[turn.upto + 1].chosen is not None:
        turn.upto += 1
    execute(turn, learned)


def execute(turn: Turn, learned: int) -> None:
    """Have the state machine execute all slots that it can, now that `learned` is chosen."""
    while (slot := turn.rules.next_applied(turn.ledger, turn.applied, learned)) is not None:
        turn.applied = slot
        chosen = turn.ledger[slot].chosen
        assert chosen is not None, f"nobody knows what slot {slot} holds"
        batch = chosen.value
        waiting = tuple(turn.waiting.get(command.id, ()) for command in batch)
        if any(waiting):
            done = {command.id: None for command in batch}
            turn.waiting = {id: waits for id, waits in turn.waiting.items() if id not in done}
        each = zip(batch, waiting, strict=True)
        turn.do(Apply(slot, batch, tuple(() if is_change(command) else told for command, told in each)))
        reconfiguration.make(turn, slot, batch, waiting)
        transfer.take_if_due(turn)


def hear_commit(turn: Turn, commit: Commit, sender: int) -> None:
    """The leader lives, and knows all slots up to one to be chosen."""
    ballot = commit.ballot
    if turn.promised is not None and turn.promised > ballot:
        turn.send((sender,), Nack(ballot, turn.promised))
        return
    election.follow(turn, ballot)
    for slot in range(turn.upto + 1, min(commit.upto, turn.ledger.top) + 1):
        cell = turn.ledger[slot]
        if cell.chosen is None and cell.accepted is not None and turn.rules.may_learn(cell, ballot):
            learn(turn, slot, cell.accepted, "told")
    if commit.beat:
        turn.send((sender,), Heard(ballot, commit.beat, turn.upto, _grants(turn, commit)))
        if commit.upto > turn.upto and turn.rules.catches_up():
            turn.send((sender,), Ask(turn.upto + 1))


def _grants(turn: Turn, commit: Commit) -> bool:
    """Whether the leader gets the lease that it asks for; from now on it counts."""
    holder, terms = commit.ballot.server_id, turn.terms
    if terms is None or not turn.rules.may_grant(commit.lease_s, terms) or turn.is_bound(holder):
        return False
    turn.grant = Grant(holder, turn.now.s + commit.lease_s)
    return True


def tell(turn: Turn, from_slot: int, to: int) -> None:
    """Say what slots hold, from one on, to who does not know; if they are gone, offer the snapshot."""
    if from_slot <= turn.ledger.base:
        transfer.offer(turn, to)
        return
    entries: list[Entry] = []
    for slot in range(max(from_slot, FIRST), min(from_slot + TOLD_MAX, turn.upto + 1)):
        chosen = turn.ledger[slot].chosen
        assert chosen is not None, f"slot {slot} is open, below {turn.upto}"
        entries.append(Entry(slot, chosen.ballot, chosen.value))
    turn.send((to,), Tell(tuple(entries), turn.upto))


def hear_tell(turn: Turn, told: Tell, sender: int) -> None:
    """Learn, and ask for more if there is more."""
    upto = turn.upto
    for entry in told.entries:
        if entry.slot <= turn.upto + TOLD_MAX:  # Nobody was asked about what lies further ahead.
            learn(turn, entry.slot, entry.vote, "told")
    if upto < turn.upto < told.upto:
        turn.send((sender,), Ask(turn.upto + 1))
