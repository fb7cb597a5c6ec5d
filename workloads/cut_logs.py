"""Trials in which a fault cut synced records off the end of a log, which no replica can notice.

A log whose end is missing looks as if a power failure had torn its last batch, and then the replica must
start. So a restart that found less than the replica had said is not the store's fault there.
"""

from __future__ import annotations

from collections.abc import Mapping

from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import Event, History

KIND = "cut_files"


def unless_cut(verdicts: Mapping[str, Verdict], history: History) -> dict[str, Verdict]:
    """The verdicts; every `invalid` one becomes unknown if P11 convicts a node whose files had been cut."""
    memory = verdicts.get("P11")
    cut_at = _cut_at(history)
    nodes = sorted(
        {
            event.node
            for anomaly in (memory.anomalies if memory is not None else ())
            for event in anomaly.witness
            if isinstance(event, Event)
            and event.event == "restart"
            and event.time >= cut_at.get(event.node, event.time + 1)
        }
    )
    if not nodes:
        return dict(verdicts)
    why = f"the end of a file of {' and '.join(nodes)} was cut off, which looks like a write that was torn"
    return {
        name: Verdict.unknown(f"{verdict.why}: but {why}") if verdict.valid == "invalid" else verdict
        for name, verdict in verdicts.items()
    }


def _cut_at(history: History) -> dict[str, int]:
    """By node, when its files were cut first, in nanoseconds."""
    first: dict[str, int] = {}
    for op in history.nemesis:
        if op.f == f"start-{KIND}" and isinstance(op.value, Mapping):
            for node in op.value.get("nodes", ()):
                first.setdefault(node, op.time)
    return first
