"""A plan with a schedule, run as a trial: real instances, step by step, and then the usual checkers."""

from __future__ import annotations

from ostrakon.harness.model.recording import recording
from ostrakon.harness.plan import BadPlan, Plan
from ostrakon.harness.recording import Recording
from ostrakon.harness.store import RunFolder
from ostrakon.paxos_impl.core import Rules
from ostrakon.workloads.small_world.enactment import STEP_NS, decode_schedule, enact


def run_schedule(plan: Plan, rules: Rules, folder: RunFolder | None) -> Recording:
    """Run a plan whose option `schedule` has all steps. Raises: BadPlan, if a step is impossible or the
    plan has anything else."""
    if plan.faults or plan.deviations:
        raise BadPlan(
            "a plan with options.schedule cannot have faults or deviations: the schedule has all steps"
        )
    schedule = decode_schedule(plan.options["schedule"])
    enacted = enact(schedule, plan.nodes, rules)
    return recording(enacted.ops, enacted.events, folder, now_ns=(len(schedule) + 1) * STEP_NS)
