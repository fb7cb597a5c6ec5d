"""Each model: a history it must pass, one it must fail, and the empty one."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from ostrakon.checkers import linearizable
from ostrakon.checkers.linearizability import Model, UnsuitableHistory
from ostrakon.checkers.models import NAMES, cas_register, counter, multi_register, named, register
from ostrakon.harness.history import History
from tests.checkers.linearizability.timeline import timeline

LINEARIZABLE = {
    "register": timeline(
        "[write 1]             [read -> 2]",
        "      [write 2]   [read -> 2]",
        "   [read -> 2]  [write 3",
    ),
    "cas-register": timeline(
        "[write 1]  [cas [1, 2]]   [read -> 3]",
        "     [cas [2, 3]]",
        "[read nil]  [read -> 1]",
    ),
    "multi-register": timeline(
        '[txn [["write", "x", 1], ["write", "y", 1]]]',
        '   [txn [["read", "x", 0]] -> [["read", "x", 1]]]   [txn [["read", "y", 0]] -> [["read", "y", 1]]]',
    ),
    "mutex": timeline(
        "[acquire]      [release]",
        "      [acquire            ]",
    ),
    "fenced-lock": timeline(
        "[acquire -> 3]   [release]",
        "                      [acquire -> 5]",
    ),
    "kv": timeline(
        '[put ["x", "a"]]    [get ["x", null] -> ["x", "ab"]]',
        '     [append ["x", "b"]]   [get ["y", null] -> ["y", ""]]',
    ),
    "list-append": timeline(
        '[append ["x", 1]]    [read ["x", null] -> ["x", [1, 2]]]',
        '     [append ["x", 2]',
    ),
    "set": timeline(
        "[add 1]   [read -> [1, 2]]",
        "   [add 2]    [remove 1]  [contains 1 -> false]  [contains 2 -> [2, true]]",
    ),
    "fifo-queue": timeline(
        "[enqueue 1]  [enqueue 2]     [dequeue -> 2]",
        "                [dequeue -> 1]            [dequeue -> nil]",
    ),
    "unordered-queue": timeline(
        "[enqueue 1]  [enqueue 2]     [dequeue -> 2]",
        "                                    [dequeue -> 1]",
    ),
    "stack": timeline(
        "[push 1]  [push 2]     [pop -> 2]",
        "                               [pop -> 1]",
    ),
    "counter": timeline(
        "[add 2]  [read -> 5]",
        "   [add 3   ]    [read -> 5]",
    ),
}  # fmt: skip

NOT_LINEARIZABLE = {
    "register": timeline("[write 1]  [write 2]", "                    [read -> 1]"),
    "cas-register": timeline("[write 1]  [cas [1, 2]]", "           [cas [1, 3]]"),
    "multi-register": timeline(
        '[txn [["write", "x", 1], ["write", "y", 1]]]',
        '          [txn [["read", "x", 0], ["read", "y", 0]] -> [["read", "x", 1], ["read", "y", 0]]]'
        '   [txn [["write", "z", 1]]]   [txn [["read", "y", 0]] -> [["read", "y", 2]]]',
    ),
    "mutex": timeline("[acquire]", "   [acquire]"),
    "fenced-lock": timeline("[acquire -> 3]  [release]", "                          [acquire -> 3]"),
    "kv": timeline(
        '[append ["x", "a"]]  [append ["x", "b"]]', '                    [get ["x", null] -> ["x", "ba"]]'
    ),
    "list-append": timeline(
        '[append ["x", 1]]  [read ["x", null] -> ["x", [2]]]', '      [append ["x", 2]]'
    ),
    "set": timeline("[add 1]  [contains 1 -> false]"),
    "fifo-queue": timeline("[enqueue 1]  [enqueue 2]  [dequeue -> 2]"),
    "unordered-queue": timeline("[enqueue 1]  [dequeue -> 1]", "             [dequeue -> 1]"),
    "stack": timeline("[push 1]  [push 2]  [pop -> 1]"),
    "counter": timeline("[add 2]  [read -> 0]"),
}  # fmt: skip


def test_every_model_is_shown_both_kinds_of_history() -> None:
    assert set(LINEARIZABLE) == set(NOT_LINEARIZABLE) == set(NAMES)


@pytest.mark.parametrize("model", NAMES)
def test_a_linearizable_history_passes(model: str) -> None:
    verdict = linearizable(LINEARIZABLE[model], model)

    assert verdict.valid == "valid", verdict.why


@pytest.mark.parametrize("model", NAMES)
def test_a_history_that_is_not_linearizable_is_convicted(model: str) -> None:
    verdict = linearizable(NOT_LINEARIZABLE[model], model)

    assert verdict.valid == "invalid"
    assert [anomaly.name for anomaly in verdict.anomalies] == ["not linearizable"]
    assert verdict.anomalies[0].witness


@pytest.mark.parametrize("model", NAMES)
def test_an_empty_history_proves_nothing(model: str) -> None:
    assert linearizable(History(), model).valid == "unknown"


@pytest.mark.parametrize("model", ["register", "cas-register", "mutex"])
def test_with_keys_there_is_an_object_for_each_of_them(model: str) -> None:
    good = _with_key(LINEARIZABLE[model], "x")
    bad = _with_key(NOT_LINEARIZABLE[model], "y")

    assert linearizable(good, f"keyed-{model}").valid == "valid"
    verdict = linearizable(_one_after_the_other(good, bad), f"keyed-{model}")
    assert verdict.valid == "invalid"
    assert verdict.anomalies[0].details["object"] == "y"


def test_what_did_not_happen_can_be_anything_and_what_compared_unequal_cannot() -> None:
    history = timeline("[write 1]  [cas [1, 2] -> refused]")

    assert linearizable(history, "cas-register").valid == "valid"
    assert linearizable(history, "cas-register", fail_means="compared unequal").valid == "invalid"


def test_a_failed_read_never_counts() -> None:
    history = timeline("[write 1]  [read -> refused]")

    assert linearizable(history, "cas-register", fail_means="compared unequal").valid == "valid"


def test_a_fenced_lock_is_released_by_its_holder_alone() -> None:
    by_another = timeline("[acquire -> 3]", "                [release]")
    unheard_of = timeline("[acquire -> 3]  [release", "                    [acquire -> 4]")

    assert linearizable(by_another, "fenced-lock").valid == "invalid"
    assert linearizable(unheard_of, "fenced-lock").valid == "valid"


def test_initial_values_are_what_they_are_said_to_be() -> None:
    history = timeline("[read -> 0]  [cas [0, 1]]  [read -> 1]")

    assert linearizable(history, cas_register(initial=0)).valid == "valid"
    assert linearizable(history, cas_register(initial=1)).valid == "invalid"
    assert linearizable(timeline("[read -> 7]"), register(initial=7)).valid == "valid"
    assert linearizable(timeline("[add 1]  [read -> 8]"), counter(initial=7)).valid == "valid"


def test_a_multi_register_of_unknown_content_is_told_by_the_first_read() -> None:
    read = '[txn [["read", "x", null]] -> [["read", "x", {}]]]'
    history = timeline(read.format(3) + "  " + read.format(4))

    assert linearizable(timeline(read.format(3)), "multi-register").valid == "valid"
    assert linearizable(history, "multi-register").valid == "invalid"
    assert linearizable(timeline(read.format(3)), multi_register({"x": 4})).valid == "invalid"


def test_an_unknown_taker_explains_an_empty_unordered_queue_once() -> None:
    taken = timeline("[enqueue 1]   [dequeue -> nil]", "       [dequeue")
    twice = timeline("[enqueue 1] [enqueue 2]   [dequeue -> nil]", "       [dequeue")
    too_early = timeline("    [enqueue 1]  [dequeue -> nil] [enqueue 2]", "[dequeue", "     [dequeue -> nil]")

    assert linearizable(taken, "unordered-queue").valid == "valid"
    assert linearizable(twice, "unordered-queue").valid == "invalid"
    assert linearizable(too_early, "unordered-queue").valid == "valid"


def test_a_users_model_is_a_step_function() -> None:
    def flip(state: bool, op: object) -> bool:
        return not state

    history = timeline("[flip]  [flip]")

    assert linearizable(history, Model("coin", False, flip)).valid == "valid"


@pytest.mark.parametrize("answer", [None, ""])
def test_an_empty_string_in_a_compare_and_swap_is_what_a_key_holds_at_first(answer: str | None) -> None:
    swapped = timeline('[cas ["x", ["", "b"]]]  [get ["x", null] -> ["x", "b"]]')
    emptied = timeline(f'[cas ["x", ["", "b"]]]  [get ["x", null] -> ["x", {json.dumps(answer)}]]')

    assert linearizable(swapped, "kv").valid == "valid"
    assert linearizable(emptied, "kv").anomalies[0].name == "not linearizable"


def test_an_operation_that_the_model_does_not_know_is_named() -> None:
    with pytest.raises(
        UnsuitableHistory, match=r"op 0: f is 'enqueue'; the model 'register' knows read, write"
    ):
        linearizable(timeline("[enqueue 1]"), "register")


def test_a_value_without_a_key_is_named() -> None:
    with pytest.raises(UnsuitableHistory, match=r"op 0: the value is 7, expected \[key, value\]"):
        linearizable(timeline("[put 7]"), "kv")


@pytest.mark.parametrize(
    ("drawn", "model", "why"),
    [
        ("[cas 7]", "cas-register", r"op 0: the value of a cas is 7, expected \[old, new\]"),
        (
            "[txn 7]",
            "multi-register",
            r"op 0: the value of a txn is 7, expected \[\[read or write, key, value\]",
        ),
        ("[txn [7]]", "multi-register", "op 0: the value of a txn is"),
        ('[txn [["add", 1, 2]]]', "multi-register", "expected \\[read, key, value\\]"),
        ('[acquire -> "x"]', "fenced-lock", "op 0: acquire was answered 'x', expected a token"),
        ('[add "x"]', "counter", "op 0: 'x' is added to a counter, expected a number"),
        ("[read -> 7]", "set", "op 0: a set was read as 7, expected a list"),
        ('[put [1, 2]]  [append [1, "x"]]', "kv", "op 2: 'x' is appended to 2, expected strings"),
    ],
)
def test_a_value_that_the_model_has_no_meaning_for_is_named(drawn: str, model: str, why: str) -> None:
    with pytest.raises(UnsuitableHistory, match=why):
        linearizable(timeline(drawn), model)


def test_an_unknown_model_is_told_what_there_is() -> None:
    with pytest.raises(KeyError, match="did you mean cas-register"):
        named("cas-registre")


def _with_key(history: History, key: str) -> History:
    return History(replace(op, value=[key, op.value]) for op in history)


def _one_after_the_other(*histories: History) -> History:
    ops = [
        replace(op, process=10 * number + int(op.process))
        for number, history in enumerate(histories)
        for op in history
    ]
    return History(replace(op, index=index) for index, op in enumerate(ops))
