"""Sessions: at most once, whatever comes, and however many other sessions there are."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.multi import Command
from ostrakon.paxos_impl.kv.machine import ANSWER_BYTES_MAX, BadState, NotExecuted
from ostrakon.paxos_impl.kv.operation import LEASE_MS_MAX
from ostrakon.paxos_impl.kv.sessions import (
    OPENING,
    Executed,
    Forgotten,
    Looked,
    Opened,
    Outdated,
    Refusal,
    Sessions,
)
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.server.request_handler import is_plain


def opened(count: int, machine: Any = None, **options: int) -> Sessions:
    """A table in which the sessions "1", "2", ... are open."""
    sessions = Sessions(Store() if machine is None else machine, **options)
    for _ in range(count):
        sessions.execute(Command("anyone", OPENING, None))
    return sessions


def add(session: str, number: int) -> Command:
    return Command(session, number, ["append", "x", f"{session}.{number}"])


def test_each_opening_gives_another_session_even_if_it_is_repeated() -> None:
    sessions = opened(0)

    ids = [sessions.execute(Command("anyone", OPENING, None)) for _ in range(3)]

    assert ids == [Opened("1"), Opened("2"), Opened("3")]


def test_a_command_that_comes_again_gets_its_first_result_and_does_nothing() -> None:
    store = Store()
    sessions = opened(2, store)

    first = sessions.execute(add("1", 1))
    sessions.execute(add("2", 1))
    again = sessions.execute(add("1", 1))

    assert (first, again) == (Executed(1), Executed(1, again=True))
    assert store.execute(["get", "x"]) == ["1.1", "2.1"]


def test_a_command_of_a_session_that_was_never_opened_is_not_executed() -> None:
    store = Store()

    assert opened(1, store).execute(add("2", 1)) == Forgotten()
    assert store.execute(["get", "x"]) is None


def test_a_forgotten_session_does_not_come_back_by_its_first_command() -> None:
    store = Store()
    sessions = opened(1, store, limit=2)
    sessions.execute(add("1", 1))
    for _ in range(2):
        sessions.execute(Command("anyone", OPENING, None))

    assert sessions.execute(add("1", 1)) == Forgotten()
    assert store.execute(["get", "x"]) == ["1.1"]


def test_a_session_unused_for_longest_is_forgotten_and_says_so() -> None:
    sessions = opened(2, limit=2)
    for session in ("1", "2", "1"):
        sessions.execute(add(session, 1))
    sessions.execute(Command("anyone", OPENING, None))

    assert sessions.execute(add("2", 2)) == Forgotten()
    assert sessions.execute(add("1", 2)) == Executed(3)


def test_results_that_are_too_long_together_make_sessions_be_forgotten() -> None:
    sessions = opened(3, bytes_max=2000)
    for session in ("1", "2", "3"):
        sessions.execute(Command(session, 1, ["put", "k", "v" * 600]))
        sessions.execute(Command(session, 2, ["txn", [], [["get", "k"], ["put", "j", 1]]]))

    assert sessions.execute(Command("1", 3, ["put", "k", 1])) == Executed(None)
    assert len(sessions.snapshot()) < 4000
    for session in ("4", "5", "6"):
        sessions.execute(Command("anyone", OPENING, None))
        sessions.execute(Command(session, 1, ["put", "k", "v" * 900]))
        sessions.execute(Command(session, 2, ["txn", [], [["get", "k"], ["put", "j", 1]]]))
    assert sessions.execute(Command("1", 4, ["put", "k", 1])) == Forgotten()


def test_reads_by_the_log_leave_no_results_behind() -> None:
    sessions = opened(1)
    sessions.execute(Command("1", 1, ["put", "k", "v" * 1000]))
    before = sessions.snapshot()

    assert sessions.execute(Command("1", 2, ["get", "k"])) == Looked("v" * 1000)
    assert sessions.snapshot() == before


def test_a_command_whose_session_has_gone_on_is_not_executed_any_more() -> None:
    store = Store()
    sessions = opened(1, store)
    sessions.execute(add("1", 1))
    sessions.execute(add("1", 3))

    assert sessions.execute(add("1", 2)) == Outdated()
    assert store.execute(["get", "x"]) == ["1.1", "1.3"]


commands = st.lists(
    st.one_of(
        st.builds(Command, st.just("anyone"), st.just(OPENING), st.none()),
        st.builds(add, st.sampled_from("12345"), st.integers(1, 4)),
    ),
    max_size=40,
)


@given(commands)
def test_however_often_commands_come_each_is_executed_at_most_once(sent: list[Command]) -> None:
    """With a table so small that sessions are forgotten all the time."""
    store = Store()
    sessions = Sessions(store, limit=2)

    outcomes = [sessions.execute(command) for command in sent]

    executed = store.execute(["get", "x"]) or []
    assert max(Counter(executed).values(), default=1) == 1
    done = set(executed)
    for command, outcome in zip(sent, outcomes, strict=True):
        if isinstance(outcome, Executed):
            assert f"{command.client}.{command.number}" in done
    for session in "12345":
        own = [element for element in executed if element.startswith(session)]
        assert own == sorted(own), "a session went back"


# Snapshots.

small = st.sampled_from(("a", "b", "c"))
numbers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from((0, 1, -(2**63), 2**63 - 1)))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.integers(0, 2**64 - 1), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=5,
)
leases = st.one_of(st.integers(0, 1000), st.just(LEASE_MS_MAX))
simple = st.one_of(
    st.builds(lambda k, v: ["put", k, v], small, values),
    st.builds(lambda k: ["get", k], small),
    st.builds(lambda k: ["delete", k], small),
    st.builds(lambda k, o, n: ["cas", k, o, n], small, values, values),
    st.builds(lambda k, v: ["append", k, v], small, values),
    st.builds(lambda k, n: ["add", k, n], small, numbers),
)
legal = st.one_of(
    st.builds(lambda k, ms, at: ["grant", k, ms, at], small, leases, st.integers(0, 2**63 - 1)),
    st.builds(lambda k, at: ["keep_alive", k, at], small, st.integers(0, 2**63 - 1)),
    st.builds(lambda k, at: ["revoke", k, at], small, st.integers(0, 2**63 - 1)),
    st.builds(lambda k, v, name: ["put_leased", k, v, name], small, values, small),
    simple,
    st.builds(
        lambda g, o: ["txn", g, o],
        st.lists(st.tuples(small, values).map(list), max_size=2),
        st.lists(simple, max_size=3),
    ),
    st.builds(
        lambda k, h, ms, at: ["acquire", k, h, ms, at], small, small, leases, st.integers(0, 2**63 - 1)
    ),
    st.builds(lambda k, n: ["release", k, n], small, st.integers(0, 2**63 - 1)),
    st.builds(lambda k, n, o: ["guarded", k, n, o], small, st.integers(0, 3), simple),
    st.builds(lambda a, b, n: ["range", a, b, n], small, st.none() | small, st.integers(1, 1000)),
).filter(is_plain)


@given(st.lists(legal, max_size=20), st.lists(legal, max_size=6))
def test_every_state_that_legal_operations_lead_to_has_a_snapshot(ops: list[Any], after: list[Any]) -> None:
    sessions, other = opened(1), opened(0)
    for number, op in enumerate(ops, start=1):
        sessions.execute(Command("1", number, op))

    other.restore(sessions.snapshot())

    assert other.snapshot() == sessions.snapshot()
    assert other.digest() == sessions.digest()
    for number, op in enumerate(after, start=len(ops) + 1):
        command = Command("1", number, op)
        one, two = sessions.execute(command), other.execute(command)
        assert one == two


@given(st.lists(legal, max_size=20), st.lists(legal, max_size=20), st.data())
def test_a_snapshot_taken_in_parts_shows_the_state_at_which_it_was_begun(
    before: list[Any], after: list[Any], data: st.DataObject
) -> None:
    sessions, twin = opened(1), opened(1)
    for number, op in enumerate(before, start=1):
        for each in (sessions, twin):
            each.execute(Command("1", number, op))

    parts, found = sessions.parts(), list[bytes]()
    for number, op in enumerate(after, start=len(before) + 1):
        if data.draw(st.booleans()):
            found += [part for part in [next(parts, b"")] if part]
        sessions.execute(Command("1", number, op))
    found += parts

    assert b"".join(found) == twin.snapshot()
    for number, op in enumerate(after, start=len(before) + 1):
        twin.execute(Command("1", number, op))
    assert sessions.snapshot() == twin.snapshot()


@pytest.mark.parametrize(
    "snapshot", [b"", b"\xc1", b"\0\0\0\1\x90", b"\0\0\0\5\x91\x90", b"\0\0\0\x0d\x93\xa9sessions-\x00\x00"]
)
def test_what_is_no_snapshot_is_refused(snapshot: bytes) -> None:
    with pytest.raises(BadState):
        opened(0).restore(snapshot)


def test_replicas_that_executed_the_same_have_the_same_digest_and_others_have_not() -> None:
    one, two, three = (opened(2) for _ in range(3))
    for sessions in (one, two):
        sessions.execute(add("1", 1))
        sessions.execute(add("2", 1))
    three.execute(add("2", 1))
    three.execute(add("1", 1))

    assert one.digest() == two.digest() != three.digest()


# What a machine may do.


class Faulty(Store):
    """A machine of somebody else's, with mistakes."""

    def carry_out(self, operation: Any) -> Any:
        result = super().carry_out(operation)
        match result:
            case "raise":
                raise ZeroDivisionError("a mistake")
            case "object":
                return object()
        return result


