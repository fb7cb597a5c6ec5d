"""An invocation is completed by one call."""

from __future__ import annotations

from ostrakon.harness.history.op import Op

READ = Op(index=4, time=7, type="invoke", process=1, f="read")
WRITE = Op(index=4, time=7, type="invoke", process=1, f="write", value=3)


def test_a_completion_has_the_answer_as_its_value() -> None:
    assert READ.ok(3) == Op(index=4, time=7, type="ok", process=1, f="read", value=3)


def test_nothing_is_an_answer_too() -> None:
    assert WRITE.ok(None).value is None


def test_a_completion_without_an_answer_keeps_the_argument() -> None:
    assert WRITE.ok() == Op(index=4, time=7, type="ok", process=1, f="write", value=3)


def test_a_completion_tells_where_the_log_has_it_and_who_answered() -> None:
    completed = WRITE.ok(slot=9, ballot=(2, 1), node="n2")

    assert (completed.slot, completed.ballot, completed.node) == (9, (2, 1), "n2")
