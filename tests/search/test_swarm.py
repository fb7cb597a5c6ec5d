"""Swarm search draws plans that can be run, always the same for a seed, and of every sort."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace as with_parts
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.faults import FAULTS, find_fault
from ostrakon.harness.faults.registry import SURVIVABLE
from ostrakon.harness.generator import OpRequest, mix, repeat, stagger
from ostrakon.harness.plan import Plan, decode_plan, encode_plan
from ostrakon.harness.search.outcome import Outcome
from ostrakon.harness.search.recipe import Recipe
from ostrakon.harness.search.summary import judge
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.search.tally import Tally
from ostrakon.workloads.scenarios import SCENARIOS
from tests.trial.toy import toy

SEEDS = st.integers(0, 2**32)
SWARM = Swarm(workload="decree")
AIMED = ("kill:leader", "partition:quorum", "drop-next:one", "swizzle:behind")
KINDS = st.none() | st.lists(st.sampled_from((*sorted(FAULTS), *AIMED)), max_size=4, unique=True)


@given(SEEDS, KINDS)
def test_every_plan_can_be_run_and_comes_back_from_its_file(seed: int, kinds: list[str] | None) -> None:
    plan = Swarm(workload="decree", kinds=tuple(kinds) if kinds else None).plan(seed)

    assert decode_plan(encode_plan(plan)) == plan


@given(SEEDS, KINDS)
def test_only_faults_asked_for_are_drawn(seed: int, kinds: list[str] | None) -> None:
    plan = Swarm(workload="decree", kinds=tuple(kinds) if kinds else None).plan(seed)

    assert {fault.kind for fault in plan.faults} <= {find_fault(name).kind for name in (kinds or FAULTS)}


@given(SEEDS)
def test_what_a_swarm_fixes_is_not_drawn(seed: int) -> None:
    plan = Swarm(workload="decree", bug="quorum-half", nodes=7, time_limit_s=1.5, options={"x": 1}).plan(seed)

    assert (plan.bug, plan.nodes, plan.time_limit_s, plan.options) == ("quorum-half", 7, 1.5, {"x": 1})


@given(SEEDS)
def test_trials_that_are_drawn_are_short_and_longer_than_their_faults(seed: int) -> None:
    plan = replace(SWARM, options={"x": 1}).plan(seed)

    assert 0.2 <= plan.time_limit_s <= 3
    assert 2.5 <= plan.rate * plan.time_limit_s <= 65
    assert all(fault.at_ms + fault.for_ms <= 1000 * plan.time_limit_s for fault in plan.faults)


@given(SEEDS, st.sampled_from(["register", "registry"]))
def test_plans_keep_within_the_leeway_of_their_workload(seed: int, name: str) -> None:
    leeway = find_workload(name).leeway
    assert leeway is not None
    plan = Swarm(workload=name, options={"x": 1}).plan(seed)

    least, most = leeway.ops
    lags = any(fault.when for fault in plan.faults)
    assert least - 1 <= plan.rate * plan.time_limit_s <= (4 if lags else 1.5) * most + 1
    assert plan.time_limit_s >= leeway.time_limit_s_min
    assert plan.latency.high_ms <= leeway.latency_ms_max


def test_several_workloads_are_drawn_evenly_and_each_plan_is_as_if_it_were_alone() -> None:
    names = ("decree", "register", "registry")
    several = Swarm(workload=",".join(names))
    plans = [several.plan(seed) for seed in range(300)]

    assert all(80 < count < 120 for count in Counter(plan.workload for plan in plans).values())
    for plan in plans[:60]:
        alone = Swarm(workload=plan.workload)
        assert plan == alone.plan(plan.seed, several.recipe_of(plan.seed))


def test_some_trials_of_what_is_correct_end_in_a_siege_and_none_where_members_may_leave() -> None:
    def besieged(name: str, **fixed: Any) -> int:
        swarm = Swarm(workload=name, **fixed)
        return sum(swarm.plan(seed).liveness_s is not None for seed in range(200))

    assert 10 < besieged("register") < 40
    assert besieged("membership") == besieged("register", bug="ack-before-quorum") == 0
    assert besieged("register", bug="waits-for-all") == 200


def test_no_message_takes_arbitrarily_long_where_progress_is_asked_for() -> None:
    plans = [Swarm(workload="register").plan(seed) for seed in range(300)]
    besieged = [plan.latency.kind for plan in plans if plan.liveness_s is not None]

    assert set(besieged) == {"constant", "uniform"}
    assert {plan.latency.kind for plan in plans} > set(besieged)


def test_a_seed_draws_the_same_plan_in_every_process() -> None:
    program = (
        "from ostrakon.harness.search.swarm import Swarm\n"
        "print([Swarm(workload='decree').plan(seed) for seed in range(50)])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    assert outputs == {f"{[SWARM.plan(seed) for seed in range(50)]}\n".encode()}


@pytest.mark.parametrize("recipe", SWARM.recipes, ids=lambda recipe: recipe.name)
def test_every_recipe_gets_its_share(recipe: Recipe) -> None:
    drawn = Counter(SWARM.recipe_of(seed).name for seed in range(3000))
    expected = 3000 * recipe.share / sum(recipe.share for recipe in SWARM.recipes)

    assert 0.8 * expected < drawn[recipe.name] < 1.2 * expected


def test_every_kind_of_fault_is_drawn_by_some_and_left_out_by_others() -> None:
    plans = [SWARM.plan(seed) for seed in range(300)]

    for kind in SURVIVABLE:
        with_it = sum(any(fault.kind == kind for fault in plan.faults) for plan in plans)
        assert 10 < with_it < 290, kind


def test_the_quiet_recipe_draws_no_fault_and_the_others_do() -> None:
    for seed in range(200):
        recipe, plan = SWARM.recipe_of(seed), SWARM.plan(seed)
        if not recipe.directed:
            assert bool(plan.faults) == (recipe.name != "quiet")


@given(SEEDS)
def test_a_directed_plan_is_a_scenario_a_little_changed(seed: int) -> None:
    plan = replace(SWARM, recipe="directed").plan(seed)

    scenarios = [scenario.plan for scenario in SCENARIOS.values() if scenario.plan.workload == "decree"]
    assert any(
        (plan.nodes, plan.concurrency, plan.options) == (made.nodes, made.concurrency, made.options)
        for made in scenarios
    )
    assert decode_plan(encode_plan(plan)) == plan


def test_what_was_asked_for_and_scenarios_do_not_have_is_drawn() -> None:
    asked_for: list[dict[str, Any]] = [
        {"kinds": ("kill",)},
        {"time_limit_s": 2.0},
        {"nodes": 4},
        {"options": {"asks": []}},
    ]
    for fixed in asked_for:
        assert "directed" not in [recipe.name for recipe in replace(SWARM, **fixed).recipes]


@given(SEEDS)
def test_by_one_recipe_alone_every_plan_is_drawn(seed: int) -> None:
    assert replace(SWARM, recipe="storm").recipe_of(seed).name == "storm"


def test_a_recipe_without_a_share_is_not_drawn() -> None:
    shares = [1.0 if recipe.name == "storm" else 0.0 for recipe in SWARM.recipes]

    assert {SWARM.recipe_of(seed, shares).name for seed in range(50)} == {"storm"}


STRANGER = with_parts(
    toy(),
    generator=lambda plan, rng: stagger(
        1 / plan.rate, mix(repeat(OpRequest("read")), repeat(OpRequest("write")), rng=rng), rng=rng
    ),
    leeway=None,
    defaults={"nodes": 2},
)


def test_plans_for_a_workload_without_leeway_are_about_as_large_as_its_tests() -> None:
    swarm = Swarm(workload=f"{Path(__file__)}::STRANGER")
    plans = [swarm.plan(seed) for seed in range(60)]

    assert {plan.nodes for plan in plans} == {2}
    assert all(plan.rate * plan.time_limit_s >= 30 for plan in plans)
    assert all(plan.liveness_s is None for plan in plans)
    assert all(plan.workload == "toy" and plan.reference == swarm.workload for plan in plans)
    assert len({fault.kind for plan in plans for fault in plan.faults}) > 5
    assert swarm.plan(7) == swarm.plan(7)


def test_a_trial_that_shows_too_little_does_not_spoil_a_campaign() -> None:
    outcomes = [Outcome(seed=seed, recipe="quiet", valid="valid") for seed in range(8)]
    plan = Plan(workload="toy", seed=1)
    for seed, reason in ((8, "no evidence"), (9, "no evidence · inert fault")):
        outcomes.append(
            Outcome(seed=seed, recipe="quiet", valid="unknown", reason=reason, why="a read", plan=plan)
        )
    tally = Tally()
    for outcome in outcomes:
        tally.add(outcome, "toy")

    assert judge(tally, None) == ("valid", "8 of 10 trials were valid; 2 showed nothing")
    assert judge(Tally(verdicts=Counter(valid=1, unknown=2), findings=tally.findings), None)[0] == "unknown"


def test_plans_of_a_test_files_workload_have_faults_aimed_at_its_targets() -> None:
    example = Path(__file__).parents[2] / "examples" / "raft" / "test_raft.py"
    code = (
        "from ostrakon.harness.search.swarm import Swarm\n"
        f"swarm = Swarm(workload={f'{example}::RAFT'!r})\n"
        "aimed = [fault.target for seed in range(60) for fault in swarm.plan(seed).faults]\n"
        "assert 'leader' in aimed\n"
        "of_kills = Swarm(workload=swarm.workload, kinds=('kill',))\n"
        "assert 'leader' not in [fault.target for fault in of_kills.plan(1).faults]\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
