"""The smallest part of a history that still has no linearization: what a person has to look at.

A history is only weakened in ways that leave a linearizable history linearizable. So if the rest has no
linearization, neither has the whole. An operation that completed may become one of unknown outcome. An
operation that changes nothing may be left out. What happened after some moment may be left out, if the
operations that were pending then become unknown. What returned before the invocation of an operation that
overwrites the whole state may be left out, if the operations that were pending beside that one become
unknown. An operation that may have changed what others saw is never left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from ostrakon.checkers.linearizability.deciding import decide
from ostrakon.checkers.linearizability.decision import Budget, Impossible
from ostrakon.checkers.linearizability.parts import whole
from ostrakon.checkers.models.model import Model, Operation, operations
from ostrakon.checkers.models.register_operations import DIFFERS, READ, SWAP, RegisterColumns
from ostrakon.harness.history.columns import INFO, NEVER, Columns, Ints, Mask

EFFORT: Final = 4_000_000
"""What may be spent on making a core smaller: some CPU seconds, counted in steps."""


def minimal_core(
    columns: Columns, model: Model, found: Impossible, each: Budget, *, effort: int | None = EFFORT
) -> tuple[Columns, bool]:
    """A weakened history of one object that has no linearization, and whether it would if weakened further.

    `found` says where to look first. A weakening that can't be decided within the budget `each` is not
    used, and none is tried any more once `effort` is spent: operations, choices and clauses, by weight.
    """
    spent = 0

    def still_impossible(weaker: Columns) -> bool:
        nonlocal spent
        if effort is not None and spent > effort:
            return False
        decisions = decide(whole(weaker, model), model, each)
        spent += len(weaker) + 10 * decisions.nodes + decisions.clauses + 100 * decisions.conflicts
        return decisions.impossible is not None

    core, first = _window(columns, model, found, still_impossible)
    if first is None:
        core = _around(columns, model, found.rows, still_impossible)
        core = _cut_short(core, found.until, still_impossible)
        core, first = _begin_late(core, model, _ALL_TRIED, still_impossible)
    core = _without_each(core, looks(core, model), leave_out, still_impossible)
    completed = (core.outcome != INFO) & (core.invoked != first)
    core = _without_each(core, completed, forget, still_impossible)
    core = _without_each(core, looks(core, model), leave_out, still_impossible)
    return core.take(~unobservable(core, model)), effort is None or spent <= effort


_RECENT: Final = 1000
"""The number of the last operations with which the search for a core begins."""
_SOME_TRIED: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
_ALL_TRIED: Final = tuple(range(1, 41))
"""Which of the last operations that overwrite everything to begin with: the last, the one before, ..."""

Weaken = Callable[[Columns, Mask], Columns]
Question = Callable[[Columns], bool]


def _around(columns: Columns, model: Model, suspects: Ints, still_impossible: Question) -> Columns:
    """Only what is suspected, if that is enough: quicker than to find it out by leaving out all the rest."""
    suspected = np.zeros(len(columns), bool)
    suspected[suspects] = True
    weaker = forget(columns, ~suspected).take(suspected | ~looks(columns, model))
    weaker = weaker.take(~unobservable(weaker, model))
    return weaker if len(weaker) < len(columns) and still_impossible(weaker) else columns


def _window(
    columns: Columns, model: Model, found: Impossible, still_impossible: Question
) -> tuple[Columns, int | None]:
    """Only what happened shortly before the end, if it is known where that is and if that is enough.

    Then nothing of the rest need be looked at any more. Otherwise there is no first operation.
    """
    if found.until is None:
        return columns, None
    returns = np.sort(columns.returned[columns.outcome != INFO])
    at = int(np.searchsorted(returns, found.until))
    for ahead in (0, 1, 2, 4, 8, 16):  # Answers of those that were pending may be needed.
        cut = until(columns, int(returns[min(at + ahead, len(returns) - 1)]))
        core, first = _begin_late(cut, model, _SOME_TRIED, still_impossible)
        if first is not None:
            return core, first
    return columns, None


def _cut_short(columns: Columns, since: int | None, still_impossible: Question) -> Columns:
    """The history up to the first return at which there is no linearization, which is not before `since`."""
    returns = np.sort(columns.returned[columns.outcome != INFO]).tolist()
    low, high = returns.index(since) if since in returns else 0, len(returns) - 1
    cut, step = columns, 1
    while low < high:
        # From where it is known to be possible in growing steps: usually it isn't far.
        middle = min(low + step, (low + high) // 2) if since is not None else (low + high) // 2
        shorter = until(columns, returns[middle])
        if still_impossible(shorter):
            cut, high, since = shorter, middle, None
        else:
            low, step = middle + 1, 2 * step
    return cut


def _begin_late(
    columns: Columns, model: Model, which: tuple[int, ...], still_impossible: Question
) -> tuple[Columns, int | None]:
    """Without what came before one of the last operations that overwrite everything, if that will do.

    With it comes the invocation of that operation, which must stay what it is: it says why what came
    before doesn't matter.
    """
    recent = columns.take(np.flatnonzero(columns.outcome != INFO)[-_RECENT:])
    overwriting = [op for op in operations(recent) if model.overwrites(op)]
    for back in which:
        if back > len(overwriting):
            break
        weaker = beginning_with(columns, model, overwriting[-back])
        if len(weaker) < len(columns) and still_impossible(weaker):
            return weaker, overwriting[-back].invoked
    return columns, None


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


def forget(columns: Columns, rows: Mask) -> Columns:
    """The history in which these operations never returned."""
    return replace(
        columns,
        outcome=np.where(rows, INFO, columns.outcome),
        returned=np.where(rows, NEVER, columns.returned),
        result=np.where(rows, 0, columns.result),
        slot=np.where(rows, -1, columns.slot),
    )


def leave_out(columns: Columns, rows: Mask) -> Columns:
    """The history without these operations, which changed nothing."""
    return columns.take(~rows)


def until(columns: Columns, moment: int) -> Columns:
    """The history as it was known at that moment."""
    begun = columns.take(columns.invoked <= moment)
    return forget(begun, (begun.returned > moment) & (begun.outcome != INFO))


def beginning_with(columns: Columns, model: Model, first: Operation) -> Columns:
    """The history from an operation on, if nothing before it matters."""
    known = columns.outcome != INFO
    over = known & (columns.returned < first.invoked)
    beside = np.flatnonzero(
        known & ~over & (columns.invoked < first.returned) & (columns.invoked != first.invoked)
    )
    unheard, looking = np.zeros(len(columns), bool), np.zeros(len(columns), bool)
    unheard[beside] = True
    looking[beside] = looks(columns.take(beside), model)
    return forget(columns, unheard).take(~over & ~looking)


def looks(columns: Columns, model: Model) -> Mask:
    """The operations that change nothing."""
    return np.array([model.pure(op) for op in operations(columns)], bool)


def unobservable(columns: Columns, model: Model) -> Mask:
    """Unknown operations without which the others could have taken the same course.

    Those that were invoked after all the returns. On a register, those also whose value nobody saw, unless
    someone saw that a value was gone.
    """
    unknown = columns.outcome == INFO
    last = int(columns.returned[~unknown].max(initial=-1))
    useless: Mask = unknown & (columns.invoked > last)
    if model.needless is not None:
        useless[list(model.needless(list(operations(columns))))] = True
    registers = model.registers(columns) if model.registers else None
    if registers is not None and not (registers.kind == DIFFERS).any():
        useless |= unknown & ~_of_use(registers)
    return useless


def _of_use(registers: RegisterColumns) -> Mask:
    """The known operations, and the unknown ones that wrote a value that a known one saw, or a value on the
    way to it."""
    sees = (registers.kind == SWAP) | (registers.kind == READ)
    useful = registers.known
    while True:
        seen = np.unique(registers.expected[useful & sees])
        wrote = (registers.kind != READ) & np.isin(registers.written, seen)
        if not (wrote & ~useful).any():
            return useful
        useful = useful | wrote
