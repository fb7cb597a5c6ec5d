"""The examples are short, sound as they are, and wrong with the bugs that were planted in them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ostrakon import Workload, find_workload, plan_for, run
from ostrakon.harness.search.shrunk import shrink_trial

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = {
    "backup_store/test_store.py::STORE": "partition,kill",
    "lease_server/test_leases.py::LEASES": "kill,clock_jump",
    "job_journal/test_journal.py::JOBS": "kill,power_loss,crash_at_sync",
    "raft/test_raft.py::RAFT": "partition,kill,partition:leader,kill:leader",
    "two_phase_commit/test_commit.py::COMMIT": "partition,kill,power_loss",
}
LINES_MAX = 25
FOUND: list[tuple[str, str, int, dict[str, Any]]] = [
    ("raft/test_raft.py::RAFT", "local-read", 0, {}),
    ("raft/test_raft.py::RAFT", "anonymous-acks", 4, {}),
    ("raft/test_raft.py::RAFT", "no-log-match", 4, {}),
    ("raft/test_raft.py::RAFT", "vote-not-saved", 80, {"nemesis": "none"}),
    ("two_phase_commit/test_commit.py::COMMIT", "prepared-forgotten", 0, {}),
    ("two_phase_commit/test_commit.py::COMMIT", "decision-not-synced", 6, {}),
    ("two_phase_commit/test_commit.py::COMMIT", "unilateral-abort", 15, {}),
    ("two_phase_commit/test_commit.py::COMMIT", "name-not-synced", 8, {}),
    ("backup_store/test_store.py::STORE", "local-read", 17, {}),
    ("job_journal/test_journal.py::JOBS", "unsynced-take", 2, {}),
    ("job_journal/test_journal.py::JOBS", "unsynced-put", 0, {}),
    ("job_journal/test_journal.py::JOBS", "half-line", 34, {}),
    ("lease_server/test_leases.py::LEASES", "wall-clock", 21, {}),
    ("lease_server/test_leases.py::LEASES", "early-start", 0, {}),
]
"""Planted bugs, each with the first seed that shows it, and what its trials ask for otherwise."""


@pytest.fixture(autouse=True)
def modules_of_examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the examples import is theirs, and forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(EXAMPLES)):
            del sys.modules[name]


def example(reference: str) -> Workload:
    return find_workload(f"{EXAMPLES}/{reference}")


@pytest.mark.parametrize("reference", PROGRAMS)
def test_a_chaos_test_is_short(reference: str) -> None:
    text = (EXAMPLES / reference.partition("::")[0]).read_text()

    assert len([line for line in text.splitlines() if line.strip()]) <= LINES_MAX


@pytest.mark.parametrize("reference", PROGRAMS)
def test_a_sound_program_is_found_to_be_wrong_in_nothing(reference: str) -> None:
    workload = example(reference)
    trials = [
        run(plan_for(workload, seed=seed, nemesis=PROGRAMS[reference]), workload=workload)
        for seed in range(3)
    ]

    assert "invalid" not in {trial.valid for trial in trials}, [trial.headline for trial in trials]
    assert "valid" in {trial.valid for trial in trials}, [trial.headline for trial in trials]


@pytest.mark.parametrize("reference", PROGRAMS)
def test_every_planted_bug_is_told_in_a_sentence(reference: str) -> None:
    bugs = example(reference).bugs

    assert bugs
    assert all(bug.about and bug.breakage == name for name, bug in bugs.items())


@pytest.mark.parametrize(("reference", "bug", "seed", "fields"), FOUND)
def test_a_planted_bug_is_found_by_the_examples_own_faults(
    reference: str, bug: str, seed: int, fields: dict[str, Any]
) -> None:
    workload = example(reference)
    seeds = range(max(0, seed - 1), seed + 12)

    trials = (
        run(
            plan_for(workload, **{"nemesis": PROGRAMS[reference], **fields}, seed=each, bug=bug),
            workload=workload,
        )
        for each in (seed, *seeds)
    )

    assert any(trial.valid == "invalid" for trial in trials)


def test_a_stale_read_of_the_store_is_shrunk_to_three_operations_and_one_fault() -> None:
    workload = example("backup_store/test_store.py::STORE")
    plan = plan_for(workload, seed=4003, nemesis="partition,kill", bug="local-read")

    shrunk = shrink_trial(run(plan, workload=workload), 6.0, workload=workload)

    assert isinstance(shrunk.plan.ops, tuple)
    assert len(shrunk.plan.ops) <= 3
    assert len(shrunk.plan.faults) == 1
    assert run(shrunk.plan, workload=workload).reason == shrunk.reason
