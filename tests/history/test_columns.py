"""Columns say the same as the history they were made from."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.history import History, Journal, Op, read_columns
from ostrakon.harness.history.columns import FAIL, INFO, NEVER, OK, Columns
from ostrakon.harness.history.op import UnsuitableHistory
from ostrakon.harness.history.value import freeze

processes = st.integers(0, 3) | st.just("nemesis")
values = st.none() | st.integers(0, 3) | st.lists(st.integers(0, 2), max_size=2)


@st.composite
def any_history(draw: st.DrawFn) -> History:
    """Anything that can be written down, sensible or not: completions of nothing, too."""
    count = draw(st.integers(0, 25))
    return History(
        Op(
            index,
            draw(st.integers(0, 9)),
            draw(st.sampled_from(["invoke", "ok", "fail", "info"])),
            draw(processes),  # type: ignore[arg-type]
            draw(st.sampled_from(["read", "write"])),
            draw(values),
            slot=draw(st.none() | st.integers(0, 3)),
        )
        for index in range(count)
    )


@given(any_history())
def test_each_row_is_an_invocation_with_its_completion(history: History) -> None:
    columns = history.columns
    pairs = list(history.pairs)

    assert len(columns) == len(pairs)
    for row, (asked, answered) in enumerate(pairs):
        kind = {"ok": OK, "fail": FAIL, "info": INFO}[answered.type if answered else "info"]
        closed = answered is not None and answered.type != "info"
        assert columns.invoked[row] == asked.index
        assert columns.returned[row] == (answered.index if answered and closed else NEVER)
        assert columns.outcome[row] == kind
        assert columns.process[row] == asked.process
        assert columns.fs[columns.f[row]] == asked.f
        assert columns.values[columns.argument[row]] == freeze(asked.value)
        assert columns.values[columns.result[row]] == (freeze(answered.value) if answered else None)
        assert columns.slot[row] == (-1 if answered is None or answered.slot is None else answered.slot)
        assert columns.invoke_time[row] == asked.time
        assert columns.return_time[row] == (answered.time if answered and closed else NEVER)


@given(any_history(), st.integers(1, 7))
def test_it_makes_no_difference_in_what_pieces_a_history_comes(history: History, size: int) -> None:
    pieces = [history[at : at + size] for at in range(0, len(history), size)]

    assert same(Columns.gather(pieces), history.columns)


def test_columns_are_read_from_a_file_as_from_a_history(tmp_path: Path) -> None:
    history = History(
        Op(index, index, "ok" if index % 2 else "invoke", index // 2 % 3, "write", [index // 2])
        for index in range(50)
    )
    with Journal(tmp_path / "history.jsonl") as journal:
        for op in history:
            journal.write(op)

    assert same(read_columns(tmp_path / "history.jsonl"), history.columns)


def test_rows_can_be_taken() -> None:
    columns = History([Op(0, 0, "invoke", 0, "read"), Op(1, 1, "invoke", 1, "write", 7)]).columns

    assert columns.take(columns.is_f("write")).process.tolist() == [1]
    assert columns.is_f("read", "write", "cas").all()
    assert not columns.is_f("cas").any()


@given(st.recursive(st.integers(0, 3), lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner)))
def test_equal_values_freeze_to_equal_ones_that_can_be_hashed(value: object) -> None:
    import copy

    assert freeze(value) == freeze(copy.deepcopy(value))
    assert hash(freeze(value)) == hash(freeze(copy.deepcopy(value)))
    assert freeze([value]) != freeze([value, value])


def same(one: Columns, other: Columns) -> bool:
    arrays = ("invoked", "returned", "outcome", "process", "f", "argument", "result", "slot")
    return (one.fs, one.values) == (other.fs, other.values) and all(
        getattr(one, name).tolist() == getattr(other, name).tolist() for name in arrays
    )


@pytest.mark.parametrize("op", [Op(0, 0, "invoke", 1 << 70, "read"), Op(0, 1 << 70, "invoke", 0, "read")])
def test_numbers_that_no_recorder_writes_are_refused_in_words(op: Op) -> None:
    with pytest.raises(UnsuitableHistory, match="takes more than 64 bits"):
        Columns.of([op])
