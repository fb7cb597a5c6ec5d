"""What clients saw: agreement, validity, integrity; how much there was to see, and whether it was enough."""

from __future__ import annotations

import doctest
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ostrakon.checkers.consensus.agreement
from ostrakon.checkers.consensus.agreement import agreement, integrity, validity
from ostrakon.checkers.run.evidence import evidence
from ostrakon.checkers.run.stats import quantile, stats
from ostrakon.checkers.value import canonical
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import NEMESIS, History, Op

from .notation import history

Check = Callable[[History], Verdict]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)

GOOD = "0 propose x; 1 propose y; 0 ok x n1; 2 get; 2 fail; 1 ok x n2; 2 get; 2 ok x n3; 3 get; 3 info"


@pytest.mark.parametrize("check", [agreement, validity, integrity])
def test_a_good_history_passes(check: Check) -> None:
    assert check(history(GOOD)).valid == "valid"


@pytest.mark.parametrize("check", [agreement, validity, integrity, stats, evidence])
def test_the_empty_history_says_nothing(check: Check) -> None:
    assert check(History()).valid == "unknown"


@pytest.mark.parametrize("check", [agreement, validity, integrity])
def test_who_was_told_nothing_cannot_disagree(check: Check) -> None:
    assert check(history("0 propose x; 0 info; 1 get; 1 fail")).valid == "unknown"


@pytest.mark.parametrize(
    ("one", "other"),
    [("x", "y"), ("0", "false"), ("1", "1.0"), ("0", "[]"), ("null", '""'), ("[1]", "[1,1]")],
)
def test_two_answers_are_a_split_decision(one: str, other: str) -> None:
    split = history(f"0 propose {one}; 1 propose {other}; 0 ok {one} n1; 1 ok {other} n2")

    verdict = agreement(split)

    assert [anomaly.name for anomaly in verdict.anomalies] == ["split decision"]
    assert verdict.anomalies[0].witness == (split[2], split[3])
    assert validity(split).valid == "valid"


def test_slots_are_decided_apart() -> None:
    told = [Op(0, 0, "ok", 0, "get", "x", slot=1), Op(1, 1, "ok", 0, "get", "y", slot=2)]
    split = [*told, Op(2, 2, "ok", 1, "get", "y", slot=1)]

    assert agreement(History(told)).valid == integrity(History(told)).valid == "valid"
    assert agreement(History(split)).anomalies[0].details == {"slot": 1}


def test_each_further_value_is_one_anomaly() -> None:
    split = history("0 get; 0 ok x; 0 get; 0 ok y; 0 get; 0 ok y; 0 get; 0 ok z; 0 get; 0 ok x")

    assert len(agreement(split).anomalies) == 2


def test_a_decision_that_nobody_asked_for_is_invalid() -> None:
    verdict = validity(history("0 propose x; 0 info; 1 get; 1 ok y n2"))

    assert verdict.why == 'process 1 was told by n2 that "y" is decided, which nobody had asked for at all'


def test_a_decision_before_anyone_asked_for_it_is_invalid() -> None:
    early = history("1 get; 1 ok x; 0 propose x; 0 ok x")

    assert validity(early).anomalies[0].witness == (early[1], early[2])


def test_a_proposal_without_an_answer_may_well_be_decided() -> None:
    assert validity(history("0 propose x; 0 info; 1 get; 1 ok x n2")).valid == "valid"


def test_a_node_that_changes_its_answer_lacks_integrity() -> None:
    changed = history("0 propose x; 0 ok x n1; 1 get; 1 ok y n1")

    verdict = integrity(changed)

    assert verdict.why == (
        'process 0 was told by n1 that slot 0 is "x", and later process 1 was told by n1 that it is "y"'
    )


def test_a_process_that_is_told_otherwise_later_saw_a_change() -> None:
    assert integrity(history("0 propose x; 0 ok x n1; 0 get; 0 ok y n2")).valid == "invalid"


def test_a_node_may_forget_what_it_learned() -> None:
    assert (
        integrity(history("0 propose x; 0 ok x n1; 1 get; 1 fail null n1; 1 get; 1 ok x n1")).valid == "valid"
    )


def test_stats_count_what_was_done_and_how_long_it_took() -> None:
    details = stats(history(GOOD)).details

    assert details["by_f"]["get"] == {
        "invoke": 3,
        "ok": 1,
        "fail": 1,
        "info": 1,
        "open": 0,
        "latency_ms": {"p50": 1.0, "p95": 1.0, "p99": 1.0, "max": 1.0},
    }
    assert details["all"]["invoke"] == 5
    assert details["by_f"]["propose"]["latency_ms"]["max"] == 4.0


def test_what_never_ended_is_counted_as_open() -> None:
    assert stats(history("0 get")).details["all"]["open"] == 1


@given(st.lists(st.integers(0, 9), min_size=1), st.floats(0, 1))
def test_a_quantile_is_the_least_value_that_covers_its_share(values: list[int], q: float) -> None:
    found = quantile(sorted(values), q)

    assert sum(value <= found for value in values) >= q * len(values)
    assert sum(value < found for value in values) < max(q * len(values), 1)


def test_an_operation_that_never_succeeded_leaves_no_evidence() -> None:
    verdict = evidence(history("0 propose x; 0 ok x; 1 get; 1 fail; 1 get; 1 info"))

    assert (verdict.valid, verdict.why) == ("unknown", "get never succeeded in 2 tries")


def test_an_operation_that_was_required_must_have_been_tried() -> None:
    verdict = evidence(history("0 propose x; 0 ok x"), required=["get"])

    assert (verdict.valid, verdict.why) == ("unknown", "get was never tried")


@pytest.mark.parametrize(
    ("effect", "valid"),
    [
        ({"messages": 0}, "unknown"),
        ({"messages": 3}, "valid"),
        ({"stopped": []}, "unknown"),
        ({"stopped": ["n1"]}, "valid"),
        ({"inert": True}, "unknown"),
        ({"inert": False}, "valid"),
        ({"nodes": ["n1"]}, "valid"),
    ],
)
def test_a_fault_that_changed_nothing_leaves_no_evidence(effect: dict[str, object], valid: str) -> None:
    ops = list(history("0 propose x; 0 ok x"))
    stop = Op(2, 2_000_000, "info", NEMESIS, "stop-partition", effect)

    assert evidence(History([*ops, stop])).valid == valid
    assert evidence(History(ops), effects=[{"kind": "partition", **effect}]).valid == valid


def test_one_fault_that_changed_something_is_evidence_enough() -> None:
    ops = history("0 propose x; 0 ok x")

    assert evidence(ops, effects=[{"inert": True}, {"inert": False}]).valid == "valid"


@given(JSON, JSON)
def test_values_are_equal_exactly_when_their_json_is(one: object, other: object) -> None:
    import msgspec

    def text(value: object) -> bytes:
        return msgspec.json.encode(value, order="deterministic")

    assert (canonical(one) == canonical(other)) == (text(one) == text(other))
    assert hash(canonical(one)) is not None


def test_the_example_of_the_documentation_is_true() -> None:
    names = {"History": History, "Op": Op}

    assert doctest.testmod(ostrakon.checkers.consensus.agreement, extraglobs=names).attempted > 0
    assert doctest.testmod(ostrakon.checkers.consensus.agreement, extraglobs=names).failed == 0
