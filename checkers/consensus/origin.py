"""The origin of values: a client asks for a value, it is proposed, voted for and learned (P1).

Paxos Made Simple, section 2.1: "Only a value that has been proposed may be chosen".
"""

from __future__ import annotations

from ostrakon.checkers.consensus.phrases import ballot_text
from ostrakon.checkers.consensus.seen import Seen, Slot, ballot_of
from ostrakon.checkers.value import Key, value_text
from ostrakon.checkers.verdict import Anomaly
from ostrakon.harness.history import Event


def proposal_has_origin(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P1: a proposed value is one that a client asked for."""
    if seen.invited is None or key in seen.invited:
        return None
    return _from_nowhere("value from nowhere", event, "proposed", "which no client had asked for")


def vote_has_origin(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P1: a vote is for a value that was proposed at the same ballot."""
    proposal = slot.proposals.get((event.ballot or ballot_of(event), key))
    if proposal is not None and proposal.sent is not None:
        return None
    return _from_nowhere("vote without a proposal", event, "voted for", "which nobody had proposed there")


def learned_has_origin(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P1: a learned value was proposed."""
    if key in slot.chosen or any(proposal.key == key for proposal in slot.proposals.values()):
        return None
    return _from_nowhere("value from nowhere", event, "learned", "which nobody had proposed")


def _from_nowhere(name: str, event: Event, did: str, fault: str) -> Anomaly:
    at = f" at ballot {ballot_text(event.ballot)}" if event.ballot is not None else ""
    why = f"{event.node} {did} {value_text(event.value)} in slot {event.slot or 0}{at}, {fault}"
    return Anomaly(name, why, (event,))
