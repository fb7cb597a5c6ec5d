"""The store does what a dictionary does, and a session lets each command do it once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.kv.machine import BadOperation, BadState
from ostrakon.paxos_impl.kv.operation import (
    Acquire,
    Add,
    Append,
    Cas,
    Delete,
    Get,
    Guarded,
    Operation,
    Put,
    Release,
    Transaction,
    parse,
    plain,
)
from ostrakon.paxos_impl.kv.store import Store

keys = st.sampled_from(["x", "y", ""])
values = st.sampled_from([1, "1", 1.0, True, [1], {"a": 1}, 0, "", False])
simple = st.one_of(
    st.builds(Put, keys, values),
    st.builds(Get, keys),
    st.builds(Delete, keys),
    st.builds(Cas, keys, st.none() | values, values),
    st.builds(Append, keys, values),
    st.builds(Add, keys, st.integers(-3, 3)),
)
given_ = st.lists(st.tuples(keys, st.none() | values), max_size=2).map(tuple)
operations = simple | st.builds(Transaction, given_, st.lists(simple, max_size=4).map(tuple))
guards = st.one_of(
    st.builds(Acquire, keys, keys, st.integers(0, 9), st.integers(0, 99)),
    st.builds(Release, keys, st.integers(1, 3)),
    st.builds(Guarded, keys, st.integers(1, 3), simple),
)


def carry_out(model: dict[str, Any], operation: Operation) -> Any:
    """What each operation does, told with a dictionary."""
    match operation:
        case Put(key, value):
            model[key] = value
            return None
        case Get(key):
            return model.get(key)
        case Delete(key):
            return model.pop(key, None) is not None
        case Cas(key, old, new):
            if is_same(model.get(key), old):
                model[key] = new
                return True
            return False
        case Append(key, element):
            held = model.get(key, [])
            model[key] = (held if isinstance(held, list) else [held]) + [element]
            return len(model[key])
        case Add(key, amount):
            held = model.get(key, 0)
            if type(held) is int:
                model[key] = held + amount
                return model[key]
            return None
        case Transaction(given, ops):
            if all(is_same(model.get(key), value) for key, value in given):
                return [carry_out(model, op) for op in ops]
            return None
    raise AssertionError(operation)


def is_same(held: Any, expected: Any) -> bool:
    """As equality goes [1], [1.0] and [True] are the same, which are written differently."""
    return repr(held) == repr(expected)


@given(st.lists(operations, max_size=30))
def test_a_store_does_what_a_dictionary_does(ops: list[Operation]) -> None:
    store, model = Store(), dict[str, Any]()

    assert [store.execute(plain(op)) for op in ops] == [carry_out(model, op) for op in ops]


@given(operations | guards)
def test_an_operation_is_what_is_read_of_it(operation: Operation) -> None:
    assert parse(plain(operation)) == operation


@pytest.mark.parametrize(
    "op",
    [
        *(None, 7, "put", [], ["put"], ["put", 1, 2], ["drop", "x"], ["get"], {"get": "x"}),
        *(["add", "x", 0.5], ["txn", [], [["txn", [], []]]], ["guarded", "l", 1, ["acquire", "l", "me", 9]]),
    ],
)
def test_what_is_no_operation_is_refused_in_words(op: object) -> None:
    with pytest.raises(BadOperation, match="no operation"):
        Store().parse(op)


def test_values_that_are_equal_in_python_only_are_not_swapped() -> None:
    store = Store()
    store.execute(["put", "x", 1])

    assert store.execute(["cas", "x", True, 2]) is False
    assert store.execute(["cas", "x", 1.0, 2]) is False
    assert store.execute(["get", "x"]) == 1


def test_a_swap_that_expects_none_creates() -> None:
    store = Store()

    assert store.execute(["cas", "x", None, 0]) is True
    assert store.execute(["cas", "x", None, 1]) is False
    assert store.execute(["get", "x"]) == 0


@pytest.mark.parametrize(
    ("op", "is_query"),
    [
        (["get", "x"], True),
        (["append", "x", 1], False),
        (["txn", [["x", 1]], [["get", "x"], ["get", "y"]]], True),
        (["txn", [], [["get", "x"], ["put", "y", 1]]], False),
        (["acquire", "lock", "me", 100], False),
        (["guarded", "lock", 1, ["get", "x"]], False),
    ],
)
def test_only_what_is_made_of_gets_just_looks(op: list[Any], is_query: bool) -> None:
    assert Store().is_query(Store().parse(op)) is is_query


def test_a_transaction_of_which_one_condition_does_not_hold_does_nothing() -> None:
    store = Store()
    store.execute(["put", "x", 1])
    transfer = ["txn", [["x", 1], ["y", None]], [["add", "x", -1], ["add", "y", 1]]]

    assert store.execute(transfer) == [0, 1]
    assert store.execute(transfer) is None
    assert store.state()["values"] == {"x": 0, "y": 1}


@given(st.lists(operations | guards, max_size=20), st.lists(operations | guards, max_size=20))
def test_a_store_that_takes_on_the_state_of_another_goes_on_like_it(
    before: list[Operation], after: list[Operation]
) -> None:
    one, other = Store(), Store()
    for op in before:
        one.execute(plain(op))

    other.restore(msgspec.json.decode(msgspec.json.encode(one.state())))

    assert [one.execute(plain(op)) for op in after] == [other.execute(plain(op)) for op in after]
    assert one.state() == other.state()


@pytest.mark.parametrize("state", [None, {}, {"values": [], "locks": {}, "reached_ms": 0}])
def test_what_is_no_state_is_refused_in_words(state: object) -> None:
    with pytest.raises(BadState, match="not the state"):
        Store().restore(state)


# Sessions.


def test_a_sum_that_would_not_fit_in_64_bits_is_not_made() -> None:
    """No answer could carry it, nor could a snapshot."""
    store = Store()
    store.execute(["put", "x", 2**63 - 2])

    answers = [store.execute(["add", "x", 1]), store.execute(["add", "x", 1])]

    assert answers == [2**63 - 1, None]
    assert store.execute(["get", "x"]) == 2**63 - 1
