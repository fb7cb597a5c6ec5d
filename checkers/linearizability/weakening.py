"""Ways to say less about what happened: a history that was linearizable before is so after.

What completed may become unknown. What only looks may be left out. What happened after some moment may be
left out, when those that were pending then become unknown; and what returned before an operation was invoked
that overwrites all there was, when those that were pending beside it become unknown. What may have changed
anything that others saw is never left out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ostrakon.checkers.models.model import Model, Operation, operations
from ostrakon.checkers.models.register_operations import DIFFERS, READ, SWAP, RegisterColumns
from ostrakon.harness.history.columns import INFO, NEVER, Columns, Mask


def forget(columns: Columns, rows: Mask) -> Columns:
    """Nothing was heard of these."""
    return replace(
        columns,
        outcome=np.where(rows, INFO, columns.outcome),
        returned=np.where(rows, NEVER, columns.returned),
        result=np.where(rows, 0, columns.result),
        slot=np.where(rows, -1, columns.slot),
    )


def leave_out(columns: Columns, rows: Mask) -> Columns:
    """These, which only looked, needn't have."""
    return columns.take(~rows)


def until(columns: Columns, moment: int) -> Columns:
    """What was known at that moment."""
    begun = columns.take(columns.invoked <= moment)
    return forget(begun, (begun.returned > moment) & (begun.outcome != INFO))


def beginning_with(columns: Columns, model: Model, first: Operation) -> Columns:
    """What can be said from an operation on before which nothing matters."""
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
    """Which operations change nothing."""
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
    """Known operations, and unknown ones that wrote what one of them saw, or what led there."""
    sees = (registers.kind == SWAP) | (registers.kind == READ)
    useful = registers.known
    while True:
        seen = np.unique(registers.expected[useful & sees])
        wrote = (registers.kind != READ) & np.isin(registers.written, seen)
        if not (wrote & ~useful).any():
            return useful
        useful = useful | wrote
