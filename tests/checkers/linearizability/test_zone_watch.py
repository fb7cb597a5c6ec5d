"""Registers watched op by op say what the batch check says, as soon as it is so."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.checkers import linearizable
from ostrakon.checkers.linearizability.zone_watch import ZoneWatch
from ostrakon.harness.history import History, Op


def played(text: str) -> list[Op]:
    """Ops from words: process 0 begins to write 1 in `0w1` and to read in `0r`; `0:` is ok, and so is `0:1`,
    a read of 1; `0!` failed, and of `0?` nothing is known."""
    ops: list[Op] = []
    at: dict[int, tuple[str, Any]] = {}
    for word in text.split():
        process, sign, value = int(word[0]), word[1], int(word[2:]) if word[2:] else None
        if sign in "wrc":
            at[process] = {"w": "write", "r": "read", "c": "cas"}[sign], value
        f, asked = at[process]
        kind: Any = {":": "ok", "!": "fail", "?": "info"}.get(sign, "invoke")
        told = value if f == "read" and kind == "ok" else asked
        ops.append(Op(len(ops), len(ops), kind, process, f, told))
    return ops


def alarm(ops: list[Op], **options: Any) -> int | None:
    """The index of the op at which the alarm is raised."""
    watch = ZoneWatch(**options)
    return next((op.index for op in ops if watch.op(op) is not None), None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0r 0: 0w1 0: 0r 0:1",
        "0w1 1w2 0: 1: 2r 2:2 2r 2:2",
        "0w1 1r 1:1 0?",
        "0w1 0? 1r 1: 1r 1:1 1r 1:1",
        "0w1 1r 0! 1:",
        "0w1 2r 1w2 0: 1: 2:1 2r 2:2",
    ],
)
def test_what_is_linearizable_raises_no_alarm(text: str) -> None:
    assert alarm(played(text)) is None
    assert not text or linearizable(History(played(text)), "register").valid == "valid"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("0r 0:7", 1),
        ("0w1 0: 0r 0:", 3),
        ("0w1 0: 0w2 0: 0r 0:1", 5),
        ("0w1 1w2 0: 1: 2r 2:1 2r 2:2", 7),
        ("0w1 1r 1:1 1r 1:", 4),
        ("0w1 1r 1:1 0!", 3),
        ("0r 1w1 1: 2r 2:1 0:5", 5),
    ],
)
def test_the_alarm_is_raised_at_the_answer_that_cannot_be(text: str, at: int) -> None:
    assert alarm(played(text)) == at
    assert linearizable(History(played(text)), "register").valid == "invalid"


@pytest.mark.parametrize("text", ["0w1 0: 1w1 1: 0r 0:7", "0c1 0: 0r 0:7"], ids=["value twice", "cas"])
def test_nothing_is_said_of_a_register_that_the_method_cannot_tell_about(text: str) -> None:
    assert alarm(played(text)) is None


def test_each_key_is_a_register_of_its_own() -> None:
    ops = [
        Op(0, 0, "invoke", 0, "write", ["a", 1]), Op(1, 1, "ok", 0, "write", ["a", 1]),
        Op(2, 2, "invoke", 0, "read", ["b", None]), Op(3, 3, "ok", 0, "read", ["b", None]),
        Op(4, 4, "invoke", 0, "read", ["a", None]), Op(5, 5, "ok", 0, "read", ["a", None]),
    ]  # fmt: skip

    assert alarm(ops, keyed=True) == 5


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 4))
def test_it_says_what_the_batch_check_says_and_says_it_at_once(
    seed: int, operations: int, clients: int
) -> None:
    ops = anything(Random(seed), operations, clients)

    at = alarm(ops)

    assert (at is not None) == (linearizable(History(ops), "register").valid == "invalid")
    if at is not None:
        assert linearizable(History(ops[:at]), "register").valid != "invalid"


def anything(rng: Random, operations: int, clients: int) -> list[Op]:
    """Reads of any of the last values, and writes of new ones, in any order."""
    ops: list[Op] = []
    busy: dict[int, tuple[str, Any]] = {}
    names = list(range(clients))
    written: list[Any] = [None]
    left = operations
    while left or busy:
        thread = rng.randrange(clients)
        process = names[thread]
        if process in busy:
            f, value = busy.pop(process)
            kind: Any = rng.choice(["ok"] * 8 + ["info", "fail"])
            if f == "read" and kind == "ok":
                value = rng.choice(written[-4:])
            if kind == "info":
                names[thread] += clients
        elif left:
            left -= 1
            kind, f, value = "invoke", rng.choice(["read", "write"]), None
            if f == "write":
                value = len(written)
                written.append(value)
            busy[process] = f, value
        else:
            continue
        ops.append(Op(len(ops), len(ops), kind, process, f, value))
    return ops
