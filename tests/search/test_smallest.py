"""The smallest plans: a few nodes and clients, at most one fault, and nothing twice."""

from __future__ import annotations

import pytest

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.plan import Deviation, Fault, Plan, decode_plan, encode_plan, require_sense
from ostrakon.harness.search.complexity import is_readable
from ostrakon.harness.search.smallest import calm_plans, struck_plans

FAILED = Plan(
    workload="decree",
    seed=77,
    nodes=5,
    concurrency=9,
    bug="quorum-half",
    options={"asks": [[0, 5, "x"]]},
    faults=(Fault("kill", 10, 10, nodes=("n5",)), Fault("pause", 10, 10, nodes=("n4",))),
    deviations=(Deviation(3, "drop"),),
    liveness_s=20.0,
    buggify=0.5,
)
KINDS = ("Prepare", "Accepted")


def smallest() -> list[Plan]:
    return [*calm_plans(FAILED, (2, 3)), *struck_plans(FAILED, (2, 3), KINDS)]


def test_they_are_of_the_same_workload_and_bug_and_small_enough_to_be_read() -> None:
    plans = smallest()

    assert {(plan.workload, plan.bug, plan.substrate) for plan in plans} == {("decree", "quorum-half", "sim")}
    assert all(map(is_readable, plans))
    assert {len(plan.faults) for plan in plans} == {0, 1}
    assert not any(plan.options or plan.deviations or plan.liveness_s or plan.buggify for plan in plans)


def test_each_of_them_is_a_plan_that_can_be_run_and_there_only_once() -> None:
    plans = smallest()

    for plan in plans:
        require_sense(plan)
        assert decode_plan(encode_plan(plan)) == plan
    assert len({encode_plan(plan) for plan in plans}) == len(plans)


@pytest.mark.parametrize("nodes", [2, 3])
def test_every_kind_of_message_is_lost_by_everyone_and_by_each_node_that_says_or_hears_it(nodes: int) -> None:
    names = find_workload("decree").vocabulary
    assert names is not None
    plans = list(struck_plans(FAILED, (nodes,), names.kinds))

    lost = {(fault.message, fault.links) for plan in plans for fault in plan.faults if fault.kind == "drop"}

    ways = {2: 3, 3: 7}[nodes]
    assert len(lost) == ways * (len(names.kinds) + 1)
