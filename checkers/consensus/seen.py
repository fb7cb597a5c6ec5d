"""What a trace has shown so far: the promises, proposals and votes by which the next event is judged.

One pass over the trace keeps this up to date, whether the trace is complete or still growing. Whatever a
node did in any of its lives counts: a restart excuses nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ostrakon.checkers.consensus.membership import Membership
from ostrakon.checkers.value import Key, canonical
from ostrakon.harness.history import Event

Ballot = tuple[int, int]


# What a long trace has millions of are structs without garbage collection: they are made in half the time.


class Proposal(msgspec.Struct, eq=False, gc=False):
    """A value at a ballot, and who voted for it."""

    ballot: Ballot
    key: Key
    """The value in canonical form."""
    value: Any
    sent: Event | None
    """The first `propose_sent`; None if there are votes for what nobody proposed."""
    votes: dict[str, Event]
    """By acceptor, the first event that shows its vote: the vote sent, or told of later."""


class Slot:
    """One decision."""

    # Not a dataclass: a long trace makes one for every few of its events, and this is three times as quick.
    __slots__ = ("applied", "chosen", "known", "learned", "proposals", "proposed")

    def __init__(self) -> None:
        self.proposals: dict[tuple[Ballot, Key], Proposal] = {}
        self.proposed: dict[Ballot, Event] = {}
        """The first `propose_sent` at each ballot."""
        self.chosen: dict[Key, Proposal] = {}
        """Each value that has a quorum of votes at one ballot, with the first such proposal."""
        self.learned: dict[Key, Event] = {}
        """Each value that some node learned, with the first such event."""
        self.known: dict[str, Event] = {}
        """By node, what it learned last."""
        self.applied: dict[str, Event] = {}
        """By node, what it applied last."""


Report = tuple[int, Ballot, Any]
"""A vote that a promise tells of: slot, ballot and value."""


class Mandate(msgspec.Struct, eq=False, gc=False):
    """The promises of one ballot: what its proposer has to go by."""

    promises: list[Event]
    nodes: dict[str, None]
    """Who promised."""
    covers_from: int
    """The first slot that all of them cover; a promise covers its slot and all above."""
    highest: dict[int, Report]
    """By slot, of the votes that they report the one with the highest ballot."""


def reported(promise: Event, slot: int) -> Report | None:
    """The vote that a promise tells of in this slot, if any."""
    return next((report for report in promise.accepted if report[0] == slot), None)


@dataclass(slots=True, eq=False)
class Acceptor:
    """What one node promised and voted for, over all its lives."""

    node: str
    top: Ballot = (0, 0)
    """The highest ballot that it promised or voted at."""
    promised: Ballot = (-1, 0)
    """The highest ballot that it promised."""
    promises: list[Event] = field(default_factory=list)
    """The promises that raised its promised ballot, lowest first."""
    votes: dict[int, Proposal] = field(default_factory=dict)
    """By slot, what it voted for at the highest ballot, by its votes and by the reports in its promises."""
    slots: list[int] = field(default_factory=list)
    """The slots of these votes, in ascending order."""
    exact: Event | None = None
    """The promise that was last found to report just these votes: several rules ask, one after another."""

    def note(self, slot: int, proposal: Proposal) -> None:
        """Remember a vote if it is the highest of its slot."""
        self.exact = None
        known = self.votes.get(slot)
        if known is None:
            self.votes[slot] = proposal
            if not self.slots or slot > self.slots[-1]:
                self.slots.append(slot)
            else:
                insort(self.slots, slot)
        elif known.ballot < proposal.ballot:
            self.votes[slot] = proposal

    def votes_from(self, slot: int) -> Iterator[tuple[int, Proposal]]:
        """The votes in this slot and all above."""
        for at in range(bisect_left(self.slots, slot), len(self.slots)):
            yield self.slots[at], self.votes[self.slots[at]]

    def reports_exactly(self, promise: Event) -> bool:
        """Whether a promise reports just what is known of the acceptor, as most do; then it is `exact`."""
        covered_from, votes = promise.slot or 0, self.votes
        covered = len(self.slots) - (bisect_left(self.slots, covered_from) if covered_from else 0)
        if len(promise.accepted) != covered:
            return False
        for slot, at, value in promise.accepted:
            vote = votes.get(slot)
            if vote is None or vote.ballot != at or slot < covered_from:
                return False
            if vote.key != (value if type(value) is str else canonical(value)):
                return False
        self.exact = promise
        return True

    def forget(self, upto: int) -> None:
        """Drop the votes in this slot and all below."""
        self.exact = None
        kept = bisect_right(self.slots, upto)
        for slot in self.slots[:kept]:
            del self.votes[slot]
        del self.slots[:kept]


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
        self.mandates: dict[Ballot, Mandate] = {}
        self.restarts: dict[str, list[Event]] = {}

    def slot(self, number: int | None) -> Slot:
        """The slot of this number; a trace of a single decree need not number it."""
        number = number or 0
        slot = self.slots.get(number)
        if slot is None:
            slot = self.slots[number] = Slot()
        return slot

    def promises(self, ballot: Ballot) -> Sequence[Event]:
        """The promises of this ballot."""
        mandate = self.mandates.get(ballot)
        return mandate.promises if mandate is not None else ()

    def add_members(self, event: Event) -> None:
        """A node began to count quorums over these members."""
        self.membership.add(event)

    def restarts_since(self, earlier: Event, now: Event) -> int:
        """How often a node was restarted between one of its events and the present one; 0 if they are of two
        nodes.

        Counted by the `restart` events, too: a node that loses its disk may use an incarnation number twice.
        """
        if earlier.node != now.node:
            return 0
        counted = sum(is_later(each, earlier) for each in self.restarts.get(now.node, ()))
        return max(counted, now.incarnation - earlier.incarnation)

    def add_restart(self, event: Event) -> None:
        """A node began another life."""
        self.restarts.setdefault(event.node, []).append(event)

    def add_prepare(self, event: Event) -> None:
        """A proposer asked for promises."""
        ballot = event.ballot or ballot_of(event)
        self.owners.setdefault(ballot, event)
        highest = self.prepared.get(event.node)
        if highest is None or (highest.ballot or ballot_of(highest)) <= ballot:
            self.prepared[event.node] = event

    def add_promise(self, event: Event) -> None:
        """An acceptor promised a ballot, and reported its votes."""
        ballot = event.ballot or ballot_of(event)
        acceptor = self.acceptors.get(event.node) or self._acceptor(event)
        if ballot > acceptor.promised:
            acceptor.promised = ballot
            acceptor.promises.append(event)
            if ballot > acceptor.top:
                acceptor.top = ballot
        if acceptor.exact is not event and not acceptor.reports_exactly(event):
            for number, at, value in event.accepted:
                key = value if type(value) is str else canonical(value)
                acceptor.note(number, self._cast(number, self.slot(number), at, key, value, event))
        mandate = self.mandates.get(ballot)
        if mandate is None:
            mandate = self.mandates[ballot] = Mandate([], {}, 0, {})
        mandate.promises.append(event)
        mandate.nodes[event.node] = None
        if event.slot is not None and event.slot > mandate.covers_from:
            mandate.covers_from = event.slot
        for report in event.accepted:
            known = mandate.highest.get(report[0])
            if known is None or known[1] < report[1]:
                mandate.highest[report[0]] = report

    def add_told(self, event: Event) -> None:
        """A node told of its votes: whoever hears it counts them, though nothing says when they were cast."""
        for number, at, value in event.accepted:
            self._cast(number, self.slot(number), at, canonical(value), value, event)

    def add_compaction(self, event: Event) -> None:
        """A snapshot holds what was chosen up to here, so votes need not be reported any more."""
        acceptor = self.acceptors.get(event.node)
        if acceptor is not None and event.slot is not None:
            acceptor.forget(event.slot)

    def add_proposal(self, event: Event, slot: Slot, key: Key) -> None:
        """A proposer proposed a value."""
        ballot = event.ballot or ballot_of(event)
        self.owners.setdefault(ballot, event)
        slot.proposed.setdefault(ballot, event)
        proposal = slot.proposals.get((ballot, key))
        if proposal is None:
            slot.proposals[ballot, key] = Proposal(ballot, key, event.value, event, {})
        elif proposal.sent is None:
            proposal.sent = event

    def add_vote(self, event: Event, slot: Slot, key: Key) -> None:
        """An acceptor voted."""
        number, ballot = event.slot or 0, event.ballot or ballot_of(event)
        acceptor = self.acceptors.get(event.node) or self._acceptor(event)
        acceptor.note(number, self._cast(number, slot, ballot, key, event.value, event))
        if ballot > acceptor.top:
            acceptor.top = ballot

    def add_learned(self, event: Event, slot: Slot, key: Key) -> None:
        """A node learned what is chosen."""
        slot.learned.setdefault(key, event)
        slot.known[event.node] = event

    def add_applied(self, event: Event, slot: Slot, key: Key) -> None:
        """A node applied what is chosen."""
        slot.applied[event.node] = event

    def _cast(self, number: int, slot: Slot, ballot: Ballot, key: Key, value: Any, event: Event) -> Proposal:
        proposal = slot.proposals.get((ballot, key))
        if proposal is None:
            proposal = slot.proposals[ballot, key] = Proposal(ballot, key, value, None, {})
        proposal.votes.setdefault(event.node, event)
        if key not in slot.chosen and self.membership.quorum(number, proposal.votes):
            slot.chosen[key] = proposal
        return proposal

    def _acceptor(self, event: Event) -> Acceptor:
        acceptor = self.acceptors.get(event.node)
        if acceptor is None:
            acceptor = self.acceptors[event.node] = Acceptor(event.node)
        return acceptor


def is_later(restart: Event, event: Event) -> bool:
    """Whether a restart of a node came after another event of that node.

    Numbers begin anew with each life, so of two events at the same time that of the same life is known.
    """
    return restart.time > event.time or (
        restart.time == event.time and restart.incarnation > event.incarnation
    )


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
