"""Recorded histories of other projects, with the verdicts that are known for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostrakon.checkers.transactions import list_append, rw_register
from ostrakon.harness.history import read_any

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "histories" / "elle-cli" / "elle"

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason=f"there are no recorded histories in {RECORDED}"
)


@pytest.mark.parametrize("name", ["paper-example.edn", "paper-example.json", "list-append-gh-30.edn"])
def test_the_histories_of_lists_are_convicted(name: str) -> None:
    verdict = list_append(read_any(RECORDED / name).history, "serializable")

    assert verdict.valid == "invalid", verdict.why


def test_the_example_of_the_paper_reads_a_list_of_which_its_beginning_is_missing() -> None:
    verdict = list_append(read_any(RECORDED / "paper-example.edn").history)

    assert {anomaly.name for anomaly in verdict.anomalies} >= {"G-single-item"}


def test_the_reported_write_skew_is_named() -> None:
    verdict = list_append(read_any(RECORDED / "list-append-gh-30.edn").history, "serializable")

    assert [anomaly.name for anomaly in verdict.anomalies] == ["G2-item"]


@pytest.mark.parametrize("name", ["rw-register.edn", "rw-register.json"])
def test_the_history_of_registers_reads_what_nobody_could_have_written(name: str) -> None:
    """One process writes 2, reads 3 and then 2 again: no other writer's 3 fits between. Elle lets it pass."""
    recorded = read_any(RECORDED / name).history

    assert set(rw_register(recorded).details["found"]) == {"garbage-read"}
    assert rw_register(recorded, outside_writers=True).details["violated"] == ["causal"]
