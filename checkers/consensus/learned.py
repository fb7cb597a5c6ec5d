"""What nodes believe to be chosen: one value for all of them (P3), a chosen one (P4), and for good (P5)."""

from __future__ import annotations

from checkers.consensus.seen import Seen
from checkers.consensus.wording import ballot_text, names_text, restart_text
from checkers.value import canonical, value_text
from checkers.verdict import Anomaly
from harness.history import Event


def one_value_learned(seen: Seen, event: Event) -> Anomaly | None:
    """P3: whoever learns what a slot holds, in whichever life, learns the same."""
    slot = seen.slots.get(event.slot or 0)
    if slot is None or not slot.learned or canonical(event.value) in slot.learned:
        return None
    earlier = next(iter(slot.learned.values()))
    return Anomaly(
        "two values learned",
        f"slot {event.slot or 0} was learned as {value_text(earlier.value)} by {earlier.node} and as "
        f"{value_text(event.value)} by {event.node}",
        (earlier, event),
        details={"slot": event.slot or 0},
    )


def learned_was_chosen(seen: Seen, event: Event) -> Anomaly | None:
    """P4: a value is learned only once a quorum has voted for it at one ballot.

    Paxos Made Simple, section 2.1: "A process never learns that a value has been chosen unless it
    actually has been".
    """
    number = event.slot or 0
    if not seen.membership.views(number):
        return None
    key = canonical(event.value)
    slot = seen.slot(number)
    if key in slot.chosen:
        return None
    most = max((p for p in slot.proposals.values() if p.key == key), key=lambda p: len(p.votes), default=None)
    votes = most.votes if most is not None else {}
    at = f" at ballot {ballot_text(most.ballot)}" if votes and most is not None else ""
    return Anomaly(
        "learned but not chosen",
        f"{event.node} learned {value_text(event.value)} in slot {number} when only {names_text(votes)} had "
        f"voted for it{at}, which is no quorum",
        (*votes.values(), event),
    )


def learned_is_stable(seen: Seen, event: Event) -> Anomaly | None:
    """P5: what a node has learned or applied in a slot stays so over all its lives."""
    slot = seen.slots.get(event.slot or 0)
    earlier = slot.known.get((event.node, event.event)) if slot is not None else None
    if earlier is None or canonical(earlier.value) == canonical(event.value):
        return None
    return Anomaly(
        "decision changed",
        f"{event.node} {event.event} {value_text(earlier.value)} in slot {event.slot or 0} and, "
        f"later{restart_text(earlier, event)}, {value_text(event.value)}",
        (earlier, event),
    )
