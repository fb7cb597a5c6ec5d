"""The search of Wing, Gong and Lowe, as plain as it can be: the referee that every quicker method answers to.

J. Wing and C. Gong, "Testing and verifying concurrent objects", JPDC 17, 1993; G. Lowe, "Testing for
linearizability", CCPE 29, 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ostrakon.checkers.models.model import ILLEGAL, Model, Operation, State


class Refereed(NamedTuple):
    """The result of the search."""

    linearizable: bool | None
    """Whether there is a linearization; None if the search gave up."""
    order: tuple[Operation, ...]
    """A linearization, if there is one."""
    steps: int
    furthest: tuple[Operation, ...] = ()
    """The order that got furthest: it holds every op that returned before `blocked` did."""
    blocked: Operation | None = None
    """The op whose return no order got past, as far as was tried; None if there was no such op."""


def wing_gong_lowe(ops: Sequence[Operation], model: Model, *, max_steps: int | None = None) -> Refereed:
    """Try all orders: take the first op that may come next, and on meeting a return go back and take another.

    A set of ops carried out together with a state is tried only once.
    """
    entries = _entries(ops)
    after, before = [*range(1, len(entries)), -1], [*range(-1, len(entries) - 1)]
    ret = {i: at for at, (is_return, i) in enumerate(entries) if is_return}
    missing = sum(op.known for op in ops)
    state, done, steps = model.initial, 0, 0
    seen: set[tuple[int, State]] = set()
    taken: list[tuple[int, State]] = []
    at, reach, furthest = after[0], -1, list[int]()

    def refereed(linearizable: bool | None) -> Refereed:
        blocked = ops[entries[reach][1]] if reach >= 0 else None
        return Refereed(linearizable, (), steps, tuple(ops[i] for i in furthest), blocked)

    while missing:
        is_return, i = entries[at] if at != -1 else (True, -1)
        if is_return:
            if at > reach:
                reach, furthest = at, [entries[one][1] for one, _ in taken]
            if not taken:
                return refereed(False)
            at, state = taken.pop()
            i = entries[at][1]
            done ^= 1 << i
            missing += ops[i].known
            for lifted in (ret.get(i, -1), at):
                _put_back(lifted, after, before)
            at = after[at]
            continue
        steps += 1
        if max_steps is not None and steps > max_steps:
            return refereed(None)
        new = model.step(state, ops[i])
        if new is not ILLEGAL and (done | 1 << i, new) not in seen:
            seen.add((done | 1 << i, new))
            taken.append((at, state))
            state, done = new, done | 1 << i
            missing -= ops[i].known
            for lifted in (at, ret.get(i, -1)):
                _lift(lifted, after, before)
            at = after[0]
        else:
            at = after[at]
    return Refereed(True, tuple(ops[entries[at][1]] for at, _ in taken), steps)


def _entries(ops: Sequence[Operation]) -> list[tuple[bool, int]]:
    """Invocations and returns in order of time, behind a head that stands for the start."""
    moments = [(op.invoked, False, i) for i, op in enumerate(ops)]
    moments += [(op.returned, True, i) for i, op in enumerate(ops) if op.known]
    return [(False, -1), *((is_return, i) for _, is_return, i in sorted(moments))]


def _lift(at: int, after: list[int], before: list[int]) -> None:
    if at != -1:
        after[before[at]] = after[at]
        if after[at] != -1:
            before[after[at]] = before[at]


def _put_back(at: int, after: list[int], before: list[int]) -> None:
    if at != -1:
        after[before[at]] = at
        if after[at] != -1:
            before[after[at]] = at
