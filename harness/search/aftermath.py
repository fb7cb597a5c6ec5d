"""The first thing to leave out of a failing plan: all that would have happened when it had failed already."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from ostrakon.harness.plan import Plan

_MARGINS_MS = (1, 50, 500)
"""How long after the failure the clients stop; what leaves out less may still fail when what leaves out more
does not, since even the shortest end has a final phase."""


def without_aftermath(plan: Plan, anomalies: Sequence[Mapping[str, Any]], reason: str) -> Iterator[Plan]:
    """Plans that end soon after all that the reason names was complete, the shortest first."""
    named = [anomaly for anomaly in anomalies if str(anomaly["name"]) in reason] or list(anomalies)
    if not named:
        return
    failed_ms = math.ceil(max(map(_completed_ns, named)) / 1e6)
    for margin_ms in _MARGINS_MS:
        end_ms = failed_ms + margin_ms
        if end_ms < 1000 * plan.time_limit_s:
            yield _ended(plan, end_ms)


def _ended(plan: Plan, end_ms: int) -> Plan:
    faults = (
        replace(fault, for_ms=min(fault.for_ms, end_ms - fault.at_ms))
        for fault in plan.faults
        if fault.at_ms < end_ms
    )
    return replace(plan, nemesis=(), faults=tuple(faults), time_limit_s=end_ms / 1000)


def _completed_ns(anomaly: Mapping[str, Any]) -> int:
    """The time of the last thing that shows it."""
    return max((seen["time"] for seen in (*anomaly.get("ops", ()), *anomaly.get("events", ()))), default=0)
