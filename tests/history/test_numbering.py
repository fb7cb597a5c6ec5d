"""Messages call an op by the index that its file gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostrakon.checkers.collections.queues import queue
from ostrakon.checkers.keyed_histories import independent
from ostrakon.checkers.linearizability import linearizable
from ostrakon.harness.history import History, read_any

PART = """
{:index 40, :type :invoke, :process 0, :f :write, :value 1}
{:index 41, :type :ok, :process 0, :f :write, :value 1}
{:index 52, :type :invoke, :process 1, :f :read, :value nil%s}
{:index 57, :type :ok, :process 1, :f :read, :value 2}
"""


@pytest.mark.parametrize("extra", ["", ', :note "one that is read op by op"'])
def test_a_part_of_a_history_keeps_the_indexes_of_the_whole(tmp_path: Path, extra: str) -> None:
    history = _read(tmp_path, PART % extra)

    verdict = linearizable(history, "register")

    assert [op.index for op in history] == [40, 41, 52, 57]
    assert verdict.why == "a value was seen that nobody had written: there is no order for read -> 2 (52..57)"
    assert [op.index for op in verdict.anomalies[0].witness if hasattr(op, "index")] == [52, 57]


@pytest.mark.parametrize(
    "indexes", [(0, 1, 2, 3), (5, 5, 6, 7), (9, 8, 7, 6), ('"a"', 1, 2, 3), (-1, 0, 1, 2)]
)
def test_indexes_that_say_nothing_are_replaced_by_positions(
    tmp_path: Path, indexes: tuple[object, ...]
) -> None:
    text = PART % ""
    for old, new in zip((40, 41, 52, 57), indexes, strict=True):
        text = text.replace(f":index {old},", f":index {new},")

    assert [op.index for op in _read(tmp_path, text)] == [0, 1, 2, 3]


def test_a_key_apart_keeps_its_ops_of_the_whole(tmp_path: Path) -> None:
    text = PART.replace(":value 1", ":value [:k 1]").replace(":value 2", ":value [:k 2]")
    history = _read(tmp_path, (text % "").replace("write", "enqueue").replace("read", "dequeue"))

    verdict = independent(queue)(history)

    assert [op.index for op in verdict.anomalies[0].witness if hasattr(op, "index")] == [57]
    assert history.op(52).process == 1


def _read(folder: Path, text: str) -> History:
    path = folder / "history.edn"
    path.write_text(text)
    return read_any(path).history
