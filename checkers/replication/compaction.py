"""Compaction: a replica drops only what it has a durable snapshot of, and what is decided (M9)."""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.checkers.replication.life import told, untested, verdict_of
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, Trace


def compaction(trace: Trace) -> Verdict:
    """M9: `compacted` up to a slot comes after a snapshot of that node that goes at least as far, and no
    further than what it executed or installed.

    Judges `compacted` by the `snapshot_taken`, `snapshot_installed` and `applied` before, in all lives of
    the node: snapshots are told of when they are durable.
    """
    events = told(trace, "compacted", "snapshot_taken", "snapshot_installed", "applied")
    judged = sum(event.event == "compacted" for event in events)
    return verdict_of(_hasty(events), judged=judged) if judged else untested("M9", "compacted")


def _hasty(events: list[Event]) -> Iterator[Anomaly]:
    snapshot: dict[str, Event] = {}
    executed: dict[str, Event] = {}
    for event in events:
        match event.event:
            case "compacted":
                covered, decided = snapshot.get(event.node), executed.get(event.node)
                if _slot(covered) < _slot(event):
                    yield _dropped(event, covered, "has a snapshot", "compacted without a snapshot")
                elif _slot(decided) < _slot(event):
                    yield _dropped(event, decided, "had executed the log", "compacted what is not decided")
            case "applied":
                _raise(executed, event)
            case _:
                _raise(snapshot, event)
                if event.event == "snapshot_installed":
                    _raise(executed, event)


def _slot(event: Event | None) -> int:
    return -1 if event is None else event.slot or 0


def _raise(highest: dict[str, Event], event: Event) -> None:
    if _slot(event) > _slot(highest.get(event.node)):
        highest[event.node] = event


def _dropped(event: Event, reached: Event | None, what: str, name: str) -> Anomaly:
    how_far = "of nothing" if reached is None else f"only up to slot {reached.slot or 0}"
    return Anomaly(
        name,
        f"{event.node} dropped the log up to slot {event.slot or 0}, and {what} {how_far}",
        (event,) if reached is None else (reached, event),
        property="M9",
        details={"slot": event.slot or 0},
    )
