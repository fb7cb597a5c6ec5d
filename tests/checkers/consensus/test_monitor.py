"""A trial of consensus is watched: what clients are told, what they asked for, and what nodes do."""

from __future__ import annotations

from ostrakon.checkers.consensus import ConsensusMonitor
from ostrakon.harness.history import Event, Op

ASKED = Op(0, 0, "invoke", 0, "propose", "x")
TOLD = Op(1, 5, "ok", 0, "propose", "x", node="n1")


def test_two_clients_that_are_told_different_things_raise_an_alarm_at_the_second() -> None:
    monitor = ConsensusMonitor()

    said = [monitor.op(op) for op in (ASKED, TOLD, Op(2, 9, "ok", 1, "get", "y", node="n2"))]

    assert said[:2] == [None, None]
    assert said[2] == 'process 0 was told by n1 that slot 0 is "x", process 1 was told by n2 that it is "y"'


def test_two_slots_may_hold_different_things() -> None:
    monitor = ConsensusMonitor()

    assert [monitor.op(op) for op in (TOLD, Op(2, 9, "ok", 1, "get", "y", slot=1))] == [None, None]


def test_silence_and_refusals_are_no_answers() -> None:
    monitor = ConsensusMonitor()

    others = (Op(2, 6, "info", 1, "propose", "y"), Op(3, 7, "fail", 2, "get", "z"))

    assert [monitor.op(op) for op in (TOLD, *others)] == [None] * 3


def test_a_value_that_nobody_asked_for_raises_an_alarm_when_it_is_proposed() -> None:
    monitor = ConsensusMonitor()
    monitor.op(ASKED)

    asked_for, unasked = (
        monitor.event(Event(7, "n1", 0, 0, "propose_sent", ballot=(number, 1), value=value))
        for number, value in ((1, "x"), (2, "y"))
    )

    assert asked_for is None
    assert unasked is not None
    assert unasked.startswith("P1: ")


def test_a_broken_promise_raises_an_alarm() -> None:
    monitor = ConsensusMonitor()

    high, low = (Event(at, "n1", 0, at, "promise_sent", ballot=(2 - at, 1)) for at in range(2))

    assert monitor.event(high) is None
    assert "P7" in (monitor.event(low) or "")
