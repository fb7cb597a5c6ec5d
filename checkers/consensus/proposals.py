"""What a proposer owes: it proposes only what a quorum of promises leaves it free to propose (P9)."""

from __future__ import annotations

from collections.abc import Iterable

from checkers.consensus.seen import Promise, Proposal, Seen, Slot, ballot_of
from checkers.consensus.wording import ballot_text, names_text
from checkers.value import Key, value_text
from checkers.verdict import Anomaly
from harness.history import Event


def proposal_safe(seen: Seen, event: Event, slot: Slot, key: Key) -> Anomaly | None:
    """P9: some quorum promised the ballot, and the value is that of the highest vote it reports, if any.

    Paxos Made Simple, section 2.2, P2c.
    """
    ballot, number = ballot_of(event), event.slot or 0
    known = slot.proposals.get((ballot, key))
    if known is not None and known.sent is not None:
        return None  # Sent again; it was judged the first time.
    if not seen.membership.views(number):
        return None
    promises = seen.promises.get(ballot, ())
    if _is_plainly_safe(seen, promises, number, key) or support(seen, promises, number, key) is not None:
        return None
    witness = (*(promise.event for promise in promises), event)
    proposed = (
        f"{event.node} proposed {value_text(event.value)} in slot {number} at ballot {ballot_text(ballot)}"
    )
    promisers = {promise.event.node: None for promise in promises}
    if not _is_quorum(seen, number, promises):
        return Anomaly(
            "proposal without a quorum",
            f"{proposed} when only {names_text(promisers)} had promised that ballot, which is no quorum",
            witness,
        )
    return Anomaly("unsafe proposal", f"{proposed}, but {_reported(promises, number)}", witness)


def support(seen: Seen, promises: Iterable[Promise], slot: int, key: Key) -> tuple[Promise, ...] | None:
    """The promises that, as a quorum, allow the value to be proposed; None if there is no such quorum.

    Which promises the proposer went by is not recorded, so any quorum among them will do. Of the quorums
    whose highest reported ballot is b, all lie within the promises that report b or less; and the higher
    b is, the more promises there are. So it is enough to try the highest b that was reported with the
    value, and, for a value of the proposer's own, the promises that report nothing.
    """
    covering = [promise for promise in promises if (promise.event.slot or 0) <= slot]
    free = [promise for promise in covering if slot not in promise.reports]
    if _is_quorum(seen, slot, free):
        return tuple(free)
    reports = [promise.reports[slot] for promise in covering if slot in promise.reports]
    adopted = max((report.ballot for report in reports if report.key == key), default=None)
    if adopted is None:
        return None
    within = [p for p in covering if (report := p.reports.get(slot)) is None or report.ballot <= adopted]
    return tuple(within) if _is_quorum(seen, slot, within) else None


def _is_quorum(seen: Seen, slot: int, promises: Iterable[Promise]) -> bool:
    return seen.membership.quorum(slot, {promise.event.node: None for promise in promises})


def _is_plainly_safe(seen: Seen, promises: Iterable[Promise], slot: int, key: Key) -> bool:
    """Whether a quorum reports no vote in the slot, or else nobody one above that for this value.

    That is how most proposals are safe, and it is found out quickly.
    """
    covering: dict[str, None] = {}
    silent: dict[str, None] = {}
    highest: Proposal | None = None
    for promise in promises:
        event = promise.event
        if (event.slot or 0) <= slot:
            covering[event.node] = None
            report = promise.reports.get(slot)
            if report is None:
                silent[event.node] = None
            elif highest is None or report.ballot > highest.ballot:
                highest = report
    if highest is not None and highest.key == key and seen.membership.quorum(slot, covering):
        return True
    return seen.membership.quorum(slot, silent)


def _reported(promises: Iterable[Promise], slot: int) -> str:
    told: dict[str, Proposal] = {}
    for promise in promises:
        if (report := promise.reports.get(slot)) is not None:
            told[promise.event.node] = report
    if not told:
        return "none of its quorums of promises covers that slot"
    node, report = max(told.items(), key=lambda item: item[1].ballot)
    return (
        f"every quorum of its promises calls for another value: {node} reported "
        f"{value_text(report.value)} at {ballot_text(report.ballot)}, the highest"
    )
