"""What is chosen, a quorum's votes for one value at one ballot: only ever one value (P2)."""

from __future__ import annotations

from collections.abc import Iterable

from checkers.consensus.seen import Report, Seen, ballot_of, reports_of
from checkers.consensus.wording import ballot_text, names_text
from checkers.value import canonical, value_text
from checkers.verdict import Anomaly
from harness.history import Event


def one_value_chosen(seen: Seen, event: Event) -> Anomaly | None:
    """P2: at most one value is ever chosen in a slot, at whichever ballots.

    Paxos Made Simple, section 2.1: "Only a single value is chosen". A vote counts from when it is sent, or
    when its acceptor first tells of it.
    """
    if event.event == "accept_sent":
        slot = seen.slots.get(event.slot or 0)
        if slot is None or not slot.chosen or canonical(event.value) in slot.chosen:
            return None
    elif not event.accepted:
        return None
    return next((a for slot, vote in _votes_in(event) if (a := _second_choice(seen, slot, vote))), None)


def _votes_in(event: Event) -> Iterable[tuple[int, Report]]:
    if event.event == "accept_sent":
        return [(event.slot or 0, Report(ballot_of(event), canonical(event.value), event.value, event))]
    return reports_of(event).items()


def _second_choice(seen: Seen, number: int, vote: Report) -> Anomaly | None:
    slot = seen.slots.get(number)
    if slot is None or not slot.chosen or vote.key in slot.chosen:
        return None
    proposal = slot.proposals.get((vote.ballot, vote.key))
    votes = dict(proposal.votes) if proposal is not None else {}
    votes.setdefault(vote.event.node, vote.event)
    if not seen.membership.quorum(number, votes):
        return None
    first = next(iter(slot.chosen.values()))
    return Anomaly(
        "two values chosen",
        f"in slot {number}, {names_text(first.votes)} voted for {value_text(first.value)} at ballot "
        f"{ballot_text(first.ballot)}, a quorum, and {names_text(votes)} for {value_text(vote.value)} at "
        f"{ballot_text(vote.ballot)}, another",
        (*first.votes.values(), *votes.values()),
        details={"slot": number},
    )
