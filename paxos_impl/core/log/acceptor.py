"""The acceptor of every slot: one promise, which binds it in all of them, and a vote in each."""

from __future__ import annotations

from ostrakon.paxos_impl.core.acceptor import Acceptor
from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.log import election, learner
from ostrakon.paxos_impl.core.log.effect import Promised, Voted
from ostrakon.paxos_impl.core.log.ledger import Cell
from ostrakon.paxos_impl.core.log.message import Accepted, Entry, Nack, Prepare, Promise, Propose
from ostrakon.paxos_impl.core.log.turn import Turn

VOTES_AHEAD_MAX = 64
"""How far above what it knows to be chosen a replica votes; one that lags more catches up first.

This and `LAG_MAX` bound what a promise has to report, and so how long it can get. Refusing to vote or to
promise is always safe.
"""
LAG_MAX = 16
"""How many slots a candidate may know less of than who promises; one that lags more catches up first."""


def answer_prepare(turn: Turn, prepare: Prepare, sender: int) -> None:
    """Phase 1b."""
    ballot, from_slot = prepare.ballot, prepare.from_slot
    before = Acceptor(turn.promised)
    if not turn.rules.may_promise(before, ballot):
        _refuse(turn, ballot, sender)
        return
    if turn.is_bound(ballot.server_id):
        return  # A lease keeps it from answering, and will soon have run out.
    if turn.upto - from_slot >= LAG_MAX or from_slot <= turn.ledger.base:
        learner.tell(turn, from_slot, sender)
        return
    election.make_way(turn, ballot)
    if (after := turn.rules.promise(before, ballot)) != before:
        turn.promised = after.promised
        turn.persist(Promised(ballot))
    votes = turn.rules.reported_from(turn.ledger, from_slot, turn.upto)
    entries = tuple(Entry(slot, vote.ballot, vote.value) for slot, vote in votes)
    turn.send((sender,), Promise(ballot, from_slot, entries))


def answer_propose(turn: Turn, propose: Propose, sender: int) -> None:
    """Phase 2b."""
    ballot, slot, batch = propose.ballot, propose.slot, propose.batch
    if slot <= turn.ledger.base:  # It is decided, and what was voted for here is gone.
        learner.tell(turn, slot, sender)
        return
    cell = turn.ledger[slot]
    before = Acceptor(turn.promised, cell.accepted)
    if not turn.rules.may_accept(before, ballot):
        _refuse(turn, ballot, sender)
        return
    election.follow(turn, ballot)
    if slot > turn.upto + VOTES_AHEAD_MAX:
        return
    after = turn.rules.accept(before, Vote(ballot, batch))
    if after != before:
        turn.promised = after.promised
        turn.ledger = turn.ledger.put(slot, Cell(after.accepted, cell.chosen))
        turn.persist(Voted(Entry(slot, ballot, batch)))
    turn.send((sender,), Accepted(ballot, slot), about=batch)


def _refuse(turn: Turn, ballot: Ballot, sender: int) -> None:
    assert turn.promised is not None, f"{ballot} refused for no reason"
    turn.send((sender,), Nack(ballot, turn.promised))
