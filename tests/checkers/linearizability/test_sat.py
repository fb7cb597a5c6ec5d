"""What a SAT solver says of queues, stacks and sets is what a plain search says."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.checkers.linearizability import Budget, linearizable, wing_gong_lowe
from ostrakon.checkers.linearizability.decision import Impossible, Linearized
from ostrakon.checkers.linearizability.fabrication import EXEMPLARS, Choose, Exemplar, fabricate
from ostrakon.checkers.linearizability.replay import fault_of
from ostrakon.checkers.linearizability.sat import Solver, SolverGaveUp, decide_by_sat
from ostrakon.checkers.models import named
from ostrakon.checkers.models.model import Operation, operations
from ostrakon.harness.history import History, Op


def _of_two_values(name: str) -> Exemplar:
    """The same object, which is asked for the same two values again and again."""
    inner = EXEMPLARS[name]

    def ask(choose: Choose, serial: int) -> tuple[str, Any]:
        f, argument = inner.ask(choose, serial)
        return f, None if argument is None else argument % 2

    return Exemplar(inner.model, inner.initial, ask, inner.answer)


OBJECTS = {
    "queue": EXEMPLARS["fifo-queue"],
    "queue of two values": _of_two_values("fifo-queue"),
    "stack": EXEMPLARS["stack"],
    "stack of two values": _of_two_values("stack"),
    "set": EXEMPLARS["set"],
}


def _operations(history: History, exemplar: Exemplar) -> list[Operation]:
    return list(operations(history.columns))


def _agree(ops: list[Operation], exemplar: Exemplar, solver: Solver = "g4") -> bool:
    model = named(exemplar.model)
    assert model.method is not None
    refereed = wing_gong_lowe(ops, model, max_steps=100_000)
    decision = decide_by_sat(ops, model.method, conflicts=None, solver=solver).decision
    match decision:
        case Linearized(order=order):
            assert fault_of([ops[row] for row in order.tolist()], ops, model) is None
            assert refereed.linearizable is not False
            return True
        case Impossible():
            assert not refereed.linearizable
            return False
        case SolverGaveUp():
            raise AssertionError("without a limit on conflicts there is an answer")


@pytest.mark.parametrize("solver", ["g4", "cd153"])
@pytest.mark.parametrize("name", OBJECTS)
def test_the_solver_agrees_with_a_plain_search(name: str, solver: Solver) -> None:
    exemplar = OBJECTS[name]
    seen = set()
    for seed in range(80):
        history = fabricate(
            exemplar, random.Random(seed).randrange, operations=9, clients=4,
            unknown=0.2, stale=0.1, lost=0.05, invented=0.1,
        )  # fmt: skip
        seen.add(_agree(_operations(history, exemplar), exemplar, solver))

    assert seen == {True, False}, "vacuous: all alike"


@given(data=st.data(), name=st.sampled_from(sorted(OBJECTS)))
@settings(deadline=None)
def test_the_solver_agrees_on_whatever_is_drawn(data: st.DataObject, name: str) -> None:
    def choose(below: int) -> int:
        return data.draw(st.integers(0, below - 1))

    history = fabricate(
        OBJECTS[name], choose, operations=data.draw(st.integers(0, 8)), clients=data.draw(st.integers(1, 4)),
        unknown=0.3, stale=0.1, lost=0.05, invented=0.05,
    )  # fmt: skip

    _agree(_operations(history, OBJECTS[name]), OBJECTS[name])


def _hard(name: str, seed: int, **shares: float) -> History:
    """Three values among ten clients: what a search through states does not end on."""
    inner = EXEMPLARS[name]

    def ask(choose: Choose, serial: int) -> tuple[str, Any]:
        f, argument = inner.ask(choose, serial)
        return f, None if argument is None else choose(3)

    exemplar = Exemplar(inner.model, inner.initial, ask, inner.answer)
    return fabricate(exemplar, random.Random(seed).randrange, operations=120, clients=10, **shares)


@pytest.mark.parametrize("name", ["stack", "fifo-queue"])
def test_long_histories_of_few_values_are_decided(name: str) -> None:
    without = Budget(nodes=3_000, conflicts=0)
    within = Budget(nodes=3_000)
    hard = [
        history
        for seed in range(12)
        if linearizable(history := _hard(name, seed), named(name), budget=without).valid == "unknown"
    ]

    verdicts = [linearizable(history, name, budget=within) for history in hard]

    assert len(hard) > 2, "vacuous: a search decides nearly all"
    assert {verdict.valid for verdict in verdicts} == {"valid"}
    assert {method for verdict in verdicts for method in verdict.details["methods"]} == {"sat"}


def test_what_the_solver_finds_impossible_is_confirmed() -> None:
    lies = [history for seed in range(20) if (history := _hard("fifo-queue", seed, stale=0.02))]
    verdicts = [linearizable(history, "fifo-queue", budget=Budget(nodes=2_000)) for history in lies[:8]]
    found = [v for v in verdicts if v.valid == "invalid" and v.details["methods"].get("sat")]

    assert found, "vacuous: nothing impossible was left to the solver"
    assert all("confirmed" in v.details["referee"] or "second SAT" in v.details["referee"] for v in found)


def test_a_set_that_shows_an_element_twice_or_an_answer_that_is_no_boolean_is_impossible() -> None:
    for f, value in (("read", [1, 1]), ("contains", 1), ("read", [1, 2])):
        history = History([
            Op(0, 0, "invoke", 0, "add", 1), Op(1, 1, "ok", 0, "add", 1),
            Op(2, 2, "invoke", 0, f, 1 if f == "contains" else None), Op(3, 3, "ok", 0, f, value),
        ])  # fmt: skip

        assert not _agree(_operations(history, OBJECTS["set"]), OBJECTS["set"])


def test_conflicts_are_a_budget() -> None:
    ops = _operations(_hard("stack", 3), OBJECTS["stack"])

    assert isinstance(decide_by_sat(ops, "stack", conflicts=1).decision, SolverGaveUp)
