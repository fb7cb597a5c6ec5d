"""The core in a small world without any reduction: the oracle that the reduced one is held against.

Every message is a step of its own, the votes that learners hear and what a node says to itself included, and
losing one is a step too. What a node says to itself is not lost, except with the node; and one thing is known
of the order of events: a node has its own promise in its inbox before anybody can answer its prepare.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from msgspec.structs import replace

from ostrakon.harness.model import Size
from ostrakon.paxos_impl.core import (
    Accepted,
    Durable,
    Event,
    Instance,
    Nack,
    Persist,
    Promise,
    ProposeRequested,
    Received,
    Rules,
    Send,
    Tell,
    Vote,
)

Mail = tuple[int, int, Any]


class Plain(NamedTuple):
    """A world at one moment."""

    nodes: tuple[Instance, ...]
    disks: tuple[tuple[Durable, ...], ...]
    asked: tuple[tuple[int, int], ...]
    """Of each node, in all its lives and in this one."""
    mails: tuple[Mail, ...]
    """Sorted, and as often as there are copies."""
    votes: frozenset[tuple[int, Vote]]
    learned: frozenset[Any]
    """The values that somebody has learned."""
    crashes: int


class PlainWorld:
    """All that can happen, one thing at a time."""

    def __init__(self, size: Size, rules: Rules) -> None:
        self.size, self.rules = size, rules
        self.members = tuple(range(1, size.acceptors + 1))

    def initial(self) -> Iterator[Plain]:
        nodes = tuple(Instance.recover(member, self.members, rules=self.rules) for member in self.members)
        count = len(nodes)
        blank = frozenset[Any]()
        yield Plain(nodes, ((Durable(),),) * count, ((0, 0),) * count, (), blank, blank, self.size.crashes)

    def successors(self, state: Plain) -> Iterator[tuple[str, Plain]]:
        for mail in sorted(set(state.mails), key=repr):
            sender, receiver, message = mail
            rest = list(state.mails)
            rest.remove(mail)
            without = state._replace(mails=tuple(rest))
            if sender != receiver:
                yield f"drop {mail}", without
            if not self._is_early(state, mail):
                yield f"deliver {mail}", self._step(without, receiver, Received(message, sender, ""))
        for told in self.members:
            for teller in state.nodes:
                if teller.learner.chosen is not None and teller.server_id != told:
                    tell = Received(Tell(None, teller.learner.chosen), teller.server_id, "")
                    yield f"tell {told}", self._step(state, told, tell)
        for member in self.members:
            ever, now = state.asked[member - 1]
            if member <= self.size.proposers and now < self.size.requests:
                asked = state._replace(asked=_with(state.asked, member - 1, (ever + 1, now + 1)))
                value = f"v{member}" + "'" * ever
                yield f"ask {member}", self._step(asked, member, ProposeRequested(now + 1, value))
            if state.crashes:
                for found in state.disks[member - 1]:
                    yield f"crash {member}", self._crash(state, member, found)

    def _is_early(self, state: Plain, mail: Mail) -> bool:
        sender, receiver, message = mail
        return (
            sender != receiver
            and isinstance(message, Promise | Nack)
            and any(
                s == r == receiver and isinstance(m, Promise | Nack) and m.ballot == message.ballot
                for s, r, m in state.mails
            )
        )

    def _crash(self, state: Plain, member: int, found: Durable) -> Plain:
        at, before = member - 1, state.nodes[member - 1]
        node = Instance.recover(
            member, self.members, incarnation=before.incarnation + 1, state=found, rules=self.rules
        )
        return state._replace(
            nodes=_with(state.nodes, at, node),
            disks=_with(state.disks, at, (found,)),
            asked=_with(state.asked, at, (state.asked[at][0], 0)),
            mails=tuple(mail for mail in state.mails if not mail[0] == mail[1] == member),
            crashes=state.crashes - 1,
        )

    def _step(self, state: Plain, member: int, event: Event) -> Plain:
        at = member - 1
        node, sent, persisted, flushed = _outcome(state.nodes[at], event)
        disk = (*state.disks[at], *persisted)
        disk = disk[-1:] if flushed else tuple(dict.fromkeys(reversed(disk)))[::-1]
        votes = {(member, Vote(m.ballot, m.value)) for _, m in sent if isinstance(m, Accepted)}
        chosen = node.learner.chosen
        return state._replace(
            nodes=_with(state.nodes, at, node),
            disks=_with(state.disks, at, disk),
            mails=tuple(sorted([*state.mails, *((member, to, m) for to, m in sent)], key=repr)),
            votes=state.votes | votes if votes else state.votes,
            learned=state.learned if chosen is None else state.learned | {chosen.value},
        )


@cache
def _outcome(
    node: Instance, event: Event
) -> tuple[Instance, tuple[tuple[int, Any], ...], tuple[Durable, ...], bool]:
    after, effects = node.step(event)
    sent = tuple((to, e.message) for e in effects if isinstance(e, Send) for to in e.to)
    persisted = tuple(e.state for e in effects if isinstance(e, Persist))
    flushed = any(getattr(e, "after", None) is not None for e in effects)
    proposer = replace(after.proposer, attempts=0)
    return replace(after, proposer=proposer, sends=0, persists=0, pulls=0), sent, persisted, flushed


def chosen_values(votes: frozenset[tuple[int, Vote]], acceptors: int) -> set[Any]:
    """The values that a quorum voted for at one ballot."""
    by_vote: dict[Vote, set[int]] = {}
    for acceptor, vote in votes:
        by_vote.setdefault(vote, set()).add(acceptor)
    return {vote.value for vote, who in by_vote.items() if len(who) > acceptors // 2}


def _with(items: tuple[Any, ...], at: int, item: Any) -> tuple[Any, ...]:
    return (*items[:at], item, *items[at + 1 :])
