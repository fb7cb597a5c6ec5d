"""Chosen values: a quorum votes for one value at one ballot, and only one value is ever chosen (P2)."""

from __future__ import annotations

from typing import Any

from ostrakon.checkers.consensus.phrases import ballot_text, names_text
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
