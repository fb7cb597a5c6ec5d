"""The simplest plan that ends as a failing trial did, found on the model and confirmed where it failed."""

from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from ostrakon.harness.plan import Plan
from ostrakon.harness.search.allowance import Allowance
from ostrakon.harness.search.complexity import complexity
from ostrakon.harness.search.failure import simplest_alike
from ostrakon.harness.search.outcome import Trial, load_run
from ostrakon.harness.search.recipe import find_recipe
from ostrakon.harness.search.swarm import Swarm
from ostrakon.workloads.scenarios import SCENARIOS
from tests.search.fake_trial import FakeTrial

run = load_run()


def runs(count: int) -> Allowance:
    """Time that passes whenever somebody asks how late it is, which is before each run."""
    return Allowance(float(count), clock=itertools.count().__next__)


def first_failing(bug: str, **swarm: int) -> Trial:
    plans = map(Swarm(workload="decree", bug=bug, **swarm).plan, itertools.count())  # type: ignore[arg-type]
    return next(trial for trial in map(run, plans) if trial.valid == "invalid")


@pytest.mark.parametrize("bug", ["prepare-ignores-promise", "nack-counts-as-ack"])
def test_a_failure_of_five_nodes_is_told_with_three_and_hardly_any_faults(bug: str) -> None:
    failing = first_failing(bug, nodes=5)

    found = simplest_alike(failing, run, runs(200))

    trial = run(found)
    assert (trial.valid, trial.reason) == ("invalid", failing.reason)
    assert found.substrate == "sim"
    assert found.nodes <= 3
    assert len(found.faults) + len(found.deviations) <= 3


def test_faults_at_the_right_moment_need_not_be_many() -> None:
    """Two values with a vote or more at different ballots, and a proposer that hears of both."""
    plan = replace(SCENARIOS["D3-one-vote-and-two"].plan, bug="adopt-last-reported")
    failing = run(plan)

    found = simplest_alike(failing, run, runs(200))

    assert run(found).reason == failing.reason == "split decision · P2 two values chosen"
    assert found.nodes == 3
    assert len(found.faults) + len(found.deviations) <= 4


def test_what_takes_a_timer_at_the_right_moment_is_told_with_two_nodes_and_one_fault() -> None:
    """A vote that does not arrive, so that the proposal is sent again: with another client's value."""
    swarm = Swarm(workload="decree", bug="same-ballot-new-value")
    plan = swarm.plan(1_000_131, find_recipe("shifting"))
    failing = run(plan)

    found = simplest_alike(failing, run, runs(2000))

    assert run(found).reason == failing.reason == "split decision · P2 two values chosen"
    assert (found.nodes, len(found.faults), len(found.deviations)) == (2, 1, 0)


def test_what_no_three_nodes_show_is_told_with_four() -> None:
    """Of three nodes, one promise besides the proposer's own makes a quorum."""
    failing = run(replace(SCENARIOS["D9-late-replies"].plan, bug="count-replies"))

    found = simplest_alike(failing, run, runs(600))

    assert run(found).reason == failing.reason == "P4 learned but not chosen · P9 proposal without a quorum"
    assert found.nodes == 4
    assert len(found.faults) + len(found.deviations) <= 2


def test_whoever_looks_on_is_told_of_ever_simpler_plans_that_fail_where_the_failure_was() -> None:
    told: list[Plan] = []

    found = simplest_alike(first_failing("quorum-half"), run, runs(200), told.append)

    assert told[-1] == found
    assert {plan.substrate for plan in told} == {"sim"}
    assert sorted(told, key=complexity, reverse=True) == told


def test_what_fails_on_the_model_alone_does_not_count() -> None:
    failing = first_failing("nack-counts-as-ack", nodes=5)

    def run_otherwise(plan: Plan) -> Trial:
        """As if only clusters of five failed in simulation."""
        is_other = plan.substrate == "sim" and plan.nodes < 5
        return FakeTrial(plan) if is_other else run(plan)

    found = simplest_alike(failing, run_otherwise, runs(100))

    assert found.nodes == 5
    assert run(found).reason == failing.reason


def test_when_there_is_no_time_the_plan_is_what_it_was() -> None:
    failing = first_failing("nack-counts-as-ack")

    assert simplest_alike(failing, run, Allowance(0.0, clock=lambda: 0.0)) == failing.plan


def test_a_share_of_the_time_is_of_what_is_left() -> None:
    now_s = 10.0
    allowance = Allowance.of(8.0, clock=lambda: now_s)
    half = allowance.part(0.5)
    now_s = 14.0
    quarter = allowance.part(0.25)

    assert (half.until_s, quarter.until_s, allowance.until_s) == (14.0, 15.0, 18.0)
    assert half.is_spent()
    assert not quarter.is_spent()
