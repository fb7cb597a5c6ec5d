"""Makes a plan for a workload: given fields, and faults drawn from the seed."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec

from ostrakon.harness.faults import GROUPS, can_act, draw_faults
from ostrakon.harness.history.suggestion import suggestion
from ostrakon.harness.plan import BadPlan, Fault, Plan, Substrate, mistyped, require_sense
from ostrakon.harness.requirements import require_workload
from ostrakon.harness.substrates.seeds import substream
from ostrakon.harness.version import VERSION
from ostrakon.harness.workload import Workload


def plan_for(
    workload: Workload, *, seed: int, nemesis: str = "none", steady_s: float | None = None, **fields: Any
) -> Plan:
    """A plan with these fields of `Plan`, the workload's defaults for the others, and drawn faults.

    `nemesis` has the kinds of fault, separated by commas. Kinds that are named one by one, and faults that
    are given, count as requested. With `steady_s`, faults come one at a time: each lasts this many seconds
    and is followed by as many seconds without a fault. A field that is None counts as not given.

    Raises: UnknownFault, BadPlan.
    """
    for name in fields:
        if name not in Plan.__struct_fields__:
            raise BadPlan(f"a plan has no field {name!r}; {suggestion(name, Plan.__struct_fields__)}")
    require_workload(workload)
    if not isinstance(nemesis, str):
        each = ",".join(map(str, nemesis)) if isinstance(nemesis, list | tuple | set) else "kill,pause"
        raise BadPlan(
            f"nemesis is {nemesis!r}, expected a string of names separated by commas, such as {each!r}"
        )
    given = {name: value for name, value in fields.items() if value is not None}
    if wrong := list(mistyped({"seed": seed, **given})):
        raise BadPlan(f"the plan cannot be run: {'; '.join(wrong)}")
    bug = workload.bugs.get(given.get("bug", ""))
    usual = {**workload.defaults, **(bug.plan if bug is not None else {})}
    plan = Plan(code=VERSION, workload=workload.name, seed=seed, **{**usual, **given})
    require_sense(plan)
    if steady_s is None and workload.steady_s is not None:
        # Short enough that each kind that was named gets its turn.
        steady_s = min(workload.steady_s, plan.time_limit_s / (2 * nemesis.count(",") + 3))
    if steady_s is not None and (isinstance(steady_s, bool) or not isinstance(steady_s, int | float)):
        raise BadPlan(f"steady_s is {steady_s!r}, expected seconds")
    if steady_s is not None and not 0 < 2 * steady_s <= plan.time_limit_s:
        raise BadPlan(
            f"steady_s is {steady_s:g}, expected more than 0 and at most half of the time limit of "
            f"{plan.time_limit_s:g} s: each fault lasts so long, after a pause of the same length"
        )
    kinds = tuple(kind for kind in nemesis.replace(" ", "").split(",") if kind)
    rng = substream(seed, "faults")
    faults = draw_faults(
        rng,
        plan.names,
        kinds,
        plan.time_limit_s,
        begin_by_s=workload.busy_s if steady_s is None else math.inf,
        steady_s=steady_s,
        targets=workload.targets,
    )
    if plan.substrate in ("live", "hosts"):
        faults = tuple(_possible(faults, kinds, plan.substrate))
    asked = (*(fault.kind for fault in plan.faults), *(kind for kind in kinds if kind not in GROUPS))
    return msgspec.structs.replace(plan, nemesis=tuple(dict.fromkeys(asked)), faults=(*plan.faults, *faults))


def _possible(faults: Iterable[Fault], named: Collection[str], substrate: Substrate) -> Iterator[Fault]:
    """Leave out a group's kinds that cannot be applied here; refuse a kind that was requested by name."""
    return (fault for fault in faults if can_act(fault, substrate) or {fault.kind, fault.asked} & set(named))
