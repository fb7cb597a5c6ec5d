"""The checker of backups: a history that it passes, those that it fails, and an empty one."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ostrakon.harness.history import History, Op
from ostrakon.workloads.backup import KEYS, prefixes


def history(*done: tuple[str, Any, int | None]) -> History:
    """Operations one after the other, each by a process of its own, that were acknowledged at a slot."""
    ops: list[Op] = []
    for process, (f, given, slot) in enumerate(done):
        value = given if f == "add" else [slot, given]
        ops.append(Op(len(ops), len(ops), "invoke", process, f, value if f == "add" else None))
        ops.append(Op(len(ops), len(ops), "ok", process, f, value, slot=slot))
    return History(ops)


def lists(*held: list[Any]) -> dict[str, list[Any]]:
    return dict(zip(KEYS, (*held, *([] for _ in KEYS)), strict=False))


ONE, TWO = ("add", ["b0", 1], 1), ("add", ["b1", 2], 2)


def test_backups_of_one_slot_each_pass() -> None:
    verdict = prefixes(
        history(("backup", lists(), 0), ONE, ("backup", lists([1]), 1), TWO, ("read", lists([1], [2]), 2))
    )

    assert verdict.valid == "valid"


@pytest.mark.parametrize(
    ("name", "done"),
    [
        ("acknowledged element missing", (ONE, TWO, ("backup", lists([1]), 1))),
        ("phantom", (ONE, ("backup", lists([1], [2]), 1))),
        ("not a prefix", (ONE, ("backup", lists([1]), 1), ("backup", lists([], [2]), 2))),
    ],
)
def test_a_backup_that_is_no_prefix_is_told(name: str, done: tuple[tuple[str, Any, int], ...]) -> None:
    verdict = prefixes(history(*done))

    assert verdict.valid == "invalid"
    assert name in {anomaly.name for anomaly in verdict.anomalies}


def test_one_list_of_a_later_slot_than_another_is_told() -> None:
    """While the backup was taken, both were added one after the other, and it has only the second."""
    ops = [
        Op(0, 0, "invoke", 9, "backup"),
        *(replace(op, index=op.index + 1) for op in history(ONE, TWO)),
        Op(5, 5, "ok", 9, "backup", [0, lists([], [2])]),
    ]

    assert [each.name for each in prefixes(History(ops)).anomalies] == ["earlier element missing"]


def test_without_a_backup_there_is_nothing_to_judge() -> None:
    assert prefixes(history()).valid == "unknown"
