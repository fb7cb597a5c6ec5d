"""The acceptor of every slot: one promise, which binds it in all of them, and one vote in each.

In each slot the acceptor is that of Basic Paxos. What a log adds is that one prepare is about all slots from
one on (PMS 3), so a promise reports the votes in all of them.
"""

from __future__ import annotations

from ostrakon.paxos_impl.core.acceptor import Acceptor
from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.multi import catch_up, leadership
from ostrakon.paxos_impl.core.multi.effect import Promised, Voted
from ostrakon.paxos_impl.core.multi.log import Cell
from ostrakon.paxos_impl.core.multi.message import Accepted, Entry, Nack, Prepare, Promise, Propose
from ostrakon.paxos_impl.core.multi.transition import Transition

VOTES_AHEAD_MAX = 64
"""How far above its commit index a replica votes. A replica that is further behind catches up first.

This limit and `LAG_MAX` bound how many votes a promise reports, and so how long a promise can get. They are
safe, because an acceptor may always refuse to promise or to vote.
"""
LAG_MAX = 16
"""How many slots a candidate's commit index may be below the acceptor's. A candidate that is further behind
is sent the chosen values instead of a promise."""


def answer_prepare(t: Transition, prepare: Prepare, sender: int) -> Transition:
    """Phase 1b: promise, and report votes; or refuse, if a higher ballot was promised."""
    state, ballot, from_slot = t.state, prepare.ballot, prepare.from_slot
    before = Acceptor(state.promised)
    if not state.rules.may_promise(before, ballot):
        return _refuse(t, ballot, sender)
    if t.is_bound(ballot.server_id):
        return t  # A lease forbids the answer. The lease runs out soon, and the candidate tries again.
    if state.commit_index - from_slot >= LAG_MAX or from_slot <= state.log.base:
        return catch_up.tell(t, from_slot, sender)
    t = leadership.make_way(t, ballot)
    if (after := state.rules.promise(before, ballot)) != before:
        t = t.update(promised=after.promised).persist(Promised(ballot))
    votes = state.rules.reported_from(state.log, from_slot, state.commit_index)
    entries = tuple(Entry(slot, vote.ballot, vote.value) for slot, vote in votes)
    return t.send((sender,), Promise(ballot, from_slot, entries))


def answer_propose(t: Transition, propose: Propose, sender: int) -> Transition:
    """Phase 2b: vote; or refuse, if a higher ballot was promised."""
    state, ballot, slot, batch = t.state, propose.ballot, propose.slot, propose.batch
    if slot <= state.log.base:  # The slot is decided, and this replica's vote in it is gone.
        return catch_up.tell(t, slot, sender)
    cell = state.log[slot]
    before = Acceptor(state.promised, cell.accepted)
    if not state.rules.may_accept(before, ballot):
        return _refuse(t, ballot, sender)
    t = leadership.follow(t, ballot)
    if slot > state.commit_index + VOTES_AHEAD_MAX:
        return t
    after = state.rules.accept(before, Vote(ballot, batch))
    if after != before:
        log = state.log.put(slot, Cell(after.accepted, cell.chosen))
        t = t.update(promised=after.promised, log=log).persist(Voted(Entry(slot, ballot, batch)))
    return t.send((sender,), Accepted(ballot, slot), about=batch)


def _refuse(t: Transition, ballot: Ballot, sender: int) -> Transition:
    promised = t.state.promised
    assert promised is not None, f"{ballot} refused for no reason"
    return t.send((sender,), Nack(ballot, promised))
