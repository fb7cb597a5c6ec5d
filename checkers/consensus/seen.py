"""What a trace has shown so far: the promises, proposals and votes by which the next event is judged.

One pass over the trace keeps this up to date, whether the trace is complete or still growing. Whatever a
node did in any of its lives counts: a restart excuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

from checkers.consensus.membership import Membership
from checkers.value import Key, canonical
from harness.history import Event

Ballot = tuple[int, int]


@dataclass(slots=True, eq=False)
class Proposal:
    """A value at a ballot, and who voted for it."""

    ballot: Ballot
    key: Key
    """The value in canonical form."""
    value: Any
    sent: Event | None = None
    """The first `propose_sent`; None if there are votes for what nobody proposed."""
    votes: dict[str, Event] = field(default_factory=dict)
    """By acceptor, the first event that shows its vote: the vote sent, or told of later."""


@dataclass(slots=True, eq=False)
class Slot:
    """One decision."""

    proposals: dict[tuple[Ballot, Key], Proposal] = field(default_factory=dict)
    proposed: dict[Ballot, Event] = field(default_factory=dict)
    """The first `propose_sent` at each ballot."""
    chosen: dict[Key, Proposal] = field(default_factory=dict)
    """Each value that has a quorum of votes at one ballot, with the first such proposal."""
    learned: dict[Key, Event] = field(default_factory=dict)
    """Each value that some node learned, with the first such event."""
    known: dict[tuple[str, str], Event] = field(default_factory=dict)
    """By node and kind of event: the value it last learned or applied."""


@dataclass(slots=True, eq=False)
class Report:
    """A vote that an acceptor is known to have cast, because it was sent or because a promise told of it."""

    ballot: Ballot
    key: Key
    value: Any
    event: Event


@dataclass(slots=True, eq=False)
class Promise:
    """A promise and what it reports, by slot."""

    event: Event
    reports: dict[int, Report]


@dataclass(slots=True, eq=False)
class Acceptor:
    """What one node promised and voted for, over all its lives."""

    highest: Event
    """The promise or vote with the highest ballot."""
    promises: list[Event] = field(default_factory=list)
    """The promises that raised its promised ballot, lowest first."""
    votes: dict[int, Report] = field(default_factory=dict)
    """By slot, the vote with the highest ballot."""


class Seen:
    """Everything seen up to now.

    `invited` holds the canonical form of each value that clients asked for; None if that is not known.
    """

    def __init__(self, invited: Container[Key] | None = None) -> None:
        self.invited = invited
        self.membership = Membership()
        self.slots: dict[int, Slot] = {}
        self.acceptors: dict[str, Acceptor] = {}
        self.prepared: dict[str, Event] = {}
        """By node, its `prepare_sent` with the highest ballot."""
        self.owners: dict[Ballot, Event] = {}
        """By ballot, the first event by which a node used it as its own."""
        self.promises: dict[Ballot, list[Promise]] = {}
        self.restarts: dict[str, list[Event]] = {}
        self._adders: dict[str, Callable[[Event], None]] = {
            "config_active": self.membership.add,
            "restart": self._add_restart,
            "prepare_sent": self._add_prepare,
            "promise_sent": self._add_promise,
            "propose_sent": self._add_proposal,
            "accept_sent": self._add_vote,
            "tell_sent": self._add_votes_told,
            "learned": self._add_learned,
            "applied": self._add_known,
            "compacted": self._add_compaction,
            "snapshot_installed": self._add_compaction,
        }

    def add(self, event: Event) -> None:
        """Take note of the next event; kinds that no rule speaks of are passed over."""
        adder = self._adders.get(event.event)
        if adder is not None:
            adder(event)

    def slot(self, number: int | None) -> Slot:
        """The slot of this number; a trace of a single decree need not number it."""
        number = number or 0
        slot = self.slots.get(number)
        if slot is None:
            slot = self.slots[number] = Slot()
        return slot

    def _add_restart(self, event: Event) -> None:
        self.restarts.setdefault(event.node, []).append(event)

    def _add_prepare(self, event: Event) -> None:
        ballot = ballot_of(event)
        self.owners.setdefault(ballot, event)
        highest = self.prepared.get(event.node)
        if highest is None or ballot_of(highest) <= ballot:
            self.prepared[event.node] = event

    def _add_promise(self, event: Event) -> None:
        ballot = ballot_of(event)
        acceptor = self._acceptor(event)
        if ballot >= ballot_of(acceptor.highest):
            acceptor.highest = event
        if not acceptor.promises or ballot > ballot_of(acceptor.promises[-1]):
            acceptor.promises.append(event)
        reports = reports_of(event)
        for slot, report in reports.items():
            self._cast(slot, report)
            known = acceptor.votes.get(slot)
            if known is None or known.ballot < report.ballot:
                acceptor.votes[slot] = report
        self.promises.setdefault(ballot, []).append(Promise(event, reports))

    def _add_proposal(self, event: Event) -> None:
        ballot = ballot_of(event)
        self.owners.setdefault(ballot, event)
        slot = self.slot(event.slot)
        slot.proposed.setdefault(ballot, event)
        key = canonical(event.value)
        proposal = slot.proposals.get((ballot, key))
        if proposal is None:
            slot.proposals[ballot, key] = Proposal(ballot, key, event.value, event)
        elif proposal.sent is None:
            proposal.sent = event

    def _add_vote(self, event: Event) -> None:
        number = event.slot or 0
        vote = Report(ballot_of(event), canonical(event.value), event.value, event)
        self._cast(number, vote)
        acceptor = self._acceptor(event)
        if vote.ballot >= ballot_of(acceptor.highest):
            acceptor.highest = event
        known = acceptor.votes.get(number)
        if known is None or known.ballot < vote.ballot:
            acceptor.votes[number] = vote

    def _add_votes_told(self, event: Event) -> None:
        # Whoever asks what was chosen counts these as votes. Nothing says when they were cast.
        for slot, vote in reports_of(event).items():
            self._cast(slot, vote)

    def _cast(self, number: int, vote: Report) -> None:
        slot = self.slot(number)
        proposal = slot.proposals.get((vote.ballot, vote.key))
        if proposal is None:
            proposal = slot.proposals[vote.ballot, vote.key] = Proposal(vote.ballot, vote.key, vote.value)
        proposal.votes.setdefault(vote.event.node, vote.event)
        if vote.key not in slot.chosen and self.membership.quorum(number, proposal.votes):
            slot.chosen[vote.key] = proposal

    def _add_learned(self, event: Event) -> None:
        self.slot(event.slot).learned.setdefault(canonical(event.value), event)
        self._add_known(event)

    def _add_known(self, event: Event) -> None:
        self.slot(event.slot).known[event.node, event.event] = event

    def _add_compaction(self, event: Event) -> None:
        # What a snapshot holds need not be reported any more: it was chosen, and is told as a whole.
        acceptor = self.acceptors.get(event.node)
        if acceptor is not None and event.slot is not None:
            upto = event.slot
            acceptor.votes = {slot: vote for slot, vote in acceptor.votes.items() if slot > upto}

    def _acceptor(self, event: Event) -> Acceptor:
        acceptor = self.acceptors.get(event.node)
        if acceptor is None:
            acceptor = self.acceptors[event.node] = Acceptor(event)
        return acceptor


def reports_of(event: Event) -> dict[int, Report]:
    """The votes that an event tells of, by slot."""
    return {slot: Report(ballot, canonical(value), value, event) for slot, ballot, value in event.accepted}


class IncompleteEvent(ValueError):
    """An event lacks a field that its kind must have."""


def ballot_of(event: Event) -> Ballot:
    """The event's ballot.

    Raises: IncompleteEvent, if it has none.
    """
    ballot = event.ballot
    if ballot is None:
        raise IncompleteEvent(
            f"{event.event} of {event.node} (incarnation {event.incarnation}, seq {event.seq}) has no ballot"
        )
    return ballot
