"""The rules of decisions: one value is chosen (P2); nodes learn only it (P3, P4), and keep it (P5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostrakon.checkers.consensus.phrases import ballot_text, names_text, restart_text
from ostrakon.checkers.consensus.seen import Ballot, Seen, Slot, ballot_of
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly
from ostrakon.harness.history import Event


def one_value_voted(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P2: at most one value is ever chosen in a slot, at whichever ballots.

    Paxos Made Simple, section 2.1: "Only a single value is chosen".
    """
    if not slot.chosen or key in slot.chosen:
        return None
    return _second_choice(seen, event, event.slot or 0, ballot_of(event), event.value)


def one_value_told(seen: Seen, event: Event) -> Anomaly | None:
    """P2 for votes that were never sent: they count from the event in which their acceptor reports them."""
    acceptor = seen.acceptors.get(event.node)
    if acceptor is not None and (acceptor.exact is event or acceptor.reports_exactly(event)):
        return None  # All of these votes are counted already.
    for number, ballot, value in event.accepted:
        slot = seen.slots.get(number)
        if slot is not None and slot.chosen and canonical(value) not in slot.chosen:
            anomaly = _second_choice(seen, event, number, ballot, value)
            if anomaly is not None:
                return anomaly
    return None


def _second_choice(seen: Seen, event: Event, number: int, ballot: Ballot, value: Any) -> Anomaly | None:
    slot = seen.slot(number)
    proposal = slot.proposals.get((ballot, canonical(value)))
    votes = dict(proposal.votes) if proposal is not None else {}
    votes.setdefault(event.node, event)
    if not seen.membership.quorum(number, votes):
        return None
    first = next(iter(slot.chosen.values()))
    return Anomaly(
        "two values chosen",
        f"in slot {number}, {names_text(first.votes)} voted for {value_text(first.value)} at ballot "
        f"{ballot_text(first.ballot)}, a quorum, and {names_text(votes)} for {value_text(value)} at "
        f"{ballot_text(ballot)}, another",
        (*first.votes.values(), *votes.values()),
        details={"slot": number},
    )


def one_value_learned(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P3: all nodes, in all incarnations, learn the same value for a slot."""
    if not slot.learned or key in slot.learned:
        return None
    earlier = next(iter(slot.learned.values()))
    return Anomaly(
        "two values learned",
        f"slot {event.slot or 0} was learned as {value_text(earlier.value)} by {earlier.node} and as "
        f"{value_text(event.value)} by {event.node}",
        (earlier, event),
        details={"slot": event.slot or 0},
    )


def learned_was_chosen(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P4: a value is learned only once a quorum has voted for it at one ballot.

    Paxos Made Simple, section 2.1: "A process never learns that a value has been chosen unless it
    actually has been".
    """
    number = event.slot or 0
    if key in slot.chosen or not seen.membership.views(number):
        return None
    proposals = [proposal for proposal in slot.proposals.values() if proposal.key == key and proposal.votes]
    most = max(proposals, key=lambda proposal: len(proposal.votes), default=None)
    votes = most.votes if most is not None else {}
    at = f" at ballot {ballot_text(most.ballot)}" if most is not None else ""
    return Anomaly(
        "learned but not chosen",
        f"{event.node} learned {value_text(event.value)} in slot {number} when only {names_text(votes)} had "
        f"voted for it{at}, which is no quorum",
        (*votes.values(), event),
    )


def learned_is_stable(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P5: the value that a node learned for a slot never changes, in all its incarnations."""
    return _changed(seen, slot.known, event, key)


def applied_is_stable(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P5: the value that a node applied for a slot never changes, in all its incarnations."""
    return _changed(seen, slot.applied, event, key)


def _changed(seen: Seen, known: Mapping[str, Event], event: Event, key: Key) -> Anomaly | None:
    earlier = known.get(event.node)
    if earlier is None or canonical(earlier.value) == key:
        return None
    return Anomaly(
        "decision changed",
        f"{event.node} {event.event} {value_text(earlier.value)} in slot {event.slot or 0} and, "
        f"later{restart_text(seen.restarts_since(earlier, event))}, {value_text(event.value)}",
        (earlier, event),
        details={"slot": event.slot or 0},
    )
