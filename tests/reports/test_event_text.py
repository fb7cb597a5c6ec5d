from __future__ import annotations

from typing import Any

import pytest

from ostrakon.harness.history import Op, OpType
from ostrakon.reports.event_text import answer, describe, label, question


def pair(f: str, asked: Any, answered: Any, ended: OpType = "ok") -> tuple[Op, Op]:
    return Op(0, 1, "invoke", 0, f, asked), Op(1, 2, ended, 0, f, answered)


@pytest.mark.parametrize(
    ("f", "asked", "answered", "told"),
    [
        ("write", 1, 1, "write 1"),
        ("read", None, 3, "read 3"),
        ("read", None, None, "read nil"),
        ("dequeue", None, None, "dequeue nil"),
        ("acquire", None, None, "acquire"),
        ("read", ["a", None], ["a", 9], "read a → 9"),
        ("read", ["a", None], ["a", None], "read a → nil"),
        ("propose", "x", "y", "propose x → y"),
        ("txn", [["append", "x", 1], ["r", "y", None]], [["append", "x", 1], ["r", "y", [2]]],
         "txn append x 1, r y [2]"),
        ("txn", [["r", "y", None]], [["r", "y", None]], "txn r y nil"),
    ],
)  # fmt: skip
def test_an_operation_is_told_by_what_it_asked_and_what_it_was_answered(
    f: str, asked: Any, answered: Any, told: str
) -> None:
    assert label(*pair(f, asked, answered)) == told


@pytest.mark.parametrize("ended", ["fail", "info"])
def test_what_did_not_succeed_answered_nothing(ended: OpType) -> None:
    op, done = pair("read", None, 7, ended)

    assert answer(op, done) == ""
    assert answer(op, None) == ""


def test_a_transaction_that_failed_is_told_by_what_it_was_to_do() -> None:
    op, done = pair("txn", [["append", "x", 1], ["r", "y", None]], None, "fail")

    assert question(op, done) == "append x 1, r y"


def test_an_operation_is_described_with_what_became_of_it() -> None:
    assert describe(*pair("read", None, None)) == (
        "process 0: read\ninvoked at 0.000000 s (op 0)\nok after 1 ns: nil (op 1)"
    )
