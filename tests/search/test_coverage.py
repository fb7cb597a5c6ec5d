"""What a campaign went through, and what never."""

from __future__ import annotations

from typing import Any

from ostrakon.harness.search.coverage import Coverage
from ostrakon.harness.search.outcome import BranchCount, Outcome
from ostrakon.harness.search.shape import Windows


def coverage(*trials: dict[str, Any]) -> Coverage:
    covered = Coverage()
    for seed, trial in enumerate(trials):
        covered.add(Outcome(seed=seed, recipe="quiet", valid="valid", **trial))
    return covered


def test_transitions_that_never_were_are_named() -> None:
    covered = coverage({"transitions": {"a >b": 3, "b a": 1}}, {"transitions": {"a <b": 1, "a a": 2}})

    assert covered.unseen == ["b b"]
    assert covered.transitions == {"a >b": 1, "b a": 1, "a <b": 1, "a a": 1}


def test_a_branch_never_reached_is_told_apart_from_one_never_taken() -> None:
    covered = coverage(
        {"points": {"early": BranchCount(3, 0), "late": BranchCount()}}, {"points": {"late": BranchCount()}}
    )

    assert covered.unreached == ["late"]
    assert covered.points == {"early": BranchCount(3, 0), "late": BranchCount()}


def test_operations_during_faults_add_up() -> None:
    covered = coverage({"windows": {"kill": Windows(2, 1, 3)}}, {"windows": {"kill": Windows(1, 0, 3)}})

    assert covered.to_json()["windows"] == [{"kind": "kill", "faults": 3, "quiet": 1, "ops_per_fault": 2.0}]


def test_nothing_tried_covers_nothing() -> None:
    assert Coverage().to_json() == {
        "shapes": 0,
        "transitions": 0,
        "rare_transitions": [],
        "unseen_transitions": [],
        "points": [],
        "windows": [],
    }
