"""Leases of leaders: while one holds its lease, no other can lead (M7)."""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.checkers.consensus.membership import Membership
from ostrakon.checkers.consensus.phrases import ballot_text, names_text
from ostrakon.checkers.consensus.seen import Ballot, ballot_of
from ostrakon.checkers.replication.life import told, untested, verdict_of
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, Trace

LEASED = ("lease_held", "lease_read")
"""The events that M7 is about."""


def lease_reads(trace: Trace) -> Verdict:
    """M7: when a leader gets a lease, or answers a read by it, no quorum has promised a higher ballot.

    If one had, another leader could have had something chosen of which this one knows nothing. `lease_held`
    and `lease_read` have the ballot that the leader leads by, and the slot up to which it knows the log.
    """
    events = told(trace, *LEASED, "promise_sent", "config_active")
    leased = sum(event.event in LEASED for event in events)
    if not leased:
        return untested("M7", *LEASED)
    reads = sum(event.event == "lease_read" for event in events)
    return verdict_of(_overtaken(events), leases=leased - reads, reads=reads)


def _overtaken(events: list[Event]) -> Iterator[Anomaly]:
    membership, promised = Membership(), dict[str, Event]()
    for event in events:
        match event.event:
            case "config_active":
                membership.add(event)
            case "promise_sent":
                earlier = promised.get(event.node)
                if earlier is None or ballot_of(event) > ballot_of(earlier):
                    promised[event.node] = event
            case _:
                higher = _above(promised, ballot_of(event))
                if membership.quorum((event.slot or 0) + 1, higher):
                    yield _anomaly(event, higher)


def _above(promised: dict[str, Event], ballot: Ballot) -> dict[str, Event]:
    return {node: promise for node, promise in promised.items() if ballot_of(promise) > ballot}


def _anomaly(event: Event, higher: dict[str, Event]) -> Anomaly:
    did = "answered a read by" if event.event == "lease_read" else "held"
    promises = sorted(higher.values(), key=lambda promise: promise.time)
    return Anomaly(
        "lease overtaken",
        f"{event.node} {did} its lease at ballot {ballot_text(ballot_of(event))}, when {names_text(higher)}, "
        f"a quorum, had promised a higher one: another leader may have had more chosen",
        (*promises, event),
        property="M7",
        details={"slot": event.slot},
    )
