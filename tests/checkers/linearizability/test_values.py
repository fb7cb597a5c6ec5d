"""`true`, 1 and 1.0 are three values to every model."""

from __future__ import annotations

from typing import Any

import pytest

from ostrakon.checkers.linearizability import ILLEGAL, Illegal, Model, Operation, linearizable
from ostrakon.checkers.models import multi_register, register
from ostrakon.harness.history import History, Op

ALIKE = [(1, True), (True, 1), (1, 1.0), (0, False), (0.0, -0.0), ([1], [True]), ({"a": 1}, {"a": 1.0})]
"""Pairs that Python holds to be equal."""


def sequence(*done: tuple[str, Any, Any]) -> History:
    """Operations of one process, each with what was asked for and what was answered."""
    ops: list[Op] = []
    for f, asked, answered in done:
        ops.append(Op(len(ops), len(ops), "invoke", 0, f, asked))
        ops.append(Op(len(ops), len(ops), "ok", 0, f, answered))
    return History(ops)


def _ways(one: Any, other: Any) -> dict[str, list[tuple[str, Any, Any]]]:
    """By model, operations one after the other; the last answers `one` where `other` would be right."""
    return {
        "register": [("write", one, one), ("write", other, other), ("read", None, one)],
        "cas-register": [("write", one, one), ("cas", [one, other], [one, other]), ("read", None, one)],
        "multi-register": [
            ("txn", [["w", "x", other]], [["w", "x", other]]),
            ("txn", [["r", "x", None]], [["r", "x", one]]),
        ],
        "kv": [
            ("put", ["x", one], ["x", one]),
            ("put", ["x", other], ["x", other]),
            ("get", ["x", None], ["x", one]),
        ],
        "list-append": [("append", ["x", other], ["x", other]), ("read", ["x", None], ["x", [one]])],
        "set": [("add", other, other), ("read", None, [one])],
        "fifo-queue": [("enqueue", other, other), ("dequeue", None, one)],
        "unordered-queue": [("enqueue", other, other), ("dequeue", None, one)],
        "stack": [("push", other, other), ("pop", None, one)],
        "keyed-register": [("write", [one, 7], [one, 7]), ("read", [other, None], [other, 7])],
    }


@pytest.mark.parametrize(("one", "other"), ALIKE)
@pytest.mark.parametrize("model", _ways(0, 0))
def test_a_model_tells_apart_what_python_holds_to_be_equal(model: str, one: Any, other: Any) -> None:
    assert linearizable(sequence(*_ways(one, other)[model]), model).valid == "invalid"


@pytest.mark.parametrize("value", [1, True, 1.0, False, [1], {"a": True}, float("nan")])
@pytest.mark.parametrize("model", [name for name in _ways(0, 0) if name != "cas-register"])
def test_a_model_knows_a_value_again(model: str, value: Any) -> None:
    assert linearizable(sequence(*_ways(value, value)[model]), model).valid == "valid"


def test_a_register_starts_with_the_very_value_it_is_given() -> None:
    read_true = [["r", 1, True]]
    reads_true = sequence(("read", None, True))

    assert linearizable(reads_true, register(True)).valid == "valid"
    assert linearizable(reads_true, register(1)).valid == "invalid"
    assert linearizable(sequence(("txn", read_true, read_true)), multi_register({1: 1})).valid == "invalid"


def test_a_contained_element_is_answered_with_true_and_not_with_1() -> None:
    asked = [("add", 1, 1), ("contains", 1, True)]

    assert linearizable(sequence(*asked), "set").valid == "valid"
    assert linearizable(sequence(asked[0], ("contains", 1, 1)), "set").valid == "invalid"
    assert linearizable(sequence(asked[0], ("contains", True, True)), "set").valid == "invalid"


def test_a_sum_is_compared_as_a_number() -> None:
    adds = [("add", 0.5, 0.5), ("add", 0.5, 0.5)]

    assert linearizable(sequence(*adds, ("read", None, 1)), "counter").valid == "valid"
    assert linearizable(sequence(*adds, ("read", None, True)), "counter").valid == "invalid"


def test_a_users_model_is_given_values_that_compare_as_json() -> None:
    def last_write(state: Any, op: Operation) -> Any | Illegal:
        if op.f == "write":
            return op.argument
        return state if op.result == state else ILLEGAL

    history = sequence(("write", 1, 1), ("write", True, True), ("read", None, 1))

    assert linearizable(history, Model("mine", None, last_write)).valid == "invalid"


def test_what_is_found_is_given_as_plain_data() -> None:
    import json

    history = sequence(("write", [True, 1.0], [True, 1.0]), ("read", None, {"a": False}))

    found = json.loads(json.dumps(linearizable(history, "register").to_json()))

    assert found["anomalies"][0]["details"]["core"][-1]["result"] == {"a": False}


def test_a_history_of_one_op_alone_has_frozen_columns() -> None:
    assert History([Op(0, 0, "invoke", 0, "write", True)]).columns.values == (None, True)
