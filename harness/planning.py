"""A plan for a workload: its fields as given, its faults drawn from its seed."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.nemesis import FAULTS, draw_faults
from harness.plan import Plan, require_sense
from harness.sim.seeds import substream
from harness.version import VERSION
from harness.workload import Workload


def plan_for(workload: Workload, *, seed: int, nemesis: str = "none", **fields: Any) -> Plan:
    """A plan with these fields of `Plan`, else the workload's, and faults of the kinds named by comma.

    Faults that are given, and kinds that are named one by one, count as asked for. A field that is None is
    as good as not given. Raises: UnknownFault, BadPlan.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    plan = Plan(code=VERSION, workload=workload.name, seed=seed, **{**workload.defaults, **given})
    require_sense(plan)
    kinds = tuple(kind for kind in nemesis.replace(" ", "").split(",") if kind)
    rng = substream(seed, "faults")
    faults = draw_faults(rng, plan.names, kinds, plan.time_limit_s, begin_by_s=workload.busy_s)
    asked = (*(fault.kind for fault in plan.faults), *(kind for kind in kinds if kind in FAULTS))
    return msgspec.structs.replace(plan, nemesis=tuple(dict.fromkeys(asked)), faults=(*plan.faults, *faults))
