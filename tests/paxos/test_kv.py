"""The store does what a dictionary does, and a session lets each command do it once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.multi import Command
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
from ostrakon.paxos_impl.kv.sessions import Executed, Forgotten, Outdated, Sessions
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


def add(client: str, number: int) -> Command:
    return Command(client, number, ["append", "x", f"{client}{number}"])


def test_a_command_that_comes_again_gets_its_first_result_and_does_nothing() -> None:
    store = Store()
    sessions = Sessions(store)

    first = sessions.execute(add("a", 1))
    sessions.execute(add("b", 1))
    again = sessions.execute(add("a", 1))

    assert (first, again) == (Executed(1), Executed(1, again=True))
    assert store.execute(["get", "x"]) == ["a1", "b1"]


def test_a_sum_that_would_not_fit_in_64_bits_is_not_made() -> None:
    """No answer could carry it, nor could a snapshot."""
    store = Store()
    store.execute(["put", "x", 2**63 - 2])

    answers = [store.execute(["add", "x", 1]), store.execute(["add", "x", 1])]

    assert answers == [2**63 - 1, None]
    assert store.execute(["get", "x"]) == 2**63 - 1


commands = st.lists(
    st.builds(
        Command,
        st.sampled_from(("a", "b", "c")),
        st.integers(1, 4),
        st.one_of(
            st.builds(lambda key, value: ["put", key, value], st.sampled_from("xy"), st.text(max_size=2)),
            st.builds(lambda key: ["append", key, 1], st.sampled_from("xy")),
        ),
    ),
    max_size=12,
)


@given(commands, commands)
def test_who_goes_on_from_a_snapshot_is_as_who_has_executed_it_all(
    before: list[Command], after: list[Command]
) -> None:
    whole, other = Sessions(Store(), limit=2), Sessions(Store(), limit=2)
    for command in before:
        whole.execute(command)
    other.restore(whole.snapshot())

    outcomes = [(whole.execute(command), other.execute(command)) for command in after]

    assert all(one == two for one, two in outcomes)
    assert whole.snapshot() == other.snapshot()


@pytest.mark.parametrize("snapshot", [b"", b"\xc1", b"\x92\x90\x90", b"\x91\x90"])
def test_what_is_no_snapshot_is_refused(snapshot: bytes) -> None:
    with pytest.raises(BadState):
        Sessions(Store()).restore(snapshot)


def test_replicas_that_executed_the_same_have_the_same_digest_and_others_have_not() -> None:
    one, two, three = (Sessions(Store()) for _ in range(3))
    for sessions in (one, two):
        sessions.execute(add("a", 1))
        sessions.execute(add("b", 1))
    three.execute(add("b", 1))
    three.execute(add("a", 1))

    assert one.digest() == two.digest() != three.digest()


def test_a_command_whose_session_has_gone_on_is_not_executed_any_more() -> None:
    store = Store()
    sessions = Sessions(store)
    sessions.execute(add("a", 1))
    sessions.execute(add("a", 3))

    assert sessions.execute(add("a", 2)) == Outdated()
    assert store.execute(["get", "x"]) == ["a1", "a3"]


def test_a_session_unused_for_longest_is_forgotten_and_says_so() -> None:
    sessions = Sessions(Store(), limit=2)
    for client in ("a", "b"):
        sessions.execute(add(client, 1))
    sessions.execute(add("a", 2))
    sessions.execute(add("c", 1))

    assert sessions.execute(add("b", 2)) == Forgotten()
    assert sessions.execute(add("a", 3)) == Executed(5)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 4)), max_size=30))
def test_however_often_commands_come_each_is_executed_at_most_once(sent: list[tuple[str, int]]) -> None:
    store = Store()
    sessions = Sessions(store)

    for client, number in sent:
        sessions.execute(add(client, number))

    executed = store.execute(["get", "x"]) or []
    assert len(executed) == len(set(executed))
    for client in "ab":
        own = [element for element in executed if element.startswith(client)]
        assert own == sorted(own), "a session went back"
