"""Each anomaly by its smallest history; the notation is that of `ostrakon.checkers.transactions.notation`."""

from __future__ import annotations

import pytest

from ostrakon.checkers.transactions import list_append, rw_register
from ostrakon.checkers.transactions.dependency import ALL_CYCLES
from ostrakon.checkers.transactions.notation import history
from ostrakon.checkers.verdict import Verdict

LISTS = {
    "G0": "x+1 y+1 | x+2 y+2 | x:[1,2] y:[2,1]",
    "G0-process": "0/x+1 | 0/x+2 | x:[2,1]",
    "G0-realtime": "x+1 ; x+2 ; x:[2,1]",
    "G1c": "x+1 y:[2] | x:[1] y+2",
    "G1c-process": "0/x:[1] | 0/x+1",
    "G1c-realtime": "x:[1] ; x+1",
    "G-single-item": "x+1 y+1 | x:[1] y:[]",
    "G-single-item-process": "0/x+1 | 0/x:[]",
    "G-single-item-realtime": "x+1 ; x:[]",
    "G-nonadjacent-item": "x+1 | y+1 | x:[1] y:[] | x:[] y:[1]",
    "G-nonadjacent-item-process": "0/x+1 | y+1 | y:[1] x:[] | 0/y:[]",
    "G-nonadjacent-item-realtime": "y+1 | y:[1] x:[] | x+1. | y:[]",
    "G2-item": "x:[] y+1 | y:[] x+1",
    "G2-item-process": "0/y+1 | x+1 y:[] | 0/x:[]",
    "G2-item-realtime": "x+1 y:[] | y+1. | x:[]",
    "garbage-read": "x:[7]",
    "G1a": "x+1! | x:[1]",
    "incompatible-order": "x+1 | x+2 | x:[1,2] | x:[2]",
    "duplicate-elements": "x+1 | x:[1,1]",
    "internal": "x+1 x:[]",
    "future-read": "x:[1] x+1",
}
REGISTERS = {
    "G1c": "x=1 y:2 | x:1 y=2",
    "G1c-process": "0/x:1 | 0/x=1",
    "G1c-realtime": "x:1 ; x=1",
    "G-single-item": "x=1 y=1 | x:1 y:",
    "G-single-item-process": "0/x=1 | 0/x:",
    "G-single-item-realtime": "x=1 ; x:",
    "G-nonadjacent-item": "x=1 | y=1 | x:1 y: | x: y:1",
    "G2-item": "x: y=1 | y: x=1",
    "G-single": "x=1 y=1 | x:1 *:{x=1}",
    "G-single-process": "0/x=1 | 0/*:{}",
    "G-single-realtime": "x=1 ; *:{}",
    "G-nonadjacent": "x=1 | y=1 | *:{x=1} | *:{y=1}",
    "G-nonadjacent-process": "0/x=1 | y=1 | *:{y=1} | 0/y:",
    "G-nonadjacent-realtime": "y=1 | *:{y=1} | x=1. | y:",
    "G2": "*:{} x=1 | *:{} y=1",
    "G2-process": "0/y=1 | x=1 *:{} | 0/x:",
    "G2-realtime": "x=1 *:{} | y=1. | x:",
    "garbage-read": "y: | x:7",
    "G1a": "x=1! | x:1",
    "G1b": "x=1 x=2 | x:1",
    "internal": "x=1 x:2 | x=2",
    "future-read": "x:1 x=1",
}
WITH_COMPANY = {
    "G1b": ("x+1 x+2 | x:[1] | x:[1,2]", {"G1b", "G-single-item"}),
    "dirty-update": ("x+1! | x+2 | x:[1,2]", {"dirty-update", "G1a"}),
    "lost-update": ("x:[] x+1 | x:[] x+2 | x:[1,2]", {"lost-update", "G-single-item"}),
}
"""Anomalies that never come alone."""


@pytest.mark.parametrize(("name", "line"), LISTS.items(), ids=LISTS.keys())
def test_the_smallest_history_of_lists_shows_its_anomaly_and_no_other(name: str, line: str) -> None:
    assert inferred(list_append(history(line))) == {name}


@pytest.mark.parametrize(("name", "line"), REGISTERS.items(), ids=REGISTERS.keys())
def test_the_smallest_history_of_registers_shows_its_anomaly_and_no_other(name: str, line: str) -> None:
    assert inferred(rw_register(history(line))) == {name}


@pytest.mark.parametrize(("name", "example"), WITH_COMPANY.items(), ids=WITH_COMPANY.keys())
def test_some_anomalies_imply_others(name: str, example: tuple[str, set[str]]) -> None:
    line, names = example

    assert name in names
    assert found(list_append(history(line))) == names


