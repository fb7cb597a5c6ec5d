"""The acceptor of every slot: one promise, which binds it in all of them, and a vote in each."""

from __future__ import annotations

from ostrakon.paxos_impl.core.acceptor import Acceptor
from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.multi import election, learner
from ostrakon.paxos_impl.core.multi.effect import Promised, Voted
from ostrakon.paxos_impl.core.multi.log import Cell
from ostrakon.paxos_impl.core.multi.message import Accepted, Entry, Nack, Prepare, Promise, Propose
from ostrakon.paxos_impl.core.multi.transition import Transition

VOTES_AHEAD_MAX = 64
"""How far above what it knows to be chosen a replica votes; one that lags more catches up first.

This and `LAG_MAX` bound what a promise has to report, and so how long it can get. Refusing to vote or to
promise is always safe.
"""
LAG_MAX = 16
"""How many slots a candidate may know less of than who promises; one that lags more catches up first."""


def answer_prepare(t: Transition, prepare: Prepare, sender: int) -> None:
    """Phase 1b."""
    ballot, from_slot = prepare.ballot, prepare.from_slot
    before = Acceptor(t.promised)
    if not t.rules.may_promise(before, ballot):
        _refuse(t, ballot, sender)
        return
    if t.is_bound(ballot.server_id):
        return  # A lease keeps it from answering, and will soon have run out.
    if t.commit_index - from_slot >= LAG_MAX or from_slot <= t.log.base:
        learner.tell(t, from_slot, sender)
        return
    election.make_way(t, ballot)
    if (after := t.rules.promise(before, ballot)) != before:
        t.promised = after.promised
        t.persist(Promised(ballot))
    votes = t.rules.reported_from(t.log, from_slot, t.commit_index)
    entries = tuple(Entry(slot, vote.ballot, vote.value) for slot, vote in votes)
    t.send((sender,), Promise(ballot, from_slot, entries))


def answer_propose(t: Transition, propose: Propose, sender: int) -> None:
    """Phase 2b."""
    ballot, slot, batch = propose.ballot, propose.slot, propose.batch
    if slot <= t.log.base:  # It is decided, and what was voted for here is gone.
        learner.tell(t, slot, sender)
        return
    cell = t.log[slot]
    before = Acceptor(t.promised, cell.accepted)
    if not t.rules.may_accept(before, ballot):
        _refuse(t, ballot, sender)
        return
    election.follow(t, ballot)
    if slot > t.commit_index + VOTES_AHEAD_MAX:
        return
    after = t.rules.accept(before, Vote(ballot, batch))
    if after != before:
        t.promised = after.promised
        t.log = t.log.put(slot, Cell(after.accepted, cell.chosen))
        t.persist(Voted(Entry(slot, ballot, batch)))
    t.send((sender,), Accepted(ballot, slot), about=batch)


def _refuse(t: Transition, ballot: Ballot, sender: int) -> None:
    assert t.promised is not None, f"{ballot} refused for no reason"
    t.send((sender,), Nack(ballot, t.promised))
