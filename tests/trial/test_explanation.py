"""What happened in a trial, in sentences."""

from __future__ import annotations

from typing import Any

from ostrakon.checkers import linearizable
from ostrakon.harness.explanation import explain, fault_spans
from ostrakon.harness.history import History, Op

CUT = {
    "id": 0,
    "kind": "partition",
    "at_ms": 400,
    "for_ms": 700,
    "grudge": {"n1": ["n2", "n3"], "n2": ["n1"], "n3": ["n1"]},
    "shape": "one",
}
EFFECT = {"fault": 0, "kind": "partition", "messages": 12, "stopped": [], "inert": False}


def op(time_ms: int, type: Any, process: Any, f: str, value: Any = None, node: str | None = None) -> Op:
    return Op(0, time_ms * 1_000_000, type, process, f, value, node=node)


def history(*ops: Op) -> History:
    return History(
        Op(index, op.time, op.type, op.process, op.f, op.value, node=op.node) for index, op in enumerate(ops)
    )


STALE = (
    op(100, "invoke", 0, "write", ["a", 1]),
    op(110, "ok", 0, "write", ["a", 1], "n1"),
    op(400, "info", "nemesis", "start-partition", CUT),
    op(500, "invoke", 1, "write", ["a", 2]),
    op(510, "ok", 1, "write", ["a", 2], "n2"),
    op(600, "invoke", 0, "read", ["a", None]),
    op(610, "ok", 0, "read", ["a", 1], "n1"),
    op(1100, "info", "nemesis", "stop-partition", {"id": 0, "messages": 12}),
)
LATER = (op(1200, "invoke", 1, "read", ["a", None]), op(1210, "ok", 1, "read", ["a", 2], "n2"))


def explained(*ops: Op, effects: Any = (EFFECT,)) -> Any:
    seen = history(*ops)
    (anomaly,) = linearizable(seen, "keyed-cas-register").to_json()["anomalies"]
    return explain(anomaly, seen, fault_spans(seen, effects))


def test_a_stale_read_is_told_with_nodes_times_and_the_fault_between() -> None:
    told = explained(*STALE, *LATER)

    assert told.headline == "n1 answered read a with 1, 0.09 s after n2 had acknowledged write a = 2"
    assert told.lines == (
        "0.40–1.10 s  fault: partition n1 | n2 n3, stopped 12 messages",
        "0.500–0.510 s  n2 acknowledged write a = 2 (process 1)",
        "0.600–0.610 s  n1 answered 1 to read a (process 0)",
        "n1 before that: 0.100–0.110 s  n1 acknowledged write a = 1 (process 0)",
        "later: 1.200–1.210 s  n2 answered 2 to read a (process 1)",
    )


def test_a_lost_write_and_a_stale_read_are_two_reasons() -> None:
    assert explained(*STALE, *LATER).manner == "stale read after write · another node"
    assert explained(*STALE).manner == "lost write · another node"


def test_a_restart_between_is_another_reason() -> None:
    kill = op(550, "info", "nemesis", "start-kill", {"id": 1, "kind": "kill", "nodes": ["n1"]})
    restarted = (*STALE[:5], kill, *STALE[5:])
    effect = {"fault": 1, "kind": "kill", "stopped": ["n1"], "inert": False}

    assert explained(*restarted, effects=(EFFECT, effect)).manner == (
        "lost write · another node · after a restart"
    )


def test_nothing_is_told_as_nil() -> None:
    lost = (
        op(0, "invoke", 0, "write", ["a", 1]),
        op(10, "ok", 0, "write", ["a", 1], "n1"),
        op(20, "invoke", 1, "read", ["a", None]),
        op(30, "ok", 1, "read", ["a", None], "n1"),
    )

    assert (
        explained(*lost).headline
        == "n1 answered read a with nil, 0.01 s after it had acknowledged write a = 1"
    )
    assert explained(*lost).manner == "lost write · same node"


def test_a_fault_is_told_with_begin_end_shape_and_aim() -> None:
    (span,) = fault_spans(history(*STALE), (EFFECT,))

    assert span.line() == "partition n1 | n2 n3, 0.40–1.10 s, stopped 12 messages"


def test_a_fault_without_effect_says_so() -> None:
    (span,) = fault_spans(history(*STALE), ({**EFFECT, "messages": 0, "inert": True},))

    assert span.line() == "partition n1 | n2 n3, 0.40–1.10 s, changed nothing"


def test_a_grudge_that_makes_no_groups_is_told_link_by_link() -> None:
    one_way = {**CUT, "grudge": {"n3": ["n1"]}}
    (span,) = fault_spans(history(op(400, "info", "nemesis", "start-partition", one_way)), ())

    assert span.aim == "n3 does not hear n1"
    assert span.end_ns is None


def test_an_empty_history_has_no_faults() -> None:
    assert fault_spans(History(), ()) == []
