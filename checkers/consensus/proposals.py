"""The rules of proposals: where their values come from (P1), their ballots (P6, P10), and P2c (P9).

Paxos Made Simple, section 2.1: "Only a value that has been proposed may be chosen".
"""

from __future__ import annotations

from collections.abc import Iterable

from ostrakon.checkers.consensus.phrases import ballot_text, names_text, restart_text
from ostrakon.checkers.consensus.seen import Ballot, Report, Seen, Slot, ballot_of, reported
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly
from ostrakon.harness.history import Event


def proposal_safe(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P9: some quorum promised the ballot, and the value is that of the highest vote it reports, if any.

    Paxos Made Simple, section 2.2, P2c.
    """
    ballot, number = event.ballot or ballot_of(event), event.slot or 0
    known = slot.proposals.get((ballot, key))
    if known is not None and known.sent is not None:
        return None  # A retransmission; it was judged the first time.
    if _is_plainly_safe(seen, ballot, number, key) or not seen.membership.views(number):
        return None
    promises = seen.promises(ballot)
    if support(seen, promises, number, key) is not None:
        return None
    witness = (*promises, event)
    proposed = (
        f"{event.node} proposed {value_text(event.value)} in slot {number} at ballot {ballot_text(ballot)}"
    )
    promisers = {promise.node: None for promise in promises}
    if not _is_quorum(seen, number, promises):
        return Anomaly(
            "proposal without a quorum",
            f"{proposed} when only {names_text(promisers)} had promised that ballot, which is no quorum",
            witness,
        )
    return Anomaly("unsafe proposal", f"{proposed}, but {_reported(promises, number)}", witness)


def support(seen: Seen, promises: Iterable[Event], slot: int, key: Key) -> tuple[Event, ...] | None:
    """The promises that, as a quorum, allow the value to be proposed; None if there is no such quorum.

    The trace does not record which promises the proposer used, so any quorum of them is accepted. All quorums
    whose highest reported ballot is b are within the promises that report b or less, and a higher b allows
    more promises. So it is enough to try the highest b that was reported with the value and, for a new value,
    the promises that report nothing.
    """
    covering = [promise for promise in promises if (promise.slot or 0) <= slot]
    reports = [reported(promise, slot) for promise in covering]
    told = list(zip(covering, reports, strict=True))
    free = [promise for promise, report in told if report is None]
    if _is_quorum(seen, slot, free):
        return tuple(free)
    adopted = max((report[1] for report in reports if report and canonical(report[2]) == key), default=None)
    if adopted is None:
        return None
    within = [promise for promise, report in told if report is None or report[1] <= adopted]
    return tuple(within) if _is_quorum(seen, slot, within) else None


def _is_quorum(seen: Seen, slot: int, promises: Iterable[Event]) -> bool:
    return seen.membership.quorum(slot, {promise.node: None for promise in promises})


def _is_plainly_safe(seen: Seen, ballot: Ballot, slot: int, key: Key) -> bool:
    """Whether all promises together are a quorum that allows the value.

    Most proposals are allowed in this way, and this test is fast.
    """
    mandate = seen.mandates.get(ballot)
    if mandate is None or mandate.covers_from > slot:
        return False
    highest = mandate.highest.get(slot)
    return (highest is None or canonical(highest[2]) == key) and seen.membership.quorum(slot, mandate.nodes)


def _reported(promises: Iterable[Event], slot: int) -> str:
    told: dict[str, Report] = {}
    for promise in promises:
        if (report := reported(promise, slot)) is not None:
            told[promise.node] = report
    if not told:
        return "none of its quorums of promises covers that slot"
    node, (_, at, value) = max(told.items(), key=lambda item: item[1][1])
    return (
        f"every quorum of its promises calls for another value: {node} reported "
        f"{value_text(value)} at {ballot_text(at)}, the highest"
    )


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
