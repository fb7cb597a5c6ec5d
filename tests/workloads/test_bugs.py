"""The tests test the tester: every seeded bug is convicted, and the correct core is acquitted."""

from __future__ import annotations

import pytest

from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import Trial, run
from ostrakon.workloads.decree import DECREE

TRIALS_MAX = 400
SEEDS = {
    # Where to begin, so that the hunt is short; a change of schedules may move them.
    "adopt-last-reported": 286,
    "adopt-lowest-ballot": 74,
    "reply-before-fsync": 268,
}


def hunt(bug: str) -> Trial:
    first = SEEDS.get(bug, 0)
    for seed in range(first, first + TRIALS_MAX):
        recipe = "kill,power_loss,drop" if "persist" in bug or "fsync" in bug else "mixed"
        plan = plan_for(DECREE, seed=seed, nemesis=recipe, bug=bug, nodes=3 if seed % 2 else 5)
        trial = run(plan, workload=DECREE)
        if trial.valid == "invalid":
            return trial
    raise AssertionError(f"{bug} got away with {TRIALS_MAX} trials")


@pytest.mark.parametrize("bug", DECREE.bugs)
def test_every_seeded_bug_is_convicted_by_a_property_it_breaks(bug: str) -> None:
    trial = hunt(bug)

    properties = {anomaly.get("property") for anomaly in trial.anomalies}
    assert properties & {*DECREE.bugs[bug].convicted_by, "P2", "P3", "agreement"}, trial.why


def test_the_correct_core_raises_no_alarm() -> None:
    trials = [run(plan_for(DECREE, seed=seed, nemesis="all"), workload=DECREE) for seed in range(40)]

    assert [trial.why for trial in trials if trial.valid == "invalid"] == []
    assert any(trial.valid == "valid" for trial in trials), "vacuous: nothing was shown"


def test_there_are_at_least_ten_and_each_says_what_is_wrong() -> None:
    assert len(DECREE.bugs) >= 10
    assert all(bug.about and bug.convicted_by for bug in DECREE.bugs.values())
