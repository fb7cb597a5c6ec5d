"""What a verdict says besides valid or not: the story, the models, and what is wrong with the input."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostrakon.checkers.transactions import MODELS, UnknownModel, consistency, list_append, rw_register
from ostrakon.checkers.transactions.findings import SHOWN
from ostrakon.checkers.transactions.notation import history
from ostrakon.harness.history import History, Op

WRITE_SKEW = "x:[] y+1 | y:[] x+1"


def test_a_cycle_is_told_with_the_reason_for_every_edge() -> None:
    anomaly = list_append(history(WRITE_SKEW)).anomalies[0]

    assert anomaly.details["story"].splitlines() == [
        "G2-item: 2 transactions, none of which can be the first",
        "  T1 (op 2, process 100): r x [], append y 1",
        "  T2 (op 3, process 101): r y [], append x 1",
        "because",
        "  T1 < T2 (rw): T1 read 'x' as [], without the 1 that T2 appended",
        "  T2 < T1 (rw): T2 read 'y' as [], without the 1 that T1 appended",
    ]
    assert [(edge["from"], edge["to"], edge["kind"]) for edge in anomaly.details["cycle"]] == [
        ("T1", "T2", "rw"),
        ("T2", "T1", "rw"),
    ]
    assert anomaly.why.endswith("T1 would have to come before itself")


def test_the_witness_is_every_op_of_the_cycle_in_order_of_time() -> None:
    anomaly = list_append(history("x+9 ; x:[9] ; " + WRITE_SKEW.replace("x", "z"))).anomalies[0]

    assert [op.index for op in anomaly.witness if isinstance(op, Op)] == [4, 5, 6, 7]


def test_a_cycle_against_real_time_names_the_moments() -> None:
    story = list_append(history("x+1 ; x:[]")).anomalies[0].details["story"]

    assert "T1 < T2 (realtime): T1 was complete (op 1) before T2 was invoked (op 2)" in story


def test_a_cycle_against_the_order_of_a_process_names_it() -> None:
    story = list_append(history("7/x+1 | 7/x:[]")).anomalies[0].details["story"]

    assert "process 7 ran T1 before T2" in story


@pytest.mark.parametrize(
    ("line", "clause"),
    [
        ("x+1 y+1 | x+2 y+2 | x:[1,2] y:[2,1]", "T2 appended 2 to 'x' after T1 had appended 1"),
        ("x+1 y:[2] | x:[1] y+2", "T2 read 'x' as [1], whose last value T1 had appended"),
        ("x+1 y+1 | x:[] y:[1] | x:[1]", "T2 read 'x' as [], before T1 appended 1"),
    ],
)
def test_each_kind_of_dependency_between_lists_has_a_reason(line: str, clause: str) -> None:
    assert clause in list_append(history(line)).anomalies[0].details["story"]


@pytest.mark.parametrize(
    ("line", "clause"),
    [
        ("x=1 y:2 | x:1 y=2", "T2 read 'x' as 1, which T1 had written"),
        ("x=1 ; x:", "T2 read 'x' before anyone had written it, and T1 wrote 1"),
        ("x=1 ; x:1 x=2 ; x:1", "T2 read 'x' as 1 and T1 wrote it as 2, and that was written over 1"),
        ("x=1 ; x=2 ; x:1", "op 1 was done with 1 before op 2 began, which saw 2"),
        ("0/x:1 | 0/x:2 | 0/x:1 | x=1 | x=2", "process 0 saw 1 before 2"),
    ],
)
def test_each_kind_of_dependency_between_registers_has_a_reason(line: str, clause: str) -> None:
    assert clause in rw_register(history(line)).anomalies[0].details["story"]


def test_an_anomaly_that_the_model_allows_is_tolerated_and_told_of() -> None:
    verdict = list_append(history(WRITE_SKEW), "snapshot-isolation")

    assert verdict.valid == "valid"
    assert verdict.details["tolerated"] == ["G2-item"]
    assert verdict.details["violated"] == ["repeatable-read"]
    assert verdict.details["satisfied"] == ["strong-snapshot-isolation"]


def test_a_verdict_is_plain_data() -> None:
    assert json.loads(json.dumps(list_append(history(WRITE_SKEW)).to_json()))["valid"] is False


def test_of_many_anomalies_of_one_name_a_few_are_told_and_all_are_counted() -> None:
    verdict = list_append(history(" | ".join(f"k{n}:[7]" for n in range(50))))

    assert len(verdict.anomalies) == SHOWN
    assert verdict.details["found"] == {"garbage-read": 50}


def test_a_search_for_cycles_that_must_give_up_leaves_the_verdict_as_it_is() -> None:
    line = "x:[] y+1 | y:[] z+1 | z:[] x+1"

    assert list_append(history(line)).valid == "invalid"
    assert list_append(history(line), "snapshot-isolation").valid == "valid"
    short = list_append(history(line), "snapshot-isolation", steps=3)
    assert short.valid == "valid", "levels are decided without the search for cycles"
    assert list_append(history(line), "serializable", steps=3).valid == "invalid", "any cycle is proof enough"


def test_a_list_with_one_value_appended_twice_cannot_be_traced() -> None:
    verdict = list_append(history("x+1 | x+1 | x:[1]"))

    assert verdict.valid == "unknown"
    assert "ops 3 and 4 both append 1 to 'x'" in verdict.why


def test_a_register_written_twice_with_one_value_cannot_be_traced() -> None:
    verdict = rw_register(history("x=1 | x=1 | x:1 ; x=2 ; x:1"))

    assert verdict.valid == "unknown"
    assert "both write 1 to 'x'" in verdict.why


@pytest.mark.parametrize(
    "value",
    [7, None, "text", [7], [["append", "x"]], [["add", "x", 1]], [["r", "x", 7]]],
)
def test_what_is_no_transaction_of_appends_is_named(value: Any) -> None:
    good = [["append", "x", 1]]
    ops = [_op(0, "invoke", good), _op(1, "ok", good), _op(2, "invoke", value), _op(3, "ok", value)]

    verdict = list_append(History(ops))

    assert verdict.valid == "unknown"
    assert verdict.why.startswith("op 3: expected")


@pytest.mark.parametrize("value", [7, [["w", "x", None]], [["append", "x", 1]]])
def test_what_is_no_transaction_of_writes_is_named(value: Any) -> None:
    verdict = rw_register(History([_op(0, "invoke", value), _op(1, "ok", value)]))

    assert verdict.valid == "unknown"
    assert verdict.why.startswith("op 1: expected")


def test_compound_keys_and_values_are_keys_and_values() -> None:
    ops = [
        _op(0, "ok", [["append", ["x", 1], {"a": [1]}]]),
        _op(1, "ok", [["append", ["x", 2], [2]]]),
        _op(2, "ok", [["r", ["x", 1], [{"a": [1]}]], ["r", ["x", 2], [[2]]]]),
    ]

    assert list_append(History(ops)).valid == "valid"
    assert list_append(History([*ops[:2], _op(2, "ok", [["r", ["x", 1], [{"a": [2]}]]])])).valid == "invalid"


def test_a_completion_without_an_invocation_counts_as_both() -> None:
    ops = [_op(0, "ok", [["append", "x", 1]]), _op(1, "ok", [["r", "x", [1]]])]

    assert list_append(History(ops)).valid == "valid"


def test_a_transaction_that_was_only_invoked_may_have_happened() -> None:
    ops = [_op(0, "invoke", [["append", "x", 1]]), Op(1, 0, "ok", 9, "txn", [["r", "x", [1]]])]

    assert list_append(History(ops)).valid == "valid"


def test_what_the_nemesis_does_is_no_transaction() -> None:
    ops = [Op(0, 0, "info", "nemesis", "partition", "n1"), _op(1, "ok", [["r", "x", []]])]

    assert list_append(History(ops)).valid == "valid"


def test_a_value_that_nobody_wrote_is_garbage_unless_others_write_too() -> None:
    for line in ("x=2 ; x:3", "x=2 ; x:3 | x:4", "y: ; x:3"):
        partial = history(line)
        assert rw_register(partial).anomalies[0].name == "garbage-read"
        assert rw_register(partial, outside_writers=True).valid == "valid"
    supposing = rw_register(history("x=2 ; x:3"), outside_writers=True)
    assert "supposing that someone outside the history wrote 3 to 'x'" in supposing.why
    assert ["outside", "x", 3] in supposing.details["certificates"]["strict-serializable"]["order"]


def test_what_no_writer_whatever_could_have_caused_is_invalid_though_others_write_too() -> None:
    back_and_forth = rw_register(history("0/x=1 | 0/x:2 | 0/x:1"), outside_writers=True)

    assert back_and_forth.valid == "invalid"
    assert back_and_forth.details["violated"] == ["causal"]


def test_of_many_suppositions_a_few_are_told() -> None:
    reads = " ".join(f"k{number}:7" for number in range(100))

    why = rw_register(history(f"{reads} y:"), outside_writers=True).why

    assert why.endswith("and 92 more")


def test_a_value_that_was_written_twice_does_no_harm_where_an_order_explains_all_reads() -> None:
    assert rw_register(history("x=1 | x=1 ; x:1")).valid == "valid"
    assert list_append(history("x+1 | x+1 ; x:[1,1]")).valid == "valid"


def test_a_model_that_is_misspelt_is_guessed() -> None:
    with pytest.raises(UnknownModel, match="did you mean serializable"):
        list_append(history("x:[]"), "serialisable")


def test_an_unknown_model_is_told_of_those_there_are() -> None:
    with pytest.raises(UnknownModel, match=r"'eventual' is no consistency model.*serializable"):
        list_append(history(WRITE_SKEW), "eventual")


@pytest.mark.parametrize("model", MODELS)
def test_a_stronger_model_forbids_all_that_a_weaker_one_does(model: str) -> None:
    for other in MODELS:
        if consistency.as_strong(model, other):
            assert consistency.forbidden(model) >= consistency.forbidden(other)


def test_no_two_models_forbid_the_same() -> None:
    assert len({consistency.forbidden(model) for model in MODELS}) == len(MODELS)


@pytest.mark.parametrize(
    ("anomaly", "violated"),
    [
        ("G0", ["read-uncommitted"]),
        ("G1a", ["read-committed"]),
        ("lost-update", ["cursor-stability"]),
        ("G-single", ["consistent-view"]),
        ("internal", ["read-atomic", "repeatable-read"]),
        ("G-single-item", ["consistent-view", "repeatable-read"]),
        ("G-nonadjacent", ["snapshot-isolation"]),
        ("G2-item", ["repeatable-read"]),
        ("G2", ["serializable"]),
        ("G-single-process", ["strong-session-snapshot-isolation"]),
        ("G2-realtime", ["strict-serializable"]),
    ],
)
def test_the_weakest_model_that_an_anomaly_violates_is_that_of_the_literature(
    anomaly: str, violated: list[str]
) -> None:
    assert list(consistency.weakest(consistency.violated([anomaly]))) == violated


def test_models_go_by_adyas_names_too() -> None:
    assert consistency.canonical_name("PL-3") == "serializable"
    assert consistency.forbidden("PL-SS") == consistency.forbidden("strict-serializable")


def test_a_line_that_is_no_history_is_refused_with_an_example() -> None:
    with pytest.raises(ValueError, match=r"'x\?1' is no micro-op: expected x\+1"):
        history("x?1")


def _op(index: int, type_: Any, value: Any) -> Op:
    return Op(index, index, type_, 0, "txn", value)
