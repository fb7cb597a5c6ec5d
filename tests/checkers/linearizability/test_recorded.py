"""Histories recorded from real systems, with the verdicts that Knossos gives them."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

import pytest

from ostrakon.checkers import linearizable
from ostrakon.checkers.models import multi_register
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History, read_any

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "histories" / "knossos"

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recorded histories in {RECORDED}")


def recorded(name: str) -> History:
    return read_any(RECORDED / name).history


def check(path: Path) -> Verdict:
    return linearizable(read_any(path).history, "cas-register")


def test_all_good_registers_pass() -> None:
    verdicts = {path.name: check(path).valid for path in sorted(RECORDED.glob("cas-register/good/*.edn"))}

    assert len(verdicts) == 113
    assert {name: valid for name, valid in verdicts.items() if valid != "valid"} == {}


def test_all_bad_registers_are_convicted_with_a_small_core_that_the_referee_confirms() -> None:
    verdicts = {path.name: check(path) for path in sorted(RECORDED.glob("cas-register/bad/*.edn"))}

    assert len(verdicts) == 7
    for name, verdict in verdicts.items():
        assert verdict.valid == "invalid", name
        assert verdict.anomalies[0].details["completed"] <= 10, name
        assert "confirmed" in verdict.details["referee"], name


def test_the_core_of_494_events_is_as_small_as_the_one_made_by_hand() -> None:
    (anomaly,) = linearizable(recorded("cas-register/bad/rethink-fail.edn"), "cas-register").anomalies

    assert len(anomaly.witness) <= 8
    assert [op["f"] for op in anomaly.details["core"]] == ["write", "read"]


def test_a_lock_that_two_clients_held_is_convicted() -> None:
    verdict = linearizable(recorded("mutex/bad/etcd.edn"), "mutex")

    assert verdict.valid == "invalid"
    assert "confirmed" in verdict.details["referee"]


@pytest.mark.parametrize("initial", [None, {"x": 0, "y": 0}])
def test_good_transactions_on_registers_pass(initial: dict[Hashable, Hashable] | None) -> None:
    history = recorded("multi-register/good/multi-register.edn")

    assert linearizable(history, multi_register(initial)).valid == "valid"
