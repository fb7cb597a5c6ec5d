"""Leases on keys: a key stays while its lease is kept alive, and is gone afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.multi import Command
from ostrakon.paxos_impl.kv import lease as limits
from ostrakon.paxos_impl.kv.machine import ANSWER_BYTES_MAX, BadState, NotExecuted
from ostrakon.paxos_impl.kv.operation import GrantLease, KeepLease, PutLeased, RevokeLease, Tick, plain
from ostrakon.paxos_impl.kv.sessions import OPENING, Executed, Passed, Sessions
from ostrakon.paxos_impl.kv.store import Store

LENGTH_MS = 10
keys, names = st.sampled_from(["x", "y", "z"]), st.sampled_from(["l", "m"])
times = st.integers(0, 99)
operations = st.one_of(
    st.builds(GrantLease, names, st.integers(0, 20), times),
    st.builds(KeepLease, names, times),
    st.builds(RevokeLease, names, times),
    st.builds(Tick, times),
    st.builds(PutLeased, keys, st.none() | st.integers(1, 9), names),
).map(plain) | st.sampled_from(
    [
        ["put", "x", "plain"],
        ["delete", "y"],
        ["append", "z", 1],
        ["cas", "x", "plain", "swapped"],
        ["txn", [["x", None]], [["put_leased", "x", 1, "l"], ["put_leased", "y", 2, "m"]]],
        ["acquire", "lock", "me", 5, 50],
    ]
)


def leased(*done: list[Any]) -> Store:
    """A store with the lease l, granted at time 100, and the key x under it."""
    store = Store()
    for op in (["grant", "l", LENGTH_MS, 100], ["put_leased", "x", 1, "l"], *done):
        store.execute(op)
    return store


def test_a_key_is_deleted_when_its_lease_is_over_and_not_before() -> None:
    store = leased(["tick", 110])

    assert (store.due_ms, store.execute(["get", "x"])) == (110, 1)
    store.execute(["tick", 111])
    assert (store.due_ms, store.execute(["get", "x"])) == (None, None)
    assert store.execute(["keep_alive", "l", 112]) is False
    assert store.execute(["put_leased", "x", 2, "l"]) is False


def test_a_lease_that_is_kept_alive_lasts_for_its_length_from_then_on() -> None:
    store = leased()

    assert store.execute(["keep_alive", "l", 109]) is True
    store.execute(["tick", 119])
    assert store.execute(["get", "x"]) == 1
    store.execute(["acquire", "lock", "me", 5, 120])
    assert store.execute(["get", "x"]) is None, "any operation with a time lets time pass"


def test_a_revoked_lease_takes_its_keys_with_it() -> None:
    store = leased(["put_leased", "y", 1, "l"], ["put", "z", 1])

    assert store.execute(["revoke", "l", 101]) is True
    assert store.execute(["revoke", "l", 101]) is False
    assert store.state()["values"] == {"z": 1}


@pytest.mark.parametrize(
    ("op", "stays"),
    [
        (["put", "x", 2], True),
        (["cas", "x", 1, 2], True),
        (["cas", "x", 7, 2], False),
        (["add", "x", 1], False),
        (["append", "x", 1], False),
        (["txn", [["x", 1]], [["put", "x", 2]]], True),
    ],
)
def test_a_key_that_is_set_anew_is_under_no_lease(op: list[Any], stays: bool) -> None:
    store = leased(op, ["tick", 200])

    assert (store.execute(["get", "x"]) is not None) is stays


def test_a_key_is_under_the_lease_that_it_was_put_under_last() -> None:
    store = leased(["grant", "m", 50, 100], ["put_leased", "x", 2, "m"], ["tick", 111])

    assert store.execute(["get", "x"]) == 2
    store.execute(["tick", 151])
    assert store.execute(["get", "x"]) is None


def test_a_transaction_with_a_lease_that_is_over_does_nothing() -> None:
    store = leased()

    assert store.execute(["txn", [], [["put", "a", 1], ["put_leased", "b", 1, "none"]]]) is None
    assert store.execute(["txn", [["b", None]], [["put_leased", "b", 1, "l"], ["get", "b"]]]) == [True, 1]
    assert store.execute(["get", "a"]) is None


def test_a_transaction_that_is_undone_leaves_keys_under_their_leases() -> None:
    store = leased(["put", "long", "v" * (ANSWER_BYTES_MAX // 2)])
    with pytest.raises(NotExecuted):
        store.execute(["txn", [], [["put", "x", 2], *([["get", "long"]] * 3)]])

    assert store.execute(["get", "x"]) == 1
    store.execute(["tick", 200])
    assert store.execute(["get", "x"]) is None


def test_there_are_at_most_so_many_leases_and_keys_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LEASES_MAX", 2)
    monkeypatch.setattr(limits, "LEASE_KEYS_MAX", 2)
    store = leased(["put_leased", "y", 1, "l"], ["grant", "m", 5, 100])

    with pytest.raises(NotExecuted, match="leases"):
        store.execute(["grant", "n", 5, 100])
    with pytest.raises(NotExecuted, match="under the lease"):
        store.execute(["put_leased", "z", 1, "l"])
    with pytest.raises(NotExecuted, match="under the lease"):
        store.execute(["txn", [], [["put", "a", 1], ["put_leased", "z", 1, "l"]]])
    assert store.execute(["put_leased", "y", 2, "l"]) is True
    assert store.state()["values"] == {"x": 1, "y": 2}


def test_many_keys_are_deleted_over_several_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_ENDED_AT_ONCE", 3)
    store = Store()
    for number in range(10):
        store.execute(["grant", f"l{number}", number, 0])
        store.execute(["put_leased", f"k{number}", 1, f"l{number}"])

    left = []
    while store.due_ms is not None:
        store.execute(["tick", 100])
        left.append(len(store.state()["values"]))

    assert left == [7, 4, 1, 0]
    assert store.execute(["keep_alive", "l9", 100]) is False


def test_watchers_are_told_of_keys_that_go_with_their_lease() -> None:
    store = leased()
    store.take_changes()
    store.execute(["put_leased", "y", 2, "l"])
    store.execute(["tick", 111])

    assert store.take_changes() == [("y", 2), ("x", None), ("y", None)]


@given(st.lists(operations, max_size=40))
def test_a_key_is_there_exactly_while_its_lease_is(ops: list[list[Any]]) -> None:
    """Told with a model that looks at every key after every operation."""
    store = Store()
    now, until, length, lease_of = 0, dict[str, int](), dict[str, int](), dict[str, str]()
    for op in ops:
        before = set(store.state()["values"])
        result = store.execute(op)
        if op[0] in ("grant", "keep_alive", "revoke", "tick", "acquire"):
            now = max(now, op[-1])
            until = {name: end for name, end in until.items() if now <= end}
        match op:
            case ["grant", name, lease_ms, _]:
                assert result is (name not in until)
                if result:
                    until[name], length[name] = now + lease_ms, lease_ms
            case ["keep_alive", name, _]:
                assert result is (name in until)
                if result:
                    until[name] = now + length[name]
            case ["revoke", name, _]:
                assert result is (until.pop(name, None) is not None)
            case ["put_leased", key, _, name]:
                assert result is (name in until)
                if result:
                    lease_of[key] = name
            case ["put" | "delete", key, *_]:
                lease_of.pop(key, None)
            case ["cas", key, *_] if result:
                lease_of.pop(key, None)
            case ["txn", *_] if result:
                lease_of |= {"x": "l", "y": "m"}
        values = store.state()["values"]
        gone = {key for key in before - set(values) if op[0] not in ("delete", "put_leased")}
        assert gone == {key for key in before & set(lease_of) if lease_of[key] not in until and key in before}
        lease_of = {key: name for key, name in lease_of.items() if name in until and key in values}
        assert store.state()["leased"] == lease_of
        assert store.due_ms == min(until.values(), default=None)


@given(st.lists(operations, max_size=30), st.lists(operations, max_size=20))
def test_a_store_goes_on_from_a_snapshot_with_its_leases(before: list[Any], after: list[Any]) -> None:
    one, other, third = Store(), Store(), Store()
    for op in before:
        one.execute(op)

    other.restore(one.state())
    third.restore_parts(list(one.parts()))

    answers = [[store.execute(op) for op in after] for store in (one, other, third)]
    assert answers[0] == answers[1] == answers[2]
    assert one.state() == other.state() == third.state()


@given(st.lists(operations, min_size=1, max_size=20))
def test_a_snapshot_shows_leases_as_they_were_when_it_was_begun(ops: list[Any]) -> None:
    one, other = leased(["put_leased", "y", 2, "l"]), Store()
    state, parts = one.state(), one.parts()
    for op in ops:
        one.execute(op)

    other.restore_parts(parts)

    assert other.state() == state


def test_a_key_of_a_lease_that_is_none_is_no_state() -> None:
    with pytest.raises(BadState, match="which is none"):
        Store().restore({"values": {}, "locks": {}, "reached_ms": 0, "leased": {"x": "l"}})


def test_a_snapshot_of_an_earlier_version_has_no_leases() -> None:
    store = Store()
    store.restore_parts([(7, {}), [("x", 1)]])

    assert (store.reached_ms, store.execute(["get", "x"]), store.due_ms) == (7, 1, None)


def test_a_tick_needs_no_session_and_may_come_again() -> None:
    store = leased()
    sessions = Sessions(store)
    sessions.execute(Command("a name", OPENING, None))

    assert sessions.execute(Command("/clock.1.0", 1, ["tick", 105])) == Passed()
    assert sessions.execute(Command("1", 1, ["get", "x"])) != Executed(None)
    assert sessions.execute(Command("/clock.1.0", 1, ["tick", 111])) == Passed()
    assert store.execute(["get", "x"]) is None
    assert store.stamped(["tick", 5], 300) == ["tick", 300], "a client can not set the time"
