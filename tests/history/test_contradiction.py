"""A history whose ops contradict one another is found out, and what is recorded as it should be never is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from ostrakon.checkers.strategies import histories
from ostrakon.harness.history import ContradictoryFile, History, Journal, Op, read_any
from ostrakon.harness.history.contradiction import contradiction

SHARED = Path(__file__).parents[3] / "shared" / "data" / "histories"

ASKED, ANSWERED = Op(0, 10, "invoke", 0, "read"), Op(1, 20, "ok", 0, "read", 7)

CONTRADICTIONS = [
    ([ASKED, Op(1, 9, "ok", 0, "read")], 1, "time is 9, and 10 came before"),
    ([ASKED, Op(1, 9, "info", "nemesis", "cut")], 1, "time is 9"),
    ([ANSWERED, ASKED], 0, "type is 'ok', but process 0 had invoked nothing"),
    ([ASKED, Op(1, 20, "ok", 1, "read")], 1, "type is 'ok', but process 1 had invoked nothing"),
    ([ASKED, ANSWERED, Op(2, 30, "fail", 0, "read")], 2, "type is 'fail', but process 0 had invoked nothing"),
    ([ASKED, Op(1, 20, "invoke", 0, "write", 1)], 1, "process is 0, whose 'read' of op 0 is not over"),
    ([ASKED, Op(1, 20, "ok", 0, "write", 1)], 1, "f is 'write', but what process 0 had invoked, in op 0, is"),
    (
        [ASKED, Op(1, 20, "info", 0, "read"), Op(2, 30, "invoke", 0, "read")],
        2,
        "process is 0, of whose 'read' nothing is known since op 1",
    ),
]


@pytest.mark.parametrize(("ops", "at", "why"), CONTRADICTIONS)
def test_the_first_op_that_cannot_be_is_named_with_its_field(ops: list[Op], at: int, why: str) -> None:
    found = contradiction(ops)

    assert found is not None
    assert (found.at, found.why[: len(why)]) == (at, why)


@given(histories("cas-register"))
def test_what_was_recorded_as_it_should_be_does_not_contradict_itself(history: History) -> None:
    assert contradiction(history) is None


def test_completions_alone_are_complete_operations() -> None:
    assert contradiction([Op(0, 0, "ok", 0, "txn", []), Op(1, 1, "ok", 0, "txn", [])]) is None


@pytest.mark.parametrize(("ops", "at", "why"), CONTRADICTIONS)
def test_a_file_is_refused_at_the_line_and_read_up_to_there_when_asked_to(
    tmp_path: Path, ops: list[Op], at: int, why: str
) -> None:
    path = tmp_path / "history.jsonl"
    with Journal(path) as journal:
        for index, op in enumerate(ops):
            journal.write(Op(index, op.time, op.type, op.process, op.f, op.value))

    with pytest.raises(ContradictoryFile) as caught:
        read_any(path)

    assert caught.value.line == at + 1
    assert len(read_any(path, keep_undamaged=True).history) == at
    assert len(read_any(path, as_is=True).history) == len(ops)


def test_the_line_is_that_of_the_op_where_ops_are_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "history.edn"
    path.write_text("[{:type :invoke :f :read :process 0}\n\n {:type :invoke\n  :f :read :process 0}]")

    with pytest.raises(ContradictoryFile, match="whose 'read' of op 0 is not over") as caught:
        read_any(path)

    assert caught.value.line == 4


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no recorded histories in {SHARED}")
def test_times_of_jepsens_threads_may_run_backwards() -> None:
    recorded = read_any(SHARED / "knossos" / "mutex" / "bad" / "etcd.edn").history

    assert contradiction(recorded) is not None
    assert contradiction(recorded, times=False) is None
