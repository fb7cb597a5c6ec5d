"""What would have happened after a failure is the first thing to go."""

from __future__ import annotations

from typing import Any

from ostrakon.harness.plan import Fault, Plan
from ostrakon.harness.search.failure import without_aftermath
from ostrakon.harness.search.shrink import shrink

PLAN = Plan(
    workload="decree",
    seed=1,
    time_limit_s=5.0,
    nemesis=("kill",),
    faults=(
        Fault("drop", 0, 4000, probability=1.0),
        Fault("kill", 90, 100, nodes=("n1",)),
        Fault("kill", 2000, 100, nodes=("n2",)),
    ),
)


def anomaly(name: str, *times_ms: int) -> dict[str, Any]:
    return {
        "name": name,
        "ops": [{"time": at_ms * 1_000_000} for at_ms in times_ms[1:]],
        "events": [{"time": at_ms * 1_000_000} for at_ms in times_ms[:1]],
    }


def test_it_ends_when_all_that_the_reason_names_was_complete() -> None:
    anomalies = [anomaly("promise broken", 40, 100), anomaly("stale ballot", 60), anomaly("other", 3000)]

    shortest, *longer = without_aftermath(PLAN, anomalies, "P7 promise broken · P10 stale ballot")

    assert shortest.time_limit_s == 0.101
    assert shortest.faults == (Fault("drop", 0, 101, probability=1.0), Fault("kill", 90, 11, nodes=("n1",)))
    assert [plan.time_limit_s for plan in longer] == [0.15, 0.6]


def test_nothing_is_shorter_than_a_trial_that_fails_at_its_end() -> None:
    assert list(without_aftermath(PLAN, [anomaly("promise broken", 5000)], "P7 promise broken")) == []
    assert list(without_aftermath(PLAN, [], "a node crashed")) == []


def test_a_guess_that_fails_saves_the_search_the_rest() -> None:
    asked: list[Plan] = []

    def fails(plan: Plan) -> bool:
        asked.append(plan)
        return plan.time_limit_s >= 0.1

    guesses = without_aftermath(PLAN, [anomaly("promise broken", 100)], "P7 promise broken")
    found = shrink(PLAN, fails, guesses=guesses)

    assert asked[0].time_limit_s == 0.101
    assert found.time_limit_s == 0.1
