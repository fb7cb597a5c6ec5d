"""A log whose end was cut off by a fault convicts nobody; one that lost its end otherwise does."""

from __future__ import annotations

from typing import Any

import pytest

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, History, Op
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import run
from ostrakon.workloads.cut_logs import unless_cut
from ostrakon.workloads.register import REGISTER


def cut(node: str, time: int, kind: str = "cut_files") -> History:
    value: dict[str, Any] = {"id": 0, "kind": kind, "nodes": [node]}
    return History([Op(0, time, "info", "nemesis", f"start-{kind}", value)])


def forgot(node: str, time: int) -> dict[str, Verdict]:
    restart = Event(time, node, 1, 0, "restart")
    lost = Anomaly("promise forgotten", f"{node} forgot", (restart,), property="P11")
    broken = Anomaly("promise broken", f"{node} broke a promise", (restart,), property="P7")
    return {"P11": Verdict.of([lost]), "P7": Verdict.of([broken]), "M1": Verdict.passed()}


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (cut("n1", 5), "unknown"),
        (cut("n2", 5), "invalid"),
        (cut("n1", 15), "invalid"),
        (cut("n1", 5, "bit_rot"), "invalid"),
        (History(), "invalid"),
    ],
)
def test_only_a_restart_after_its_files_were_cut_is_excused(history: History, expected: str) -> None:
    verdicts = unless_cut(forgot("n1", 10), history)

    assert (verdicts["P7"].valid, verdicts["P11"].valid) == (expected, expected)
    assert verdicts["M1"].valid == "valid"


def test_without_anything_forgotten_verdicts_stay_as_they_are() -> None:
    broken = {"P7": forgot("n1", 10)["P7"]}

    assert unless_cut(broken, cut("n1", 5)) == broken
    assert unless_cut({}, cut("n1", 5)) == {}


def test_the_correct_store_is_not_convicted_when_its_files_are_cut() -> None:
    plans = [plan_for(REGISTER, seed=seed, nemesis="cut_files,kill,bit_rot", nodes=5) for seed in range(4)]

    assert [
        trial.why for trial in (run(plan, workload=REGISTER) for plan in plans) if trial.valid == "invalid"
    ] == []
