"""The smallest part of a history that still cannot be: what a person has to look at.

A history is only ever weakened, in ways that leave a linearizable one linearizable; so what is left over at
the end, being impossible, proves that the whole was. It may be cut off, when those that are pending become
unknown; an operation that only looks may be left out; one that completed may become unknown. An operation
that may have changed what others saw is never left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from checkers.linearizability.deciding import decide
from checkers.linearizability.decision import Budget, Impossible
from checkers.linearizability.model import Model, operations
from checkers.linearizability.parts import Parts
from checkers.linearizability.registers import DIFFERS, READ, SWAP
from harness.history.columns import INFO, NEVER, Columns, Ints, Mask


def minimal_core(columns: Columns, model: Model, found: Impossible, budget: Budget) -> Columns:
    """A weakened history of one object that has no linearization, and loses that if weakened further.

    `found` says where to look first. Weakenings that can't be decided within the budget are not used.
    """

    def still_impossible(weaker: Columns) -> bool:
        parts = Parts(weaker, np.zeros(len(weaker), np.int64), (None,))
        return decide(parts, model, budget).impossible is not None

    core = _around(columns, model, found.rows, still_impossible)
    core = _cut_short(core, model, still_impossible)
    looks = np.array([model.pure(op) for op in operations(core)], bool)
    core = _without_each(core, looks, _leave_out, still_impossible)
    core = _without_each(core, core.outcome != INFO, _forget, still_impossible)
    looks = np.array([model.pure(op) for op in operations(core)], bool)
    core = _without_each(core, looks, _leave_out, still_impossible)
    return core.take(~_unobservable(core, model))


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
    looks = np.array([model.pure(op) for op in operations(columns)], bool)
    weaker = _forget(columns, ~suspected).take(suspected | ~looks)
    weaker = weaker.take(~_unobservable(weaker, model))
    return weaker if len(weaker) < len(columns) and still_impossible(weaker) else columns


def _cut_short(columns: Columns, model: Model, still_impossible: Question) -> Columns:
    """Up to the first return at which it becomes impossible."""
    returns = np.sort(columns.returned[columns.outcome != INFO]).tolist()
    low, high = 0, len(returns) - 1
    while low < high:
        middle = (low + high) // 2
        if still_impossible(_until(columns, returns[middle])):
            high = middle
        else:
            low = middle + 1
    cut = _until(columns, returns[low])
    return cut if still_impossible(cut) else columns


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
        return useless
    counted = ~useless
    while True:
        needs = counted & ((registers.kind == SWAP) | ((registers.kind == READ) & ~unknown))
        unseen = (
            counted
            & unknown
            & ((registers.kind == READ) | ~np.isin(registers.written, registers.expected[needs]))
        )
        if not unseen.any():
            return ~counted
        counted &= ~unseen
