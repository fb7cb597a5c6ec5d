"""Where values come from: from a client, through a proposal and votes, to those who learn them (P1)."""

from __future__ import annotations

from checkers.consensus.seen import Seen, ballot_of
from checkers.consensus.wording import ballot_text
from checkers.value import canonical, value_text
from checkers.verdict import Anomaly
from harness.history import Event


def value_has_origin(seen: Seen, event: Event) -> Anomaly | None:
    """P1: what is learned was proposed, what is voted for was proposed, what is proposed a client asked for.

    Paxos Made Simple, section 2.1: "Only a value that has been proposed may be chosen".
    """
    wrong = None
    match event.event:
        case "propose_sent":
            if not _was_invited(seen, event):
                wrong = "value from nowhere", "proposed", "which no client had asked for"
        case "accept_sent":
            if not _was_proposed_at(seen, event):
                wrong = "vote without a proposal", "voted for", "which nobody had proposed at that ballot"
        case _:
            if not _was_proposed(seen, event):
                wrong = "value from nowhere", "learned", "which nobody had proposed"
    if wrong is None:
        return None
    name, did, fault = wrong
    at = f" at ballot {ballot_text(event.ballot)}" if event.ballot is not None else ""
    why = f"{event.node} {did} {value_text(event.value)} in slot {event.slot or 0}{at}, {fault}"
    return Anomaly(name, why, (event,))


def _was_invited(seen: Seen, event: Event) -> bool:
    return seen.invited is None or canonical(event.value) in seen.invited


def _was_proposed_at(seen: Seen, vote: Event) -> bool:
    proposal = seen.slot(vote.slot).proposals.get((ballot_of(vote), canonical(vote.value)))
    return proposal is not None and proposal.sent is not None


def _was_proposed(seen: Seen, learned: Event) -> bool:
    slot, key = seen.slot(learned.slot), canonical(learned.value)
    return key in slot.chosen or any(proposal.key == key for proposal in slot.proposals.values())
