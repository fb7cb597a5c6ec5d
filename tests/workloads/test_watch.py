"""The checker of watches: a history that it passes, those that it fails, and an empty one."""

from __future__ import annotations

from typing import Any

import pytest

from ostrakon.harness.history import History, Op
from ostrakon.workloads.watch import unbroken

Done = tuple[int, str, Any, int | None]
"""The process, `f`, the value, and the slot of a put."""


def history(*done: Done) -> History:
    """Operations one after the other, all of which were ok."""
    ops: list[Op] = []
    for process, f, value, slot in done:
        ops.append(Op(len(ops), len(ops), "invoke", process, f, value if f == "put" else None))
        ops.append(Op(len(ops), len(ops), "ok", process, f, value, slot=slot))
    return History(ops)


def watch(after: int, upto: int, *changes: list[Any], process: int = 0) -> Done:
    return process, "watch", [after, upto, list(changes)], None


PUT: Done = (9, "put", ["w0", 1], 2)
BEGIN, CHANGE = watch(0, 1), [2, "w0", 1]


@pytest.mark.parametrize(
    ("done", "valid"),
    [
        ((BEGIN, PUT, watch(1, 2, CHANGE)), "valid"),
        ((BEGIN, PUT, watch(1, 1), watch(1, 2, CHANGE)), "valid"),
        ((BEGIN, (9, "put", ["w0", 1], 4), watch(1, 4, CHANGE)), "valid"),
        ((PUT, watch(2, 3), watch(1, 2, CHANGE, process=1)), "valid"),
        ((BEGIN, PUT, watch(1, 2)), "change missing"),
        ((BEGIN, PUT, watch(1, 2, CHANGE), watch(2, 3, CHANGE)), "change told twice"),
        ((BEGIN, PUT, watch(1, 3, CHANGE, [3, "w0", 1])), "change told twice"),
        ((BEGIN, PUT, watch(1, 3, CHANGE, [3, "w1", 5])), "phantom change"),
        ((BEGIN, PUT, watch(1, 3, [3, "w1", None], CHANGE)), "changes out of order"),
        ((PUT, watch(1, 2, CHANGE), watch(0, 3, process=1)), "watchers differ"),
        ((PUT, watch(1, 3, CHANGE, [3, "w0", None]), watch(1, 3, CHANGE, process=1)), "watchers differ"),
        ((), "unknown"),
        ((PUT,), "unknown"),
    ],
)
def test_every_change_is_told_once_and_alike(done: tuple[Done, ...], valid: str) -> None:
    verdict = unbroken(history(*done))

    if verdict.valid == "invalid":
        assert valid in {anomaly.name for anomaly in verdict.anomalies}
    else:
        assert verdict.valid == valid
