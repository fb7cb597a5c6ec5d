"""What a trial's faults did, as results tell it, and which of those that were asked for did nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ostrakon.harness.faults import AppliedFault
from ostrakon.harness.plan import Plan
from ostrakon.harness.recording import Finding


def told_effects(applied: Sequence[AppliedFault]) -> tuple[dict[str, Any], ...]:
    """What each fault did, as plain data."""
    return tuple(_told(number, applied) for number, applied in enumerate(applied))


def inert_faults(plan: Plan, applied: Sequence[AppliedFault]) -> list[Finding]:
    """A trial is no evidence about a fault that was asked for and changed nothing."""
    struck = {
        name
        for one in applied
        if not one.effect.is_inert
        for name in (one.fault.kind, one.fault.shape, one.fault.asked)
    }
    return [
        Finding("inert fault", "unknown", f"the fault {kind} was asked for and changed nothing")
        for kind in plan.nemesis
        if kind not in struck
    ]


def _told(number: int, applied: AppliedFault) -> dict[str, Any]:
    effect = applied.effect
    return {
        "fault": number,
        "kind": applied.fault.kind,
        **({"asked": applied.fault.asked} if applied.fault.asked else {}),
        **({"shape": applied.fault.shape} if applied.fault.shape else {}),
        **({"target": applied.fault.target} if applied.fault.target else {}),
        "messages": effect.messages,
        "stopped": list(effect.stopped),
        **({"operations": effect.operations} if effect.operations else {}),
        **({"files": effect.files} if effect.files else {}),
        **({"connections": effect.connections} if effect.connections else {}),
        **({"clocks": list(effect.clocks)} if effect.clocks else {}),
        **({"other": dict(effect.other)} if effect.other else {}),
        "inert": effect.is_inert,
        **({"why_inert": applied.why_inert} if applied.why_inert else {}),
    }
