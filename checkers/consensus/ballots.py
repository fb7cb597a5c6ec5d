"""The rules of ballots: each has one proposer and one value (P6), and each prepared ballot is new (P10)."""

from __future__ import annotations

from ostrakon.checkers.consensus.phrases import ballot_text, restart_text
from ostrakon.checkers.consensus.seen import Seen, Slot, ballot_of
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly
from ostrakon.harness.history import Event


def one_proposer_per_ballot(seen: Seen, event: Event) -> Anomaly | None:
    """P6, first half: no node uses the ballot of another node.

    Paxos Made Simple, section 2.5: "different proposers choose their numbers from disjoint sets".
    """
    ballot = event.ballot or ballot_of(event)
    owner = seen.owners.get(ballot)
    if owner is None or owner.node == event.node:
        return None
    return Anomaly(
        "ballot collision",
        f"{owner.node} and {event.node} both use ballot {ballot_text(ballot)}: "
        f"acceptors cannot tell their proposals apart",
        (owner, event),
    )


def one_value_per_ballot(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P6: no node uses the ballot of another node, and no node proposes two values at one ballot.

    Paxos Made Simple, section 2.2: different proposals have different numbers.
    """
    collision = one_proposer_per_ballot(seen, event)
    if collision is not None:
        return collision
    earlier = slot.proposed.get(event.ballot or ballot_of(event))
    if earlier is None or canonical(earlier.value) == key:
        return None
    return Anomaly(
        "ballot reuse",
        f"{event.node} proposed {value_text(earlier.value)} at ballot {ballot_text(event.ballot)} and, "
        f"at the same ballot{restart_text(seen.restarts_since(earlier, event))}, {value_text(event.value)}",
        (earlier, event),
    )


def ballots_fresh(seen: Seen, event: Event) -> Anomaly | None:
    """P10: the ballots that a node prepares increase over its whole life.

    A node may send the same prepare again, but not after a restart, because then it cannot know how it used
    that ballot.
    """
    highest = seen.prepared.get(event.node)
    if highest is None:
        return None
    before, now = highest.ballot or ballot_of(highest), event.ballot or ballot_of(event)
    if now > before:
        return None
    restarts = seen.restarts_since(highest, event)
    if now == before and restarts == 0:
        return None
    return Anomaly(
        "stale ballot",
        f"{event.node} prepared ballot {ballot_text(now)}{restart_text(restarts)}, "
        f"though it had prepared {ballot_text(before)} before: each must be higher than the last",
        (highest, event),
    )
