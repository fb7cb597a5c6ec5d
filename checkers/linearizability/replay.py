"""Is this order a linearization? The judge of every `valid`: it knows nothing of how the order came about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from checkers.linearizability.model import ILLEGAL, Model, Operation
from checkers.linearizability.registers import DIFFERS, INITIAL, READ, SWAP, Registers
from harness.history.columns import Ints


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


def first_fault(order: Ints, registers: Registers, part: Ints) -> str | None:
    """The same for several registers at once, where there are too many operations to take them one by one.

    `order` has the operations of one part after those of another.
    """
    ordered, of = registers.take(order), part[order]
    times = np.bincount(order, minlength=len(registers))
    if times.max(initial=0) > 1:
        return "an operation comes twice"
    if not times[registers.known].all():
        return "an operation that completed is missing"
    if not len(order):
        return None
    span = 2 + int(registers.invoked.max(initial=0))
    latest = np.maximum.accumulate(ordered.invoked + of * span) - of * span
    if (np.minimum(ordered.returned, span) < latest).any():
        return "an operation comes after one that was invoked when it had already returned"
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
