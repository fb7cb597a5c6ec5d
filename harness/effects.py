"""The effects of a trial's faults as results list them, and the requested faults that had no effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ostrakon.harness.faults import AppliedFault
from ostrakon.harness.plan import Plan
from ostrakon.harness.recording import Finding

_REASONS_MAX = 3
"""The number of reasons that a message gives for one name; the results have all of them."""


def told_effects(applied: Sequence[AppliedFault]) -> tuple[dict[str, Any], ...]:
    """The effect of each fault, as plain data."""
    return tuple(_told(number, applied) for number, applied in enumerate(applied))


def inert_faults(plan: Plan, applied: Sequence[AppliedFault]) -> list[Finding]:
    """A finding for each requested fault without effect: the trial is no evidence about that fault."""
    struck = {name for one in applied if not one.effect.is_inert for name in _names(one)}
    return [
        Finding("inert fault", "unknown", _why_inert(name, [one for one in applied if name in _names(one)]))
        for name in plan.nemesis
        if name not in struck
    ]


def _names(applied: AppliedFault) -> tuple[str, str, str]:
    """The names by which a user can request the fault."""
    return applied.fault.kind, applied.fault.shape, applied.fault.asked


def _why_inert(name: str, applied: Sequence[AppliedFault]) -> str:
    said = f"the fault {name} was asked for and changed nothing"
    if not applied:
        return f"{said}: there was none in the plan, as when the trial is too short for it"
    reasons = list(dict.fromkeys(one.why_inert for one in applied if one.why_inert))
    more = f", and {len(reasons) - _REASONS_MAX} reasons more" if len(reasons) > _REASONS_MAX else ""
    return f"{said}: {'; '.join(reasons[:_REASONS_MAX])}{more}" if reasons else said


def _told(number: int, applied: AppliedFault) -> dict[str, Any]:
    effect = applied.effect
    return {
        "fault": number,
        "kind": applied.fault.kind,
        **({"asked": applied.fault.asked} if applied.fault.asked else {}),
        **({"shape": applied.fault.shape} if applied.fault.shape else {}),
        **({"target": applied.fault.target} if applied.fault.target else {}),
        **({"when": applied.fault.when} if applied.fault.when else {}),
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
