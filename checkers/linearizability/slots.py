"""The log as a witness: a system that answers from a log can say at which slot, and so in what order."""

from __future__ import annotations

import numpy as np

from ostrakon.checkers.linearizability.decision import Linearized
from ostrakon.checkers.linearizability.model import Model, operations
from ostrakon.checkers.linearizability.replay import fault_of
from ostrakon.harness.history.columns import INFO, Columns


def in_order_of_slots(columns: Columns, model: Model) -> Linearized | None:
    """The order of the log, if every answer tells its slot and the order is a linearization.

    Within a slot what only looks comes after what may change something. Nothing can be concluded from an
    order that is none: the log may be fine and the slots wrong.
    """
    known = columns.outcome != INFO
    if not len(columns) or (columns.slot[known] < 0).any() or not known.any():
        return None
    ops = list(operations(columns))
    told = [op for op in ops if columns.slot[op.row] >= 0]
    order = sorted(told, key=lambda op: (columns.slot[op.row], model.pure(op), op.invoked))
    if fault_of(order, ops, model) is not None:
        return None
    return Linearized(np.array([op.row for op in order], np.int64))
