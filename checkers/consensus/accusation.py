"""Who is to blame, added to the verdicts that found disagreement or loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from ostrakon.checkers.consensus.blame import blame
from ostrakon.checkers.consensus.properties import judge
from ostrakon.checkers.consensus.seen import Seen
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Trace

BLAMED = ("agreement", "P2", "P3", "P5", "M1", "M5")
"""The checks whose anomalies are disagreement about a slot, or loss of what it held."""


def accused(parts: Mapping[str, Verdict], trace: Trace, *, seen: Seen | None = None) -> dict[str, Verdict]:
    """The same verdicts; anomalies of those that are `BLAMED` have the guilty of their slot in their details.

    That is `blame`, as `Blame.to_json` tells it, where the trace shows whose fault it was; or `blame_failed`,
    if looking for that failed. `seen` spares a second pass over a trace that was judged already.
    """
    suspicious = [name for name in BLAMED if name in parts and parts[name].anomalies]
    if not suspicious:
        return dict(parts)
    known = seen if seen is not None else judge(trace, only=()).seen

    @cache
    def guilty(slot: int, lost: bool) -> dict[str, Any]:
        try:
            found = blame(trace, slot, lost=lost, seen=known)
        except Exception as error:  # The disagreement must be told even so.
            return {"blame_failed": f"{type(error).__name__}: {error}"}
        return {"blame": found.to_json()} if found is not None else {}

    def charged(name: str, anomaly: Anomaly) -> Anomaly:
        about = guilty(anomaly.details.get("slot", 0), name == "M5")
        return replace(anomaly, details={**anomaly.details, **about})

    with_blame = {
        name: replace(parts[name], anomalies=tuple(charged(name, each) for each in parts[name].anomalies))
        for name in suspicious
    }
    return {**parts, **with_blame}
