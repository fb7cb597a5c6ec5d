"""Lists gathered from columns are those that the micro-ops tell of one by one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ostrakon.checkers.transactions.columns import micro_ops
from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.observed_lists import gather
from ostrakon.checkers.transactions.table import transactions
from ostrakon.harness.history import History, Op
from tests.checkers.transactions import tiny


@pytest.mark.parametrize("seed", range(100))
def test_lists_are_the_same_from_columns_and_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    drawn = tiny.draw(rng, rng.randint(2, 6))
    recorded = tiny.recorded(drawn, tiny.chains(rng, drawn))
    history = History(
        op if op.type != "ok" else ended(op, rng.choice(["ok", "ok", "fail", "info"])) for op in recorded
    )
    table = transactions(history)
    one, other = Findings(table), Findings(table)

    quick, slow = gather(table, one, micro_ops(table, "append")), gather(table, other)

    assert list(map(told, quick.values())) == list(map(told, slow.values()))
    assert one.anomalies == other.anomalies


def ended(op: Op, type_: Any) -> Op:
    return Op(op.index, op.time, type_, op.process, op.f, op.value)


def told(known: Any) -> dict[str, Any]:
    return {name: getattr(known, name) for name in known.__slots__ if name != "touched_by"}
