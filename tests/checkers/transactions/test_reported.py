"""Histories that were judged wrongly once, here or elsewhere, each with the right verdict and why."""

from __future__ import annotations

import pytest

from ostrakon.checkers.transactions import list_append, rw_register
from ostrakon.checkers.transactions.notation import history
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History, Op

FRACTURED = {
    "all at once": "x=1 y=1 | x=2 y=2 | x:1 y:2",
    "read later, twice": "x=1 y=1 | x=2 y=2 ; x:1 y:2 ; x:1 y:2",
}


@pytest.mark.parametrize("line", FRACTURED.values(), ids=FRACTURED.keys())
def test_a_fractured_read_is_not_read_atomic_in_whatever_order_the_writes_were(line: str) -> None:
    """To read 1 of x and 2 of y, the first writer must come after the second one, and before it."""
    verdict = rw_register(history(line))

    assert verdict.valid == "invalid"
    assert "read-atomic" in verdict.details["violated"]
    story = next(a.details["story"] for a in verdict.anomalies if a.name == "not-read-atomic")
    assert "T3 sees T1 but read the 'y' of T2, T3 sees T2 but read the 'x' of T1" in story


def test_write_skew_after_a_first_transaction_is_not_serializable_but_is_snapshot_isolation() -> None:
    line = "a=0 b=0 ; b:0 a=1 | a:0 b=1"

    assert rw_register(history(line), "serializable").valid == "invalid"
    assert rw_register(history(line), "strong-snapshot-isolation").valid == "valid"


def test_a_long_fork_after_a_first_transaction_is_not_prefix_but_is_parallel_snapshot_isolation() -> None:
    line = "a=0 b=0 ; c: a=1 | c: b=1 | a:1 b:0 | a:0 b:1"

    assert rw_register(history(line), "snapshot-isolation").valid == "invalid"
    assert rw_register(history(line), "prefix").valid == "invalid"
    assert rw_register(history(line), "parallel-snapshot-isolation").valid == "valid"
    assert rw_register(history(line), "causal").valid == "valid"


@pytest.mark.parametrize(
    "verdict", [rw_register(history("x=2 | x: x:2")), list_append(history("x+2 | x:[] x:[2]"))]
)
def test_a_read_that_does_not_repeat_is_no_consistent_view(verdict: Verdict) -> None:
    assert set(verdict.details["found"]) == {"internal", "G-single-item"}
    assert {"read-atomic", "consistent-view"} <= set(verdict.details["violated"])


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("x=1! | x: x:1", "G1a"),
        ("x=1 ; x=2! ; x:1 x:2", "G1a"),
        ("x=1 x=2 | x: x:1", "G1b"),
        ("x=1 ; x: x:99", "garbage-read"),
        ("x: x:1 x=1", "future-read"),
    ],
)
def test_reads_after_the_first_one_of_a_register_count(line: str, name: str) -> None:
    assert name in rw_register(history(line)).details["found"]


def test_a_value_twice_in_a_shorter_read_is_noticed() -> None:
    verdict = list_append(history("x+1 x+2 x+3 ; x:[1,1] | x:[1,2,3]"))

    assert set(verdict.details["found"]) == {"duplicate-elements"}
    assert verdict.details["violated"] == ["read-uncommitted"]


def test_a_read_of_the_future_is_noticed_although_another_read_follows() -> None:
    verdict = list_append(history("x+1 ; x:[1,2] x:[1] x+2"))

    assert "future-read" in verdict.details["found"]
    assert verdict.details["violated"] == ["read-committed"]


def test_a_value_that_only_an_excluded_read_shows_is_not_taken_for_the_last() -> None:
    """Otherwise it would be put behind what came after it."""
    verdict = list_append(history("x+1 y+1 | x+2 y+2 | x+3 | x:[1,3] | x:[2] | y:[2,1]"))

    assert "incompatible-order" in verdict.details["found"]
    assert "G0" not in verdict.details["found"]


def test_of_two_reads_that_exclude_each_other_neither_is_believed() -> None:
    """Whichever comes first in the file: no order of versions follows from them."""
    one, other = "x:[1,2]", "x:[2,1]"
    lines = [f"x+1 y+1 | x+2 y+2 | {a} | {b} | y:[1,2]" for a, b in ((one, other), (other, one))]

    found = [list_append(history(line)).details["found"] for line in lines]

    assert found[0] == found[1]
    assert "G0" not in found[0]


def test_one_process_that_reads_what_nobody_wrote_between_two_reads_of_its_own_write() -> None:
    line = "0/x=1 | 0/x:2 | 0/x:1"

    assert rw_register(history(line)).anomalies[0].name == "garbage-read"
    assert rw_register(history(line), outside_writers=True).valid == "invalid"
    assert rw_register(history(line), "serializable", outside_writers=True).valid == "valid"


@pytest.mark.parametrize("read", [True, 1.0, "1", [1]])
def test_a_list_that_holds_another_kind_of_one_was_never_appended_to_so(read: object) -> None:
    verdict = list_append(ops([["append", 1, 1]], [["r", 1, [read]]]))

    assert "garbage-read" in verdict.details["found"]


@pytest.mark.parametrize("read", [True, 1.0, "1", [1]])
def test_a_register_that_holds_another_kind_of_one_was_never_written_so(read: object) -> None:
    assert "garbage-read" in rw_register(ops([["w", 1, 1]], [["r", 1, read]])).details["found"]


