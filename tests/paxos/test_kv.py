"""The store does what a dictionary does, and a session lets each command do it once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxos_impl.core.log import Command
from paxos_impl.kv.machine import BadOperation
from paxos_impl.kv.sessions import Executed, Forgotten, Outdated, Sessions
from paxos_impl.kv.store import Append, Cas, Delete, Get, Operation, Put, Store, parse, plain

keys = st.sampled_from(["x", "y", ""])
values = st.sampled_from([1, "1", 1.0, True, [1], {"a": 1}, 0, "", False])
operations = st.one_of(
    st.builds(Put, keys, values),
    st.builds(Get, keys),
    st.builds(Delete, keys),
    st.builds(Cas, keys, st.none() | values, values),
    st.builds(Append, keys, values),
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
            held = model.get(key)
            is_same = type(held) is type(old) and held == old
            if is_same:
                model[key] = new
            return is_same
        case Append(key, element):
            held = model.get(key, [])
            model[key] = (held if isinstance(held, list) else [held]) + [element]
            return len(model[key])


@given(st.lists(operations, max_size=30))
def test_a_store_does_what_a_dictionary_does(ops: list[Operation]) -> None:
    store, model = Store(), dict[str, Any]()

    assert [store.execute(plain(op)) for op in ops] == [carry_out(model, op) for op in ops]


@given(operations)
def test_an_operation_is_what_is_read_of_it(operation: Operation) -> None:
    assert parse(plain(operation)) == operation


@pytest.mark.parametrize(
    "op", [None, 7, "put", [], ["put"], ["put", 1, 2], ["drop", "x"], ["get"], {"get": "x"}]
)
def test_what_is_no_operation_is_refused_in_words(op: object) -> None:
    with pytest.raises(BadOperation, match="no operation"):
        Store().check(op)


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


def test_only_a_get_just_looks() -> None:
    store = Store()

    assert store.is_query(["get", "x"])
    assert not store.is_query(["append", "x", 1])


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
