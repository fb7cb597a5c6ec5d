"""Durability: what was chosen can be found out from any quorum, whoever has been restarted (M5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ostrakon.checkers.consensus.membership import Membership
from ostrakon.checkers.consensus.phrases import names_text
from ostrakon.checkers.consensus.recovered import Recovered
from ostrakon.checkers.consensus.seen import Ballot, ballot_of
from ostrakon.checkers.replication.life import told, untested, verdict_of
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, Trace


def durability(trace: Trace) -> Verdict:
    """M5: no quorum is made up of members none of which knows of a chosen value any more.

    A member that voted for it knows of it until a `restart` reports that it recovered neither a vote for it
    at that ballot or above (`accepted`) nor that it is chosen: the slot is not above `chosen_upto` in its
    detail, nor, where there is but one slot, the value `chosen`.
    """
    events = told(trace, "accept_sent", "restart", "config_active")
    if not any(event.event == "restart" for event in events):
        return untested("M5", "restart")
    votes = _Votes()
    return verdict_of(anomaly for event in events for anomaly in votes.see(event))


@dataclass(slots=True, eq=False)
class _Proposal:
    """A value at a ballot: who voted for it, and who of these has forgotten that."""

    ballot: Ballot
    key: Key
    votes: dict[str, Event] = field(default_factory=dict)
    forgotten: dict[str, Event] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Votes:
    """Who voted for what and still knows."""

    membership: Membership = field(default_factory=Membership)
    proposals: dict[int, dict[tuple[Ballot, Key], _Proposal]] = field(default_factory=dict)
    chosen: dict[int, _Proposal] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)

    def see(self, event: Event) -> Iterator[Anomaly]:
        """Take note of an event: it may lose something."""
        match event.event:
            case "config_active":
                self.membership.add(event)
            case "accept_sent":
                yield from self._vote(event)
            case _:
                yield from self._forget(event)

    def _vote(self, event: Event) -> Iterator[Anomaly]:
        slot, ballot, key = event.slot or 0, ballot_of(event), canonical(event.value)
        proposals = self.proposals.setdefault(slot, {})
        proposal = proposals.setdefault((ballot, key), _Proposal(ballot, key))
        proposal.votes[event.node] = event
        proposal.forgotten.pop(event.node, None)
        if slot not in self.chosen and self.membership.quorum(slot, proposal.votes):
            self.chosen[slot] = proposal
            yield from self._losses(slot)

    def _forget(self, restart: Event) -> Iterator[Anomaly]:
        recovered = Recovered.by(restart)
        for slot, proposals in self.proposals.items():
            if slot <= recovered.upto:
                continue
            for (ballot, key), proposal in proposals.items():
                if restart.node in proposal.votes and not recovered.holds(slot, ballot, key):
                    proposal.forgotten.setdefault(restart.node, restart)
            yield from self._losses(slot)

    def _losses(self, slot: int) -> Iterator[Anomaly]:
        """Whether what was chosen in a slot has just been lost."""
        chosen = self.chosen.get(slot)
        if chosen is None or not chosen.forgotten or slot in self.lost:
            return
        knowing = {
            node
            for proposal in self.proposals[slot].values()
            if proposal.key == chosen.key and proposal.ballot >= chosen.ballot
            for node in proposal.votes.keys() - proposal.forgotten.keys()
        }
        for members in self.membership.views(slot):
            others = members - knowing
            if 2 * len(others) > len(members):
                self.lost.add(slot)
                yield _lost(slot, chosen, others)
                return


def _lost(slot: int, chosen: _Proposal, others: frozenset[str]) -> Anomaly:
    value = value_text(next(iter(chosen.votes.values())).value)
    return Anomaly(
        "chosen value lost",
        f"{names_text(chosen.votes)} voted for {value} in slot {slot}, a quorum; "
        f"{names_text(chosen.forgotten)} restarted without that vote, and now {names_text(others)} "
        f"are a quorum of which nobody knows of it",
        tuple(sorted((*chosen.votes.values(), *chosen.forgotten.values()), key=lambda event: event.time)),
        property="M5",
        details={"slot": slot},
    )
