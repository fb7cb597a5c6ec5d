"""Swarm search draws plans that can be run, always the same for a seed, and of every sort."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.nemesis import FAULTS
from harness.nemesis.kinds import SURVIVABLE
from harness.plan import decode_plan, encode_plan
from harness.search.swarm import RECIPES, Swarm, draw_plan, draw_recipe

SEEDS = st.integers(0, 2**32)
KINDS = st.none() | st.lists(st.sampled_from(sorted(FAULTS)), max_size=4, unique=True)


@given(SEEDS, KINDS)
def test_every_plan_can_be_run_and_comes_back_from_its_file(seed: int, kinds: list[str] | None) -> None:
    plan = draw_plan("decree", seed, kinds=kinds)

    assert decode_plan(encode_plan(plan)) == plan


@given(SEEDS, KINDS)
def test_only_faults_asked_for_are_drawn(seed: int, kinds: list[str] | None) -> None:
    plan = draw_plan("decree", seed, kinds=kinds)

    assert {fault.kind for fault in plan.faults} <= {
        FAULTS[name].kind for name in (FAULTS if kinds is None else kinds)
    }


@given(SEEDS)
def test_what_a_swarm_fixes_is_not_drawn(seed: int) -> None:
    plan = Swarm(workload="decree", bug="deaf", nodes=7, time_limit_s=1.5, options={"x": 1}).plan(seed)

    assert (plan.bug, plan.nodes, plan.time_limit_s, plan.options) == ("deaf", 7, 1.5, {"x": 1})


@given(SEEDS)
def test_trials_are_short_and_over_before_faults_are(seed: int) -> None:
    plan = draw_plan("decree", seed)

    assert 0.2 <= plan.time_limit_s <= 3
    assert 2.5 <= plan.rate * plan.time_limit_s <= 25
    assert all(fault.at_ms + fault.for_ms <= 1000 * plan.time_limit_s for fault in plan.faults)


def test_a_seed_draws_the_same_plan_in_every_process() -> None:
    program = "from harness.search.swarm import *; print([draw_plan('decree', s) for s in range(50)])"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    assert outputs == {f"{[draw_plan('decree', seed) for seed in range(50)]}\n".encode()}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_gets_its_share(recipe) -> None:
    drawn = Counter(draw_recipe(seed).name for seed in range(3000))
    expected = 3000 * recipe.share / sum(recipe.share for recipe in RECIPES)

    assert 0.8 * expected < drawn[recipe.name] < 1.2 * expected


def test_every_kind_of_fault_is_drawn_by_some_and_left_out_by_others() -> None:
    plans = [draw_plan("decree", seed) for seed in range(300)]

    for kind in SURVIVABLE:
        with_it = sum(any(fault.kind == kind for fault in plan.faults) for plan in plans)
        assert 15 < with_it < 285, kind


def test_the_quiet_recipe_draws_no_fault_and_the_others_do() -> None:
    for seed in range(200):
        recipe, plan = draw_recipe(seed), draw_plan("decree", seed)
        assert bool(plan.faults) == (recipe.name != "quiet")
