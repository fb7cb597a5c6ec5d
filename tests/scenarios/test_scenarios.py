"""Each scenario is survived by correct nodes, and convicts those that have a bug it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.cli import run as run_command
from ostrakon.harness.plan import BadPlan
from ostrakon.harness.scenario import Scenario
from ostrakon.harness.trial import run
from ostrakon.workloads import scenarios
from ostrakon.workloads.scenarios import SCENARIOS

SEEDS = 4
CONVICTIONS = [(scenario, bug) for scenario in SCENARIOS.values() for bug in scenario.bugs]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_correct_nodes_survive_it_and_everything_in_it_had_an_effect(scenario: Scenario) -> None:
    """A fault that was inert, or an operation that never succeeded, would leave the trial unknown."""
    assert set(scenario.plan.nemesis) == {fault.kind for fault in scenario.plan.faults}

    trial = run(scenario.plan)

    assert trial.valid == "valid", trial.why


@pytest.mark.parametrize(
    ("scenario", "bug"), CONVICTIONS, ids=[f"{scenario.name} {bug}" for scenario, bug in CONVICTIONS]
)
def test_a_bug_that_it_is_for_is_convicted_by_what_it_breaks(scenario: Scenario, bug: str) -> None:
    """The moment is arranged; what clients do is drawn, and so the next few seeds count too."""
    seeds = range(scenario.plan.seed, scenario.plan.seed + SEEDS)
    trials = (run(replace(scenario.plan, bug=bug, seed=seed)) for seed in seeds)
    trial = next((trial for trial in trials if trial.valid == "invalid"), None)

    assert trial is not None, f"{bug} got away with {SEEDS} seeds"
    broken = {part for anomaly in trial.anomalies if (part := anomaly.get("property"))}
    named = find_workload(scenario.plan.workload).bugs[bug].convicted_by
    assert broken & {*named, "P2", "P3"}, f"{trial.why} is not what {bug} breaks: {named}"


@pytest.mark.parametrize("substrate", ["model", "sim"])
def test_the_bug_that_the_readme_shows_is_convicted_whatever_the_seed(
    substrate: Literal["model", "sim"],
) -> None:
    plan = replace(SCENARIOS["D3-one-vote-and-two"].plan, bug="adopt-last-reported", substrate=substrate)

    reasons = {run(replace(plan, seed=seed)).reason for seed in range(10)}

    assert reasons == {"split decision · P2 two values chosen"}


def test_every_plan_in_the_folder_is_a_scenario_and_names_a_bug() -> None:
    there = {path.stem for path in Path(scenarios.__file__).parent.glob("*.json")}

    assert there == set(SCENARIOS)
    assert all(scenario.about and scenario.bugs for scenario in SCENARIOS.values())


@pytest.mark.parametrize(("bug", "status"), [([], 0), (["--bug", "adopt-lowest-ballot"], 1)])
def test_a_scenario_is_replayed_from_its_file(tmp_path: Path, bug: list[str], status: int) -> None:
    plan = Path(scenarios.__file__).parent / "D3-two-minorities.json"

    assert run_command(["replay", str(plan), *bug, "--store", str(tmp_path / "store")]) == status


def test_clocks_that_do_more_than_leases_presume_convict_nobody() -> None:
    """Neither would it be right to let such a trial pass."""
    plan = SCENARIOS["D4-drifting-clocks"].plan
    faults = [replace(fault, rate=fault.rate * 3) if fault.rate > 1 else fault for fault in plan.faults]

    trial = run(replace(plan, bug="lease-without-margin", faults=tuple(faults)))

    assert trial.valid == "unknown"
    assert "times their rate, and leases presume that they drift by 30% at most" in trial.why


def test_without_leases_there_is_nothing_to_presume() -> None:
    plan = SCENARIOS["D4-drifting-clocks"].plan

    trial = run(replace(plan, bug="lease-without-margin", options={"lease_ms": 0}))

    assert trial.valid == "valid", trial.why
    assert not any(event.event == "lease_held" for event in trial.trace)


@pytest.mark.parametrize("length", [-1, "long"])
def test_a_lease_that_has_no_length_is_refused(length: object) -> None:
    plan = replace(SCENARIOS["D4-stopped-leader"].plan, options={"lease_ms": length})

    with pytest.raises(BadPlan, match=r"options.lease_ms is .*, expected a number, 0 or above"):
        run(plan)
