"""Recipes that find something new get more seeds, and whoever finishes first has no say in it."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.harness.search.outcome import Outcome
from ostrakon.harness.search.portfolio import ROUND, Portfolio
from ostrakon.harness.search.swarm import Swarm

SWARM = Swarm(workload="decree")


def came_of(seed: int, recipe: str) -> Outcome:
    """Storms see something new in every trial, others the same again and again."""
    fresh = {f"event{seed} event{seed}": 1} if recipe == "storm" else {}
    return Outcome(seed=seed, recipe=recipe, valid="valid", transitions={"restart prepare_sent": 40, **fresh})


def tried(seeds: int, at_a_time: int = 1, rng: random.Random | None = None) -> tuple[Portfolio, list[str]]:
    """Hands out so many seeds, some at a time, which are done in any order before there are more."""
    portfolio, recipes, at_work = Portfolio(SWARM), [], []
    for seed in range(seeds):
        recipe = portfolio.hand_out(seed).name
        recipes.append(recipe)
        at_work.append(came_of(seed, recipe))
        if len(at_work) == at_a_time or seed == seeds - 1:
            (rng or random.Random(0)).shuffle(at_work)
            while at_work:
                portfolio.note(at_work.pop())
    return portfolio, recipes


def test_a_recipe_that_finds_new_shapes_gets_more_of_the_seeds() -> None:
    _, recipes = tried(6 * ROUND)

    before, after = Counter(recipes[:ROUND])["storm"], Counter(recipes[-ROUND:])["storm"]
    assert after > 2 * before


def test_no_recipe_is_ever_given_up() -> None:
    portfolio, _ = tried(30 * ROUND)

    assert min(portfolio.shares) > 0.01
    assert abs(sum(portfolio.shares) - 1) < 1e-9


def test_two_rounds_pass_before_what_was_found_has_a_say() -> None:
    portfolio = Portfolio(SWARM)
    usual = portfolio.shares
    for seed in range(2 * ROUND):
        portfolio.note(came_of(seed, portfolio.hand_out(seed).name))
        assert portfolio.shares == usual

    portfolio.hand_out(2 * ROUND)

    assert portfolio.shares != usual


@settings(max_examples=20)
@given(st.integers(2, ROUND // 2), st.randoms(use_true_random=False))
def test_the_same_plans_are_tried_whoever_finishes_first(at_a_time: int, rng: random.Random) -> None:
    one_by_one, recipes = tried(4 * ROUND)
    together, others = tried(4 * ROUND, at_a_time, rng)

    assert others == recipes
    assert together.merits == one_by_one.merits


def test_a_trial_that_is_a_round_late_holds_nobody_up() -> None:
    portfolio = Portfolio(SWARM)
    first = came_of(0, portfolio.hand_out(0).name)
    for seed in range(1, 5 * ROUND):
        portfolio.note(came_of(seed, portfolio.hand_out(seed).name))
    assert portfolio.merits == {}

    portfolio.note(first)
    portfolio.hand_out(5 * ROUND)

    assert sum(merit.trials for merit in portfolio.merits.values()) == 5 * ROUND
    assert portfolio.shares != Portfolio(SWARM).shares


def test_a_seed_of_which_nothing_comes_is_passed_over() -> None:
    portfolio = Portfolio(SWARM)
    _, done = portfolio.hand_out(0), portfolio.hand_out(1)
    portfolio.note(came_of(1, done.name))
    assert portfolio.merits == {}

    portfolio.forget(0)

    assert sum(merit.trials for merit in portfolio.merits.values()) == 1


def test_at_the_end_all_that_came_is_credited() -> None:
    portfolio = Portfolio(SWARM)
    _, done = portfolio.hand_out(0), portfolio.hand_out(1)
    portfolio.note(came_of(1, done.name))

    portfolio.settle()

    assert sum(merit.trials for merit in portfolio.merits.values()) == 1


def test_a_way_to_fail_counts_once() -> None:
    portfolio = Portfolio(SWARM)
    for seed in range(2):
        recipe = portfolio.hand_out(seed).name
        portfolio.note(Outcome(seed=seed, recipe=recipe, valid="invalid", reason="P7"))

    assert sum(merit.ways for merit in portfolio.merits.values()) == 1
