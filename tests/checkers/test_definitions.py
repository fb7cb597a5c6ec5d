"""Checkers against what they check, spelled out: every order, every selection, every pair."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.checkers.collections.counter import counter
from ostrakon.checkers.collections.set_full import set_full
from ostrakon.checkers.collections.sets import final_set
from ostrakon.checkers.consistency.causal import causal
from ostrakon.checkers.consistency.long_fork import long_fork
from ostrakon.checkers.consistency.sequential import sequential
from ostrakon.harness.history import History, Op

Program = list[list[tuple[str, str, int | None]]]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """What up to three processes did, one after the other: f, key and value; each write has its own value."""
    values = itertools.count(1)
    shape = draw(st.lists(st.lists(st.tuples(st.booleans(), st.sampled_from("xy")), max_size=3), max_size=3))
    count = sum(writes for session in shape for writes, _ in session)
    seen = st.one_of(st.none(), st.integers(1, max(count, 1)))
    return [
        [("write", key, next(values)) if writes else ("read", key, draw(seen)) for writes, key in session]
        for session in shape
    ]


def told(program: Program) -> History:
    ops: list[Op] = []
    for process, session in enumerate(program):
        for f, key, value in session:
            asked = [key, value if f == "write" else None]
            ops.append(Op(len(ops), 0, "invoke", process, f, asked))
            ops.append(Op(len(ops), 0, "ok", process, f, [key, value]))
    return History(ops)


@given(programs())
@settings(max_examples=100, deadline=None)
def test_sequential_finds_an_order_exactly_if_there_is_one(program: Program) -> None:
    verdict = sequential(told(program))

    if any(f == "read" for session in program for f, _, _ in session):
        assert (verdict.valid == "valid") == any(legal(order) for order in merges(program))


@given(programs())
@settings(max_examples=100, deadline=None)
def test_whatever_is_sequential_is_causal(program: Program) -> None:
    if sequential(told(program)).valid == "valid":
        assert causal(told(program)).valid == "valid"


def merges(program: Sequence[Sequence[Any]]) -> Iterator[list[Any]]:
    """All orders that keep to that of each session."""
    if not any(program):
        yield []
    for at, session in enumerate(program):
        if session:
            rest = [*program[:at], session[1:], *program[at + 1 :]]
            yield from ([session[0], *order] for order in merges(rest))


def legal(order: list[tuple[str, str, int | None]]) -> bool:
    held: dict[str, int | None] = {}
    for f, key, value in order:
        if f == "write":
            held[key] = value
        elif held.get(key) != value:
            return False
    return True


@given(
    st.lists(st.integers(-3, 3), max_size=3),
    st.lists(st.integers(-3, 3), max_size=4),
    st.integers(-12, 12),
)
@settings(deadline=None)
def test_a_count_is_possible_exactly_if_some_selection_of_the_unsure_adds_makes_it(
    sure: list[int], unsure: list[int], count: int
) -> None:
    ops: list[Op] = []
    for process, (amount, ended) in enumerate([(a, "ok") for a in sure] + [(a, "info") for a in unsure]):
        ops.append(Op(len(ops), 0, "invoke", process, "add", amount))
        ops.append(Op(len(ops), 0, ended, process, "add", amount))  # type: ignore[arg-type]
    ops.append(Op(len(ops), 0, "invoke", 99, "read"))
    ops.append(Op(len(ops), 0, "ok", 99, "read", count))

    selections = itertools.product((0, 1), repeat=len(unsure))
    sums = {sum(sure) + sum(a for a, taken in zip(unsure, s, strict=True) if taken) for s in selections}
    assert (counter(History(ops)).valid == "valid") == (count in sums)


@given(st.lists(st.frozensets(st.integers(0, 3)), min_size=2, max_size=6))
@settings(deadline=None)
def test_a_long_fork_is_two_reads_of_which_neither_saw_all_of_the_other(reads: list[frozenset[int]]) -> None:
    ops = [
        Op(at, 0, "ok", at, "read", [["r", key, 1 if key in saw else None] for key in range(4)])
        for at, saw in enumerate(reads)
    ]

    forked = any(not (one <= other or other <= one) for one, other in itertools.combinations(reads, 2))
    assert (long_fork(History(ops)).valid == "invalid") == forked


@given(st.lists(st.sampled_from(["add", "read", "lose"]), min_size=1, max_size=12), st.integers(0, 5))
@settings(deadline=None)
def test_a_set_that_only_grows_is_full_and_one_that_forgets_is_not(steps: list[str], victim: int) -> None:
    held: list[int] = []
    added = 0
    forgot = False
    ops: list[Op] = []
    for step in [*steps, "read"]:
        if step == "add":
            held.append(added)
            added += 1
        elif step == "lose" and victim in held:
            held.remove(victim)
            forgot = True
        f, value = ("add", added - 1) if step == "add" else ("read", list(held))
        if step != "lose":
            ops.append(Op(len(ops), 0, "invoke", 0, f, value if f == "add" else None))
            ops.append(Op(len(ops), 0, "ok", 0, f, value))

    valid = "invalid" if forgot else "valid" if added else "unknown"
    assert set_full(History(ops)).valid == valid
    assert final_set(History(ops)).valid == valid
