"""Verdicts against the definition: a history is serializable if some serial order explains all its reads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.checkers.transactions import list_append, rw_register
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History, Op

MicroOps = list[list[Any]]
Pairs = set[tuple[int, int]]


@dataclass(frozen=True)
class Ran:
    """A committed transaction and when it ran."""

    micro_ops: MicroOps
    invoked: float
    completed: float


Order = Callable[[list[Ran]], Pairs]


def nothing_order(ran: list[Ran]) -> Pairs:
    return set()


def realtime_order(ran: list[Ran]) -> Pairs:
    numbers = range(len(ran))
    return {(a, b) for a in numbers for b in numbers if ran[a].completed < ran[b].invoked}


def session_order(ran: list[Ran]) -> Pairs:
    process_of = sessions(ran)
    return {(a, b) for a, b in realtime_order(ran) if process_of[a] == process_of[b]}


@st.composite
def nearly_serial(draw: st.DrawFn, f: str) -> list[Ran]:
    """A serial execution in which up to two reads were made wrong; of lists, all is read in the end."""
    state: dict[str, tuple[int, ...]] = {"x": (), "y": ()}
    values = itertools.count(1)
    ran: list[Ran] = []
    for at in range(draw(st.integers(1, 4))):
        micro_ops: MicroOps = []
        for key in draw(st.lists(st.sampled_from("xy"), min_size=1, max_size=3)):
            if draw(st.booleans()):
                state[key] = (*state[key], next(values))
                micro_ops.append([f, key, state[key][-1]])
            else:
                micro_ops.append(["r", key, seen(state[key], f)])
        before, after = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        ran.append(Ran(micro_ops, at - before - 0.4 + at / 100, at + after + 0.4 + at / 100))
    reads = [micro_op for one in ran for micro_op in one.micro_ops if micro_op[0] == "r"]
    for micro_op in draw(st.lists(st.sampled_from(reads), max_size=2)) if reads else ():
        cut = draw(st.integers(0, len(state[micro_op[1]])))
        micro_op[2] = seen(state[micro_op[1]][:cut], f)
    if f == "append":
        ran.append(Ran([["r", key, list(state[key])] for key in "xy"], 90, 91))
    return ran


def seen(versions: Sequence[int], f: str) -> Any:
    if f == "append":
        return list(versions)
    return versions[-1] if versions else None


@given(nearly_serial("append"))
@settings(max_examples=150, deadline=None)
def test_lists_are_found_serializable_exactly_if_a_serial_order_explains_them(ran: list[Ran]) -> None:
    assert verdict_of(list_append, ran, "serializable") == explained(ran, "append", nothing_order)


@given(nearly_serial("append"))
@settings(max_examples=150, deadline=None)
def test_lists_are_found_strict_exactly_if_an_order_that_keeps_to_real_time_explains_them(
    ran: list[Ran],
) -> None:
    assert verdict_of(list_append, ran, "strict-serializable") == explained(ran, "append", realtime_order)


@given(nearly_serial("append"))
@settings(max_examples=150, deadline=None)
def test_lists_keep_to_sessions_exactly_if_an_order_that_does_explains_them(ran: list[Ran]) -> None:
    assert verdict_of(list_append, ran, "strong-session-serializable") == explained(
        ran, "append", session_order
    )


@given(nearly_serial("w"))
@settings(max_examples=150, deadline=None)
def test_registers_are_never_convicted_if_some_order_explains_them(ran: list[Ran]) -> None:
    """The other direction does not hold: the order of unread versions stays unknown."""
    for model, order in (
        ("serializable", nothing_order),
        ("strong-session-serializable", session_order),
        ("strict-serializable", realtime_order),
    ):
        if explained(ran, "w", order):
            assert verdict_of(rw_register, ran, model)


def verdict_of(check: Any, ran: list[Ran], model: str) -> bool:
    """Whether the checker lets it pass; without any read there is nothing that could be wrong."""
    verdict: Verdict = check(recorded(ran), model)
    return verdict.valid != "invalid"


def recorded(ran: list[Ran]) -> History:
    moments = sorted(
        [(one.invoked, 0, number) for number, one in enumerate(ran)]
        + [(one.completed, 1, number) for number, one in enumerate(ran)]
    )
    ops: list[Op] = []
    process_of = sessions(ran)
    for _, done, number in moments:
        value = [[f, key, None if f == "r" and not done else v] for f, key, v in ran[number].micro_ops]
        ops.append(Op(len(ops), len(ops), "ok" if done else "invoke", process_of[number], "txn", value))
    return History(ops)


def sessions(ran: list[Ran]) -> list[int]:
    """The process of each: the first one that has nothing else to do when it begins."""
    until: list[float] = []
    process_of = [0] * len(ran)
    for number in sorted(range(len(ran)), key=lambda number: ran[number].invoked):
        process = next((p for p, end in enumerate(until) if end < ran[number].invoked), len(until))
        until[process : process + 1] = [ran[number].completed]
        process_of[number] = process
    return process_of


def explained(ran: list[Ran], f: str, order: Order) -> bool:
    """Whether some serial execution that keeps to the order has all the reads."""
    before = order(ran)
    return any(
        legal([ran[number] for number in numbers], f)
        for numbers in itertools.permutations(range(len(ran)))
        if not any((later, first) in before for first, later in itertools.combinations(numbers, 2))
    )


def legal(order: Sequence[Ran], f: str) -> bool:
    state: dict[str, tuple[int, ...]] = {"x": (), "y": ()}
    for one in order:
        for name, key, value in one.micro_ops:
            if name == f:
                state[key] = (*state[key], value)
            elif value != seen(state[key], f):
                return False
    return True
