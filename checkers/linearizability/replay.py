"""Is this order a linearization? The judge of every `valid`: it knows nothing of how the order came about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostrakon.checkers.models.append_operations import APPEND, WRITE, Appends
from ostrakon.checkers.models.model import ILLEGAL, Model, Operation
from ostrakon.checkers.models.register_operations import DIFFERS, INITIAL, READ, SWAP, RegisterColumns
from ostrakon.harness.history.columns import Ints, Mask


def fault_of(order: Sequence[Operation], ops: Sequence[Operation], model: Model) -> str | None:
    """What is wrong with `order` as a linearization of `ops`; None if nothing is.

    It must hold every op that completed, no op twice, each answer must be what the model allows, and none
    may come after an op that was invoked when it had already returned.
    """
    state, latest, seen = model.initial, -1, set()
    for op in order:
        if op.returned < latest:
            return f"{op} comes after an op that was invoked at {latest}"
        if op.row in seen:
            return f"{op} comes twice"
        new = model.step(state, op)
        if new is ILLEGAL:
            return f"{op} is not allowed in the state {state!r}"
        state = new
        if op.invoked > latest:
            latest = op.invoked
        seen.add(op.row)
    missing = next((op for op in ops if op.known and op.row not in seen), None)
    return f"{missing} is missing" if missing else None


def fault_of_registers(order: Ints, registers: RegisterColumns, part: Ints) -> str | None:
    """The same for several registers at once, where there are too many operations to take them one by one.

    `order` has the operations of one part after those of another.
    """
    ordered, of = registers.take(order), part[order]
    if fault := _fault_of_order(order, of, registers.invoked, registers.returned, registers.known):
        return fault
    if not len(order):
        return None
    writes = ordered.kind > DIFFERS
    at = np.arange(len(order))
    begins = np.searchsorted(of, of)
    last = np.maximum.accumulate(np.where(writes, at, -1))
    previous = np.concatenate(([-1], last[:-1]))
    held = np.where(previous >= begins, ordered.written[previous], INITIAL)
    expects = (ordered.kind == READ) & ordered.known | (ordered.kind == SWAP)
    if (expects & (held != ordered.expected)).any() or (
        (ordered.kind == DIFFERS) & (held == ordered.expected)
    ).any():
        return "an operation did not find the value that it saw"
    return None


def fault_of_appends(order: Ints, appends: Appends, part: Ints) -> str | None:
    """The same for sequences that grow by appending."""
    of = part[order]
    if fault := _fault_of_order(order, of, appends.invoked, appends.returned, appends.known):
        return fault
    answers, strings = appends.answers, isinstance(appends.empty, str)
    here, held = -1, answers[0]
    operations = zip(
        of.tolist(), appends.kind[order].tolist(), appends.code[order].tolist(),
        appends.known[order].tolist(), strict=True,
    )  # fmt: skip
    for object, kind, code, known in operations:
        if object != here:
            here, held = object, answers[0]
        if kind == APPEND:
            held += answers[code] if strings else (appends.values[code],)
        elif kind == WRITE:
            held = answers[code]
        elif known and held != answers[code]:
            return "an operation did not find the value that it saw"
    return None


def _fault_of_order(order: Ints, of: Ints, invoked: Ints, returned: Ints, known: Mask) -> str | None:
    """What is wrong, whatever the operations are; `of` says which part each is of, in the order."""
    times = np.bincount(order, minlength=len(known))
    if times.max(initial=0) > 1:
        return "an operation comes twice"
    if not times[known].all():
        return "an operation that completed is missing"
    span = 2 + int(invoked.max(initial=0))
    latest = np.maximum.accumulate(invoked[order] + of * span) - of * span
    if (np.minimum(returned[order], span) < latest).any():
        return "an operation comes after one that was invoked when it had already returned"
    return None
