from __future__ import annotations

from collections.abc import Callable

from ostrakon.checkers.run.termination import termination as unbound
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import NEMESIS, History, Op


def termination(history: History, is_answer: Callable[[Op], bool] = lambda op: op.type == "ok") -> Verdict:
    return unbound(history, node_of=lambda process: f"n{process}", is_answer=is_answer)


HEAL = Op(0, 0, "info", NEMESIS, "heal")


def asked(times: int, *, process: int = 1, answer: str = "fail", start: int = 1) -> list[Op]:
    ops: list[Op] = []
    for number in range(times):
        index = start + 2 * number
        ops.append(Op(index, index, "invoke", process, "get"))
        ops.append(Op(index + 1, index + 1, answer, process, "get"))  # type: ignore[arg-type]
    return ops


def test_a_node_that_answers_in_the_end_passes() -> None:
    history = History([HEAL, *asked(20), Op(41, 41, "invoke", 1, "get"), Op(42, 42, "ok", 1, "get", "v")])

    assert termination(history).valid == "valid"


def test_a_node_that_never_answers_after_the_faults_is_named() -> None:
    verdict = termination(History([HEAL, *asked(20, process=3)]))

    assert verdict.valid == "invalid"
    assert verdict.anomalies[0].name == "no progress"
    assert "n3" in verdict.why


def test_a_no_is_an_answer_where_the_workload_says_so() -> None:
    denied, silent = asked(20, process=3), asked(20, process=4, answer="info", start=41)

    verdict = termination(History([HEAL, *denied, *silent]), is_answer=lambda op: op.type == "fail")

    assert ["n4" in anomaly.why for anomaly in verdict.anomalies] == [True]


def test_silence_while_faults_last_is_forgiven() -> None:
    before = [*asked(20, start=0), Op(40, 40, "info", NEMESIS, "heal")]
    after = [Op(41, 41, "invoke", 1, "get"), Op(42, 42, "ok", 1, "get", "v")]

    assert termination(History([*before, *after])).valid == "valid"


def test_a_node_that_was_hardly_asked_is_not_condemned() -> None:
    assert termination(History([HEAL, *asked(3)])).valid == "valid"


def test_the_empty_history_tells_nothing() -> None:
    assert termination(History()).valid == "unknown"
