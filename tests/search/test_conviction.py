"""The seeded-bug benchmark: what it counts, and what it makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ostrakon.harness.search.benchmark import run_benchmark, to_json
from ostrakon.harness.search.conviction import (
    BenchmarkSettings,
    Control,
    Controlled,
    Hunt,
    benchmark_jobs,
    control,
    first_fired,
    hunt,
)
from ostrakon.harness.search.oracle import Convicted, Cost, Oracle, tally
from ostrakon.harness.search.swarm import Swarm

SWARM = Swarm(workload="decree")
BUGGY = Swarm(workload="decree", bug="quorum-half")


def jobs(tmp_path: Path, **options: Any) -> list[Hunt | Control]:
    given = {"first": 0, "hunts": 1, "control": 0, "trials_max": 100, "cpu_s_max": 60.0, "store": tmp_path}
    settings = BenchmarkSettings(**{**given, "runner": "fake_trial:run", **options})
    return benchmark_jobs(SWARM, ["quorum-half", "count-replies"], settings)


def a_hunt(tmp_path: Path, **options: Any) -> Hunt:
    given = {"first": 0, "trials_max": 100, "cpu_s_max": 60.0, "store": tmp_path, "runner": "fake_trial:run"}
    return Hunt(BUGGY, **{**given, **options})


def test_a_hunt_ends_with_the_first_seed_that_is_invalid(tmp_path: Path) -> None:
    hunted = hunt(a_hunt(tmp_path, first=50))

    assert (hunted.convicted, hunted.trials, hunted.seed) == (True, 8, 57)
    assert hunted.property == "split decision"
    assert (Path(hunted.folder) / "plan.json").exists()


def test_a_hunt_by_all_oracles_goes_on_until_each_has_convicted(tmp_path: Path) -> None:
    hunted = hunt(a_hunt(tmp_path, runner="fake_trial:run_seen_late_by_clients", all_oracles=True))

    assert {oracle: cost.trials for oracle, cost in hunted.costs.items()} == {
        "trace": 4, "chosen": 8, "history": 24,
    }  # fmt: skip
    assert (hunted.trials, hunted.seed, hunted.property) == (4, 3, "P7")


def test_an_oracle_that_never_convicts_has_no_cost(tmp_path: Path) -> None:
    job = a_hunt(tmp_path, runner="fake_trial:run_seen_late_by_clients", all_oracles=True, trials_max=10)

    assert list(hunt(job).costs) == ["trace", "chosen"]


def test_a_hunt_by_the_full_trace_ends_there(tmp_path: Path) -> None:
    hunted = hunt(a_hunt(tmp_path, first=23, runner="fake_trial:run_seen_late_by_clients"))

    assert {oracle: cost.trials for oracle, cost in hunted.costs.items()} == {"trace": 1}


def test_the_costs_of_several_hunts_are_told_by_their_median() -> None:
    hunts: list[dict[Oracle, Cost]] = [
        {"trace": Cost(1, 0.1), "chosen": Cost(10, 1.0)},
        {"trace": Cost(3, 0.3)},
        {"trace": Cost(8, 0.8)},
    ]

    assert tally(hunts) == {
        "history": Convicted(0, None),
        "chosen": Convicted(1, Cost(10, 1.0)),
        "trace": Convicted(3, Cost(3, 0.3)),
    }


def test_a_hunt_gives_up_after_so_many_trials(tmp_path: Path) -> None:
    hunted = hunt(a_hunt(tmp_path, first=8, trials_max=10))

    assert (hunted.convicted, hunted.trials, hunted.seed) == (False, 10, -1)


def test_the_control_group_counts_alarms() -> None:
    controlled = control(Control(SWARM, range(100), "fake_trial:run"))

    assert controlled.trials == 100
    assert [seed for seed, _ in controlled.alarms] == [7, 57]


def test_the_control_group_counts_what_was_not_judged_apart() -> None:
    controlled = control(Control(SWARM, range(10), "fake_trial:run_half_for_nothing"))

    assert ([seed for seed, _ in controlled.unknowns], controlled.alarms) == ([0, 2, 4, 6, 8], ())


def test_parts_of_the_control_group_add_up() -> None:
    parts = [Controlled(2, 1.0, 3.0, ((5, "b"),)), Controlled(1, 0.5, 1.0, ((1, "a"),), ((9, "c"),))]

    assert parts[0] + parts[1] == Controlled(3, 1.5, 4.0, ((1, "a"), (5, "b")), ((9, "c"),))


def test_the_property_that_fired_first_is_the_one_whose_witness_was_complete_first() -> None:
    early = {"name": "late start", "property": "P9", "events": [{"time": 1}, {"time": 30}]}
    late = {"name": "promise broken", "property": "P7", "events": [{"time": 10}, {"time": 20}]}
    nameless = {"name": "split decision", "property": None, "ops": [{"time": 5}]}

    assert first_fired([early, late]) == "P7"
    assert first_fired([early, late, nameless]) == "split decision"
    assert first_fired([]) == ""


def test_the_whole_benchmark_has_a_row_for_each_bug(tmp_path: Path) -> None:
    benchmark = run_benchmark(jobs(tmp_path, hunts=2, control=5), workers=2)

    assert [(row.bug, row.hunts, row.convicted, row.trials) for row in benchmark.rows] == [
        ("quorum-half", 2, 2, 8),
        ("count-replies", 2, 2, 8),
    ]
    assert benchmark.control.trials == 5
    assert benchmark.valid == "valid"
    told = to_json(benchmark, {"quorum-half": ("P7",)})
    assert told["valid"] is True
    assert [bug["expected"] for bug in told["bugs"]] == [["P7"], []]


@pytest.mark.parametrize(
    ("options", "valid"),
    [
        ({"control": 100}, "invalid"),
        ({"trials_max": 3}, "unknown"),
        ({"runner": "fake_trial:nothing"}, "unknown"),
    ],
    ids=["the correct system accused", "a bug got away", "the harness failed"],
)
def test_a_benchmark_is_not_valid_with(tmp_path: Path, options: dict[str, Any], valid: str) -> None:
    assert run_benchmark(jobs(tmp_path, **options), workers=2).valid == valid