def test_1_and_true_are_two_values_and_two_keys() -> None:
    assert list_append(ops([["append", 1, 1]], [["append", 1, True]], [["r", 1, [1, True]]])).valid == "valid"
    both = ops([["append", 1, 1]], [["append", True, 2]], [["r", 1, [1]], ["r", True, [2]]])
    assert list_append(both).valid == "valid"
    assert list_append(ops([["append", 1, 1]], [["r", True, []]])).valid == "valid"


@pytest.mark.parametrize("key", [["anti", 1], {"a": 1}, 1.5, None])
def test_any_value_is_a_key(key: object) -> None:
    assert list_append(ops([["append", key, 1]], [["r", key, [1]]])).valid == "valid"
    assert list_append(ops([["append", key, 1]], [["r", key, None]])).valid == "invalid"
    assert rw_register(ops([["w", key, [1, 2]]], [["r", key, [1, 2]]])).valid == "valid"


def test_a_cycle_with_one_anti_dependency_through_a_thousand_writes_is_no_snapshot() -> None:
    """Each of 1,000 overwrites the one before it, and the last has not seen the first.

    Beside that there are write skews with parts of the ring, which lead a search that starts from them
    around it."""
    length = 1_000
    ring = [f"k{at}+2 k{at + 1}+1" for at in range(length)]
    ring[0] += " z+1"
    ring[-1] = "z:[] " + ring[-1]
    skews = []
    for number in range(2_000):
        earlier, later = number % length, (number * 7 + 3) % length
        if earlier < later:
            skews.append(f"p{number}:[] q{number}+1")
            ring[earlier] += f" p{number}+1"
            ring[later] += f" q{number}:[]"
    shown = [f"k{at}:[1,2]" for at in range(1, length)]

    verdict = list_append(history(" | ".join([*ring, *skews, *shown])), "snapshot-isolation")

    assert verdict.valid == "invalid"
    assert len(verdict.anomalies[0].details["cycle"]) == length


def test_a_transaction_order_that_is_given_orders_the_versions() -> None:
    line = "x=1 | x=2 ; x:1"

    assert rw_register(history(line), transaction_order={2: 2.0, 3: 1.0}).valid == "valid"
    other = rw_register(history(line), "serializable", transaction_order={2: 1.0, 3: 2.0})
    assert other.valid == "valid"
    assert other.details["violated"] == ["strong-snapshot-isolation"]
    assert "in the transaction order given" in other.why


def ops(*transactions: list[list[object]]) -> History:
    """Transactions that ran one after the other in one process."""
    return History([Op(at, at, "ok", 0, "txn", micro_ops) for at, micro_ops in enumerate(transactions)])


def test_a_read_that_fits_no_other_shows_that_its_unanswered_writer_took_effect() -> None:
    """Two reads of one list disagree; the second ends with what an unanswered transaction appended."""
    ops = [
        ("invoke", 1, [["append", "a", 1], ["r", "a", None]]),
        ("invoke", 3, [["append", "a", 2]]),
        ("ok", 1, [["append", "a", 1], ["r", "a", [1, 2]]]),
        ("invoke", 2, [["append", "a", 5]]),
        ("info", 2, [["append", "a", 5]]),
        ("fail", 3, [["append", "a", 2]]),
        ("invoke", 4, [["r", "a", None], ["append", "a", 9]]),
        ("ok", 4, [["r", "a", [5, 11]], ["append", "a", 9]]),
        ("invoke", 7, [["append", "a", 11]]),
        ("info", 7, [["append", "a", 11]]),
    ]

    verdict = list_append(History(Op(n, n, type_, p, "txn", v) for n, (type_, p, v) in enumerate(ops)))  # type: ignore[arg-type]

    assert verdict.valid == "invalid"
    assert {"G1a", "incompatible-order"} <= {anomaly.name for anomaly in verdict.anomalies}


def test_a_read_that_does_not_tell_what_it_found_is_a_read_of_unknown() -> None:
    written: list[list[object]] = [["w", "x", 1], ["r", "y"]]

    assert rw_register(ops(written, [["r", "x", 1], ["r", "y"]])).valid == "valid"
    assert rw_register(ops(written, [["r", "y"], ["r", "x", 2]])).anomalies[0].name == "garbage-read"
    assert rw_register(ops([["w", "x", 1]], [["r", "x"]])).valid == "unknown"
    assert list_append(ops([["append", "x", 1], ["r", "x"]], [["r", "x", [1]]])).valid == "valid"
    assert list_append(ops([["append", "x", 1]], [["r", "y"], ["r", "x", []]])).valid == "invalid"


def test_a_version_that_is_read_once_more_is_older_than_what_was_read_in_between() -> None:
    """The second read of x must not miss what the writer of y wrote to it, so 2 is older than 1, and back."""
    line = "x=1 z=1 | x=2 y=2 | x:1 y:2 x:1 | x:2 z:1 x:2"

    assert rw_register(history(line), "read-committed").valid == "valid"
    assert rw_register(history(line), "monotonic-atomic-view").valid == "invalid"


def test_what_was_appended_before_an_own_append_was_read_from_others() -> None:
    verdict = list_append(history("x+1 y+1 | x+2 x:[1,2] y:[]"))

    assert verdict.details["violated"] == ["monotonic-atomic-view"]
    assert verdict.details["undecided"] == []
