"""What a trial's faults did, as results tell it, and which of those that were asked for did nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ostrakon.harness.nemesis import Deed
from ostrakon.harness.plan import Plan
from ostrakon.harness.trial import Finding


def told_effects(deeds: Sequence[Deed]) -> tuple[dict[str, Any], ...]:
    """What each fault did, as plain data."""
    return tuple(_told(number, deed) for number, deed in enumerate(deeds))


def inert_faults(plan: Plan, deeds: Sequence[Deed]) -> list[Finding]:
    """A trial is no evidence about a fault that was asked for and changed nothing."""
    struck = {
        name
        for deed in deeds
        if not deed.effect.is_inert
        for name in (deed.fault.kind, deed.fault.shape, deed.fault.asked)
    }
    return [
        Finding("inert fault", "unknown", f"the fault {kind} was asked for and changed nothing")
        for kind in plan.nemesis
        if kind not in struck
    ]


def _told(number: int, deed: Deed) -> dict[str, Any]:
    effect = deed.effect
    return {
        "fault": number,
        "kind": deed.fault.kind,
        **({"asked": deed.fault.asked} if deed.fault.asked else {}),
        **({"shape": deed.fault.shape} if deed.fault.shape else {}),
        **({"target": deed.fault.target} if deed.fault.target else {}),
        "messages": effect.messages,
        "stopped": list(effect.stopped),
        **({"operations": effect.operations} if effect.operations else {}),
        **({"files": effect.files} if effect.files else {}),
        **({"connections": effect.connections} if effect.connections else {}),
        **({"clocks": list(effect.clocks)} if effect.clocks else {}),
        "inert": effect.is_inert,
    }