@pytest.mark.parametrize("mistake", ["raise", "object"])
def test_a_machine_that_fails_is_a_refusal_and_the_next_command_is_executed(mistake: str) -> None:
    sessions = opened(1, Faulty())
    sessions.execute(Command("1", 1, ["put", "k", mistake]))

    refused = sessions.execute(Command("1", 2, ["txn", [], [["get", "k"]]]))
    failed = sessions.execute(Command("1", 2, ["get", "k"]))

    assert isinstance(failed, Refusal)
    assert isinstance(refused, Looked | Refusal)
    assert sessions.execute(Command("1", 3, ["put", "k", 1])) == Executed(None)


def test_an_answer_longer_than_a_frame_is_refused_and_nothing_is_done() -> None:
    sessions = opened(1)
    for number in range(1, 6):
        sessions.execute(Command("1", number, ["put", f"k{number}", "v" * (ANSWER_BYTES_MAX // 4)]))
    reads = [["get", f"k{number}"] for number in range(1, 6)]

    looked = sessions.execute(Command("1", 6, ["txn", [], reads]))
    mixed = sessions.execute(Command("1", 7, ["txn", [], [["put", "k1", "new"], *reads[1:], ["get", "k2"]]]))
    repeated = sessions.execute(Command("1", 7, ["get", "k1"]))

    assert looked == Refusal(f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
    assert mixed == looked
    assert repeated == Looked("v" * (ANSWER_BYTES_MAX // 4)), "the write was undone"
    with pytest.raises(NotExecuted, match="longer than"):
        sessions.look(Store.parse(["txn", [], reads]))
