"""What the published strategies draw can be run, and shrinks to something small."""

from __future__ import annotations

from dataclasses import replace as with_fields

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase
from msgspec.structs import replace

from ostrakon.harness.catalogue import workload_names
from ostrakon.harness.faults import kinds_on
from ostrakon.harness.history import History
from ostrakon.harness.plan import Fault, Plan, decode_plan, encode_plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.recording import Finding
from ostrakon.harness.strategies import (
    TRIALS,
    fault_schedules,
    histories,
    plans,
    require_valid,
    workloads,
)
from ostrakon.harness.trial import Trial, run
from ostrakon.workloads.decree import DECREE


@given(plans(workload="decree"))
@settings(deadline=None)
def test_every_plan_drawn_is_one_that_can_be_read_back(plan: Plan) -> None:
    assert decode_plan(encode_plan(plan)) == plan


@given(plans(workload="decree"))
@settings(deadline=None)
def test_faults_are_in_order_and_over_in_time(plan: Plan) -> None:
    assert list(plan.faults) == sorted(plan.faults, key=lambda fault: fault.at_ms)
    assert all(fault.at_ms + fault.for_ms <= 1000 * plan.time_limit_s for fault in plan.faults)


@given(fault_schedules(["n1", "n2", "n3"], 1.0, kinds=["kill", "pause"]))
def test_a_schedule_has_only_the_kinds_and_nodes_given(faults: tuple[Fault, ...]) -> None:
    assert {fault.kind for fault in faults} <= {"kill", "pause"}
    assert {node for fault in faults for node in fault.nodes} <= {"n1", "n2", "n3"}


@given(plans(workload="decree", bug="quorum-half", nodes=st.just(3), rate=7.0))
@settings(deadline=None)
def test_what_is_given_is_not_drawn(plan: Plan) -> None:
    assert (plan.bug, plan.nodes, plan.rate) == ("quorum-half", 3, 7.0)


READS_ONLY_AT_RESTART = ("failing_read", "stale_reads", "short_reads")
"""Replicas of this workload read their files when they start, and by a port that gives whole files."""


@pytest.mark.parametrize("kind", kinds_on("sim"))
def test_every_kind_that_is_drawn_acts_or_leaves_the_trial_unknown_with_a_reason(kind: str) -> None:
    trials: list[Trial] = []

    @given(plans("register", kinds=(kind,), nodes=st.just(3), time_limit_s=1.0, faults_max=2))
    @settings(TRIALS, max_examples=6, database=None, derandomize=True)
    def collect(plan: Plan) -> None:
        if plan.faults:
            trials.append(run(replace(plan, deviations=())))

    collect()
    inert = [trial for trial in trials if all(effect["inert"] for effect in trial.effects)]

    assert trials, "vacuous: no plan had a fault"
    assert (len(inert) == len(trials)) == (kind in READS_ONLY_AT_RESTART)
    assert {trial.valid for trial in inert} <= {"unknown"}
    assert all(f"the fault {kind} was asked for and changed nothing: n" in trial.why for trial in inert)


def test_an_unknown_trial_is_drawn_anew_and_one_that_our_own_code_spoiled_is_not() -> None:
    trial = run(plan_for(DECREE, seed=1, nodes=3, nemesis="none", time_limit_s=0.5))
    unknown = with_fields(trial, findings=(Finding("inert fault", "unknown", "nothing happened"),))
    invalid = with_fields(trial, findings=(Finding("node crashed", "invalid", "n1 failed"),))
    ours = with_fields(trial, findings=(Finding("client crashed", "unknown", "a typo", is_ours=True),))

    @given(st.booleans())
    @settings(database=None)
    def survives(is_unknown: bool) -> None:
        seen.append(is_unknown)
        require_valid(unknown if is_unknown else trial)

    seen: list[bool] = []
    survives()
    assert set(seen) == {True, False}
    with pytest.raises(AssertionError, match="nothing happened"):
        require_valid(unknown)  # Nobody is there to draw another.
    with pytest.raises(AssertionError, match=r"n1 failed\s+ostrakon test decree --seed 1"):
        require_valid(invalid)
    with pytest.raises(AssertionError, match="a typo"):
        require_valid(ours)


@given(fault_schedules(["n1", "n2", "n3"], 2.0, kinds=["restart-loop", "kill:leader", "one-way"]))
def test_variants_and_targets_can_be_drawn_by_their_names(faults: tuple[Fault, ...]) -> None:
    assert {fault.asked for fault in faults} <= {"restart-loop", "kill:leader", "one-way"}
    assert all(fault.target == "leader" for fault in faults if fault.asked == "kill:leader")
    assert all(fault.shape == "one-way" for fault in faults if fault.asked == "one-way")


def test_hypothesis_shrinks_a_plan_to_the_part_that_matters() -> None:
    def has_kill_after_another_fault(plan: Plan) -> bool:
        return any(fault.kind == "kill" for fault in plan.faults[1:])

    found = find(
        plans(workload="decree"),
        has_kill_after_another_fault,
        settings=settings(database=None, max_examples=2000),
    )

    assert (found.nodes, found.concurrency, len(found.faults), found.deviations) == (3, 1, 2, ())


@given(plan=plans(workload="decree", time_limit_s=0.3, faults_max=2))
@settings(deadline=None, max_examples=5)
def test_the_correct_system_survives_what_is_drawn(plan: Plan) -> None:
    assert run(plan).valid != "invalid"


@given(workloads())
def test_in_a_workload_nothing_goes_wrong(plan: Plan) -> None:
    assert plan.workload in workload_names()
    assert (plan.faults, plan.deviations) == ((), ())
    assert decode_plan(encode_plan(plan)) == plan


@given(histories("register", operations_max=6))
def test_histories_are_published_beside_plans(history: History) -> None:
    assert len([op for op in history if op.type == "invoke"]) <= 6


def test_the_example_database_tries_the_smallest_failure_first() -> None:
    tried: list[Plan] = []

    @given(plans(workload="decree"))
    @settings(TRIALS, database=InMemoryExampleDatabase(), max_examples=500)
    def has_no_kill(plan: Plan) -> None:
        tried.append(plan)
        assert not any(fault.kind == "kill" for fault in plan.faults)

    with pytest.raises(AssertionError):
        has_no_kill()
    smallest = tried[-1]
    tried.clear()
    with pytest.raises(AssertionError):
        has_no_kill()

    assert tried[0] == smallest
    assert len(smallest.faults) == 1


@given(plan=plans(workload="decree", time_limit_s=0.3, faults_max=1, substrate="sim"))
@settings(TRIALS, max_examples=5)
def test_what_hypothesis_seeds_alike_has_no_say_in_a_trial(plan: Plan) -> None:
    within = run(plan).digest

    assert within == run(plan).digest
    assert within != run(replace(plan, seed=plan.seed + 1)).digest
