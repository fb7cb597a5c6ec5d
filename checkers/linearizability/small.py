"""Short histories, as tests produce them by the thousand: decided op by op, without any arrays.

To make arrays of ten operations takes longer than to try their orders. Only a linearization that was found
ends here; whatever is impossible, unusual or too long for a few hundred steps is left to the other methods.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

from ostrakon.checkers.linearizability.replay import fault_of
from ostrakon.checkers.linearizability.wgl import wing_gong_lowe
from ostrakon.checkers.models.model import Model, Operation
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import NEMESIS, FailMeans, History, Op, Process
from ostrakon.harness.history.columns import NEVER
from ostrakon.harness.history.value import freeze, thaw

OPS_AT_MOST: Final = 60
_STEPS: Final = 300


def decide_small(history: History, model: Model, fail_means: FailMeans) -> Verdict | None:
    """`valid`, with a linearization that was replayed; None if the other methods have to look."""
    if not 0 < len(history) <= OPS_AT_MOST or (objects := _by_object(history, model, fail_means)) is None:
        return None
    steps = 0
    orders: list[dict[str, Any]] = []
    for key, ops in objects.items():
        found = wing_gong_lowe(ops, model, max_steps=_STEPS - steps)
        steps += found.steps
        if not found.linearizable or fault_of(found.order, ops, model) is not None:
            return None
        orders.append({"object": thaw(key), "order": [op.invoked for op in found.order]})
    operations = sum(map(len, objects.values()))
    counted = "one operation" if operations == 1 else f"{operations:,} operations"
    return Verdict.passed(
        f"a linearization of {counted} was found and replayed",
        operations=operations,
        objects=len(orders),
        methods={"search": len(orders)},
        nodes=steps,
        linearization=orders,
    )


def _by_object(
    history: History, model: Model, fail_means: FailMeans
) -> dict[Hashable, list[Operation]] | None:
    """The operations that count, by key; None if there are none, or any that need a closer look."""
    pending: dict[Process, tuple[int, Op]] = {}
    rows: list[tuple[Op, Op | None]] = []
    for op in history:
        if op.process == NEMESIS:
            continue
        if op.type == "invoke":
            pending[op.process] = (len(rows), op)
            rows.append((op, None))
        elif op.process in pending:
            row, asked = pending.pop(op.process)
            rows[row] = (asked, op)
    objects: dict[Hashable, list[Operation]] = {}
    for row, (asked, done) in enumerate(rows):
        if (model.fs is not None and asked.f not in model.fs) or not _is_plain(asked, done):
            return None
        failed = done is not None and done.type == "fail"
        refused = failed and fail_means == "compared unequal" and asked.f in model.compares
        if failed and not refused:
            continue
        known = done is not None and done.type != "info"
        argument: Any = freeze(asked.value)
        result: Any = freeze(done.value) if done is not None and known else None
        key: Hashable = None
        if model.keyed:
            if not _is_pair(argument) or (result is not None and not _is_pair(result)):
                return None
            if result is not None and result[0] != argument[0]:
                return None
            key, argument = argument
            result = None if result is None else result[1]
        returned = done.index if done is not None and known else NEVER
        assert isinstance(asked.process, int)
        operation = Operation(
            row, asked.f, argument, result, known, refused, asked.process, asked.index, returned
        )
        objects.setdefault(key, []).append(operation)
    return objects or None


def _is_plain(asked: Op, done: Op | None) -> bool:
    """Whether neither tells a slot: an order by the log is a better certificate than one that was made up."""
    return asked.slot is None and (done is None or done.slot is None)


def _is_pair(value: Any) -> bool:
    return type(value) is tuple and len(value) == 2
