"""The smallest part of a history that still cannot be: what a person has to look at.

A history is only ever weakened, in ways that leave a linearizable one linearizable; so what is left over at
the end, being impossible, proves that the whole was. It may be cut off, when those that are pending become
unknown; an operation that only looks may be left out; one that completed may become unknown. And it may
begin with an operation that overwrites whatever there was, since what returned before that can have had no
effect on what came after; those that were pending then become unknown. What may have changed anything that
others saw is never left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from checkers.linearizability.deciding import decide
from checkers.linearizability.decision import Budget, Impossible
from checkers.linearizability.model import Model, Operation, operations
from checkers.linearizability.parts import Parts
from checkers.linearizability.registers import DIFFERS, READ, SWAP
from harness.history.columns import INFO, NEVER, Columns, Ints, Mask


def minimal_core(
    columns: Columns, model: Model, found: Impossible, each: Budget, *, seconds: float
) -> Columns:
    """A weakened history of one object that has no linearization, and loses that if weakened further.

    `found` says where to look first. A weakening that can't be decided within the budget `each` is not
    used, and none is tried any more once the time is up.
    """
    deadline = each.clock() + seconds

    def still_impossible(weaker: Columns) -> bool:
        if each.clock() > deadline:
            return False
        parts = Parts(weaker, np.zeros(len(weaker), np.int64), (None,))
        return decide(parts, model, each).impossible is not None

    if found.until is not None:
        core = _until(columns, found.until)
    else:
        core = _around(columns, model, found.rows, still_impossible)
        core = _cut_short(core, still_impossible)
    core, first = _begin_late(core, model, still_impossible)
    core = _without_each(core, _looks(core, model), _leave_out, still_impossible)
    completed = (core.outcome != INFO) & (core.invoked != first)
    core = _without_each(core, completed, _forget, still_impossible)
    core = _without_each(core, _looks(core, model), _leave_out, still_impossible)
    return core.take(~_unobservable(core, model))


_BEGINNINGS_TRIED: Final = 40

Weaken = Callable[[Columns, Mask], Columns]
Question = Callable[[Columns], bool]


def _forget(columns: Columns, rows: Mask) -> Columns:
    """Nothing was heard of these."""
    return replace(
        columns,
        outcome=np.where(rows, INFO, columns.outcome),
        returned=np.where(rows, NEVER, columns.returned),
        result=np.where(rows, 0, columns.result),
        slot=np.where(rows, -1, columns.slot),
    )


def _leave_out(columns: Columns, rows: Mask) -> Columns:
    return columns.take(~rows)


def _until(columns: Columns, moment: int) -> Columns:
    """What was known at that moment."""
    begun = columns.take(columns.invoked <= moment)
    return _forget(begun, (begun.returned > moment) & (begun.outcome != INFO))


def _around(columns: Columns, model: Model, suspects: Ints, still_impossible: Question) -> Columns:
    """Only what is suspected, if that is enough: quicker than to find it out by leaving out all the rest."""
    suspected = np.zeros(len(columns), bool)
    suspected[suspects] = True
    looks = _looks(columns, model)
    weaker = _forget(columns, ~suspected).take(suspected | ~looks)
    weaker = weaker.take(~_unobservable(weaker, model))
    return weaker if len(weaker) < len(columns) and still_impossible(weaker) else columns


def _cut_short(columns: Columns, still_impossible: Question) -> Columns:
    """Up to the first return at which it becomes impossible."""
    returns = np.sort(columns.returned[columns.outcome != INFO]).tolist()
    low, high = 0, len(returns) - 1
    while low < high:
        middle = (low + high) // 2
        if still_impossible(_until(columns, returns[middle])):
            high = middle
        else:
            low = middle + 1
    return _until(columns, returns[low])


def _begin_late(columns: Columns, model: Model, still_impossible: Question) -> tuple[Columns, int]:
    """Without what came before one of the last operations that overwrite everything, if that will do.

    With it comes the invocation of that operation, which must stay what it is: it says why what came
    before doesn't matter.
    """
    overwriting = [op for op in operations(columns) if op.known and model.overwrites(op)]
    looks = _looks(columns, model)
    for op in reversed(overwriting[-_BEGINNINGS_TRIED:]):
        weaker = _from(columns, op, looks)
        if len(weaker) < len(columns) and still_impossible(weaker):
            return weaker, op.invoked
    return columns, -1


def _from(columns: Columns, first: Operation, looks: Mask) -> Columns:
    """What can be said from an operation on before which nothing matters."""
    known = columns.outcome != INFO
    over = known & (columns.returned < first.invoked)
    beside = known & (columns.invoked < first.returned) & (columns.invoked != first.invoked)
    return _forget(columns, beside).take(~over & ~(beside & looks))


def _looks(columns: Columns, model: Model) -> Mask:
    """Which operations change nothing."""
    return np.array([model.pure(op) for op in operations(columns)], bool)


def _without_each(columns: Columns, candidates: Mask, weaken: Weaken, still_impossible: Question) -> Columns:
    """Weaken as many of the candidates as will do: halves first, then smaller and smaller pieces."""
    names = columns.invoked[candidates]
    size = max(len(names) // 2, 1)
    while len(names):
        left = []
        for at in range(0, len(names), size):
            weaker = weaken(columns, np.isin(columns.invoked, names[at : at + size]))
            if still_impossible(weaker):
                columns = weaker
            else:
                left.append(names[at : at + size])
        names = np.concatenate(left) if left else names[:0]
        if size == 1:
            break
        size = max(size // 2, 1)
    return columns


def _unobservable(columns: Columns, model: Model) -> Mask:
    """Unknown operations without which the others could have taken the same course.

    Those that were invoked after all the returns. On a register, those also whose value nobody saw, unless
    someone saw that a value was gone.
    """
    unknown = columns.outcome == INFO
    last = int(columns.returned[~unknown].max(initial=-1))
    useless = unknown & (columns.invoked > last)
    registers = model.registers(columns) if model.registers else None
    if registers is None or (registers.kind == DIFFERS).any():
        return np.asarray(useless)
    counted = ~useless
    while True:
        needs = counted & ((registers.kind == SWAP) | ((registers.kind == READ) & ~unknown))
        unseen = (
            counted
            & unknown
            & ((registers.kind == READ) | ~np.isin(registers.written, registers.expected[needs]))
        )
        if not unseen.any():
            return np.asarray(~counted)
        counted &= ~unseen
