"""Shrinking finds a plan that fails, and that nothing can be left out of."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ostrakon.harness.plan import Fault, Plan, decode_plan, encode_plan
from ostrakon.harness.search.complexity import complexity
from ostrakon.harness.search.passes import PASSES, one_fault, without_nodes
from ostrakon.harness.search.shrink import shrink
from ostrakon.harness.strategies import plans

Fails = Callable[[Plan], bool]


def always(plan: Plan) -> bool:
    return True


def needs(*kinds: str) -> Fails:
    return lambda plan: {fault.kind for fault in plan.faults} >= set(kinds)


def needs_deviations(*messages: int) -> Fails:
    return lambda plan: {deviation.message for deviation in plan.deviations} >= set(messages)


@st.composite
def failing(draw: st.DrawFn) -> tuple[Plan, Fails]:
    """A plan, and a way of failing that it fails in."""
    plan = draw(plans(workload="decree"))
    nodes, clients = draw(st.integers(1, plan.nodes)), draw(st.integers(1, plan.concurrency))
    faults = {fault.kind for fault in draw(st.lists(st.sampled_from(plan.faults)))} if plan.faults else set()
    messages = (
        {d.message for d in draw(st.lists(st.sampled_from(plan.deviations)))} if plan.deviations else set()
    )

    def fails(plan: Plan) -> bool:
        return (
            plan.nodes >= nodes
            and plan.concurrency >= clients
            and needs(*faults)(plan)
            and needs_deviations(*messages)(plan)
        )

    return plan, fails


@given(failing())
@settings(deadline=None)
def test_what_is_found_fails_and_is_no_more_complex(case: tuple[Plan, Fails]) -> None:
    plan, fails = case

    found = shrink(plan, fails)

    assert fails(found)
    assert complexity(found) <= complexity(plan)


@given(failing())
@settings(deadline=None, max_examples=50)
def test_nothing_more_can_be_left_out(case: tuple[Plan, Fails]) -> None:
    plan, fails = case

    found = shrink(plan, fails)

    assert not [
        simpler
        for propose in PASSES
        for simpler in propose(found)
        if complexity(simpler) < complexity(found) and fails(simpler)
    ]


@given(plans(workload="decree"))
@settings(deadline=None)
def test_every_proposal_is_a_plan_that_can_be_run(plan: Plan) -> None:
    for propose in PASSES:
        for simpler in propose(plan):
            assert decode_plan(encode_plan(simpler)) == simpler


@given(failing())
@settings(deadline=None, max_examples=30)
def test_no_plan_is_run_twice(case: tuple[Plan, Fails]) -> None:
    plan, fails = case
    asked: list[bytes] = []

    def fails_noted(plan: Plan) -> bool:
        asked.append(encode_plan(plan))
        return fails(plan)

    shrink(plan, fails_noted)

    assert len(asked) == len(set(asked))


@given(plans(workload="decree"))
@settings(deadline=None, max_examples=30)
def test_a_plan_that_fails_whatever_it_says_shrinks_to_almost_nothing(plan: Plan) -> None:
    found = shrink(plan, always)

    assert (found.nodes, found.concurrency, found.faults, found.deviations) == (1, 1, (), ())
    assert found.latency.kind == "constant"


@given(plans(workload="decree"), st.integers(0, 20))
@settings(deadline=None)
def test_it_ends_when_enough_is_enough(plan: Plan, runs: int) -> None:
    asked: list[Plan] = []

    def fails(plan: Plan) -> bool:
        asked.append(plan)
        return True

    shrink(plan, fails, enough=lambda: len(asked) >= runs)

    assert len(asked) <= runs


def test_the_faults_that_matter_stay_and_become_simple() -> None:
    plan = Plan(
        workload="decree",
        seed=99,
        faults=(
            Fault(kind="pause", at_ms=1234, for_ms=777, nodes=("n1", "n4")),
            Fault(kind="kill", at_ms=2345, for_ms=333, nodes=("n2", "n5")),
            Fault(kind="drop", at_ms=55, for_ms=1000, probability=0.37),
        ),
    )

    def fails(plan: Plan) -> bool:
        return any(fault.kind == "kill" and fault.at_ms >= 1500 for fault in plan.faults)

    found = shrink(plan, fails)

    assert found.faults == (Fault(kind="kill", at_ms=2000, for_ms=1, nodes=("n1",)),)


def test_nodes_that_stay_keep_their_faults_under_new_names() -> None:
    plan = Plan(
        workload="decree",
        seed=0,
        nodes=3,
        faults=(
            Fault(kind="pause", at_ms=0, for_ms=9, nodes=("n1", "n3")),
            Fault(kind="partition", at_ms=0, for_ms=9, grudge={"n3": ("n1", "n2"), "n2": ("n1",)}),
            Fault(kind="delay", at_ms=0, for_ms=9, links=(("n1", "n2"), ("n2", "n3"))),
        ),
    )

    without_n1 = list(without_nodes(plan))[2]

    assert without_n1 == replace(
        plan,
        nodes=2,
        faults=(
            Fault(kind="pause", at_ms=0, for_ms=9, nodes=("n2",)),
            Fault(kind="partition", at_ms=0, for_ms=9, grudge={"n2": ("n1",)}),
            Fault(kind="delay", at_ms=0, for_ms=9, links=(("n1", "n2"),)),
        ),
    )


def test_clocks_crash_points_and_loops_shrink_to_round_numbers() -> None:
    faults = (
        Fault("clock_jump", 137, 900, nodes=("n1", "n2"), ms=-73_215.7),
        Fault("clock_skew", 333, 777, nodes=("n1", "n3"), rate=3.87),
        Fault("crash_at_sync", 401, 612, nodes=("n2", "n3"), after=4),
    )
    plan = Plan(workload="decree", seed=77, nodes=3, faults=faults)

    def fails(candidate: Plan) -> bool:
        by_kind = {fault.kind: fault for fault in candidate.faults}
        return (
            set(by_kind) == {"clock_jump", "clock_skew", "crash_at_sync"}
            and by_kind["clock_jump"].ms < -40_000
            and by_kind["clock_skew"].rate > 1.5
            and by_kind["crash_at_sync"].after >= 2
        )

    jump, skew, crash = shrink(plan, fails).faults

    assert (jump.ms, skew.rate, crash.after) == (-50_000.0, 2.0, 2)
    assert all(fault.at_ms == 0 and len(fault.nodes) == 1 for fault in (jump, skew, crash))


def test_what_a_plan_asks_for_in_its_options_shrinks_too() -> None:
    asks = [[0, 1, "x"], [100, 2, "y"], [200, 3, "z"]]
    plan = Plan(workload="decree", seed=0, options={"asks": asks, "other": 1})

    def fails(candidate: Plan) -> bool:
        return [100, 2, "y"] in candidate.options.get("asks", [])

    assert shrink(plan, fails).options == {"asks": [[100, 2, "y"]]}


def test_rare_branches_that_do_not_matter_are_not_taken() -> None:
    assert shrink(Plan(workload="decree", seed=0, buggify=0.25), always).buggify == 0.0


def test_several_faults_are_replaced_by_one_that_cuts_a_node_off() -> None:
    kills = (Fault("kill", 100, 50, nodes=("n1",)), Fault("kill", 400, 50, nodes=("n3",)))
    plan = Plan(workload="decree", seed=0, nodes=3, time_limit_s=1.0, faults=kills)

    proposed = [simpler.faults for simpler in one_fault(plan)]

    isolated = Fault("partition", 400, 600, grudge={"n2": ("n1", "n3"), "n1": ("n2",), "n3": ("n2",)})
    assert (kills[0],) in proposed
    assert (isolated,) in proposed
    assert all(len(faults) == 1 for faults in proposed)
    assert list(one_fault(replace(plan, faults=kills[:1]))) == []