def test_two_updates_of_one_register_from_the_same_version_lose_one_of_them() -> None:
    assert found(rw_register(history("x: x=1 | x: x=2"))) == {"lost-update", "G2-item"}


def test_registers_whose_versions_were_each_written_over_the_next_are_cyclic() -> None:
    assert found(rw_register(history("x:1 x=2 | x:2 x=1"))) == {"cyclic-versions", "G1c"}


def test_every_type_of_cycle_has_an_example_here() -> None:
    shown = LISTS.keys() | REGISTERS.keys()

    assert shown >= ALL_CYCLES
    assert len(ALL_CYCLES) == 24


@pytest.mark.parametrize("line", ["", "x+1", "x:[]!", "x:[]~"])
def test_where_no_list_was_read_nothing_is_known(line: str) -> None:
    assert list_append(history(line)).valid == "unknown"


@pytest.mark.parametrize("line", ["", "x=1", "x:!", "x:~"])
def test_where_no_register_was_read_nothing_is_known(line: str) -> None:
    assert rw_register(history(line)).valid == "unknown"


@pytest.mark.parametrize(
    "line",
    [
        "x:[]",
        "x+1 | x:[1]",
        "x+1 ; x:[1] ; x+2 ; x:[1,2]",
        "x+1 x:[1] x+2 x:[1,2]",
        "x:[] x+1 x:[1] | x:[1] y+1",
        "x+1~ | x:[1]",
        "x+1~ ; x:[] ; x:[1]",
        "x+1! ; x:[]",
        "x+1 y:[] | y+1 x:[1]",
    ],
)
def test_histories_of_lists_that_are_strictly_serializable_pass(line: str) -> None:
    verdict = list_append(history(line))

    assert verdict.valid == "valid", verdict.why
    assert verdict.details["satisfied"] == ["strict-serializable"]


@pytest.mark.parametrize(
    "line",
    [
        "x:",
        "x=1 | x:1 | x:",
        "x=1 ; x:1 ; x=2 ; x:2",
        "x=1 | x=2 ; x:1",
        "x=1 | x=2 ; x:2 ; x:2",
        "x=1~ ; x: ; x:1",
        "x: x=1 x:1 | x:1 x=2",
        "x=1 y=1 ; *:{x=1,y=1}",
        "0/x=1 | 0/x:1 | x=2 | 0/x:2",
    ],
)
def test_histories_of_registers_that_are_strictly_serializable_pass(line: str) -> None:
    verdict = rw_register(history(line))

    assert verdict.valid == "valid", verdict.why
    assert verdict.details["satisfied"] == ["strict-serializable"]


def test_a_stale_read_of_a_register_goes_against_real_time() -> None:
    assert found(rw_register(history("x=1 ; x=2 ; x:1"))) == {"G-single-item-realtime"}


def test_a_register_that_a_process_sees_go_back_and_forth_breaks_its_session() -> None:
    verdict = rw_register(history("x=1 | x=2 | 0/x:1 | 0/x:2 | 0/x:1"), "strong-session-serializable")

    assert verdict.valid == "invalid"
    assert inferred(verdict) == {"G-single-item-process"}


def test_two_reads_show_the_order_of_writes_that_ran_at_the_same_time() -> None:
    assert found(rw_register(history("x=1 | x=2 ; x:1 ; x:2 ; x:1"))) >= {"G-single-item-realtime"}


def test_a_value_that_was_never_a_version_has_no_place_among_them() -> None:
    assert found(rw_register(history("0/x: x=1 x=2 | 0/x:1 | 0/x:2"))) == {"G1b"}


def inferred(verdict: Verdict) -> set[str]:
    """The anomalies found, but for those that say of a model that no order of commits satisfies it."""
    return {name for name in found(verdict) if not name.startswith("not-")}


def found(verdict: Verdict) -> set[str]:
    return set(verdict.details["found"])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "x+1 x+2 ; x:[2]",
            "'x' was read as [2], although the transaction that appended 2 had appended 1 before",
        ),
        ("x+1 x+2 ; x:[2,1]", "'x' was read as [2, 1]"),
        ("x+1 x+2 | x+3 ; x:[2,1,3]", "'x' was read as [2, 1, 3]"),
    ],
)
def test_appends_of_one_transaction_are_read_in_the_order_in_which_it_made_them(line: str, why: str) -> None:
    verdict = list_append(history(line), "read-committed")

    assert verdict.valid == "invalid"
    assert any(
        anomaly.name == "incompatible-order" and anomaly.why.startswith(why) for anomaly in verdict.anomalies
    )


def test_appends_of_one_transaction_between_which_another_one_appended_make_a_cycle() -> None:
    verdict = list_append(history("x+1 x+2 | x+3 ; x:[1,3,2]"), "read-uncommitted")

    assert [anomaly.name for anomaly in verdict.anomalies] == ["G0"]
