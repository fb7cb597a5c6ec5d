"""A plan for a workload: its fields as given, its faults drawn from its seed."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.nemesis import draw_faults, parse_kinds
from harness.plan import Plan
from harness.sim.seeds import substream
from harness.version import VERSION


def plan_for(workload: str, *, seed: int, nemesis: str = "none", **fields: Any) -> Plan:
    """A plan with the fields of `Plan` given, and faults of the kinds that `nemesis` names by comma.

    Raises: UnknownName, for a kind of fault that there is not.
    """
    kinds = parse_kinds(nemesis)
    plan = Plan(code=VERSION, workload=workload, seed=seed, **fields)
    faults = draw_faults(substream(seed, "faults"), plan.names, kinds, plan.time_limit_s)
    return msgspec.structs.replace(plan, faults=(*plan.faults, *faults))
