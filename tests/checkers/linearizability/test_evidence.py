"""What comes with a verdict: an order that can be replayed, or a core that cannot be made smaller."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.checkers import linearizable
from ostrakon.checkers.linearizability import wing_gong_lowe
from ostrakon.checkers.linearizability.core import minimal_core
from ostrakon.checkers.linearizability.deciding import decide
from ostrakon.checkers.linearizability.decision import Budget, Impossible
from ostrakon.checkers.linearizability.fabrication import EXEMPLARS, fabricate
from ostrakon.checkers.linearizability.parts import parts_of, whole
from ostrakon.checkers.linearizability.replay import fault_of, fault_of_appends, fault_of_registers
from ostrakon.checkers.models import cas_register, named
from ostrakon.checkers.models.model import Operation, operations
from ostrakon.checkers.strategies import histories
from ostrakon.harness.history import Op
from ostrakon.harness.history.columns import INFO
from tests.checkers.linearizability.timeline import timeline

CONCURRENT = timeline(
    "[write 1]       [read -> 2]",
    "   [write 2]  [cas [1, 2]]",
    "[read nil]",
)


def orders_of(exemplar: str, seed: int) -> tuple[list[Operation], list[Operation]]:
    rng = random.Random(seed)
    history = fabricate(EXEMPLARS[exemplar], rng.randrange, operations=30, clients=3, unknown=0.1)
    ops = list(operations(parts_of(history.columns, cas_register(), "did not happen").columns))
    return ops, list(wing_gong_lowe(ops, cas_register()).order)


@pytest.mark.parametrize("seed", range(20))
def test_the_replayer_rejects_every_order_that_was_tampered_with(seed: int) -> None:
    ops, order = orders_of("cas-register, unique values", seed)
    known = next(i for i, op in enumerate(order) if op.known)
    last = max(range(len(order)), key=lambda i: order[i].invoked)

    assert fault_of(order, ops, cas_register()) is None
    assert "missing" in str(fault_of(order[:-1], ops, cas_register()))
    assert fault_of(order[:known] + order[known + 1 :], ops, cas_register()) is not None
    assert fault_of([*order, order[known]], ops, cas_register()) is not None
    assert fault_of([order[last], *order[:last], *order[last + 1 :]], ops, cas_register()) is not None


def test_an_answer_that_the_state_does_not_allow_is_a_fault() -> None:
    ops = list(operations(timeline("[write 1]  [read -> 2]").columns))

    assert "not allowed" in str(fault_of(ops, ops, cas_register()))


@pytest.mark.parametrize("name", ["cas-register", "kv", "list-append"])
@given(data=st.data(), rng=st.randoms(use_true_random=False))
@settings(deadline=None)
def test_both_replayers_say_the_same_of_any_order(name, data, rng) -> None:  # type: ignore[no-untyped-def]
    model = named(name)
    history = data.draw(histories(name))
    parts = parts_of(history.columns, model, "compared unequal")
    for rows in parts.rows():
        here = whole(parts.columns.take(rows), model)
        ops = list(operations(here.columns))
        order = [op.row for op in wing_gong_lowe(ops, model).order] or list(range(len(ops)))
        if len(order) > 1 and rng.random() < 0.7:
            i, j = rng.sample(range(len(order)), 2)
            order[i], order[j] = order[j], order[i]

        one = fault_of([ops[row] for row in order], ops, model)
        of_several, objects = (
            (fault_of_registers, here.registers)
            if here.registers is not None
            else (fault_of_appends, here.appends)
        )
        other = of_several(np.array(order, np.int64), objects, here.part)  # type: ignore[arg-type]
        assert (one is None) == (other is None), (one, other)


def test_a_valid_verdict_carries_the_order_of_invocations() -> None:
    verdict = linearizable(CONCURRENT, "cas-register")

    (told,) = verdict.details["linearization"]
    assert told["object"] is None
    asked = [CONCURRENT[at] for at in told["order"]]
    assert all(op.type == "invoke" for op in asked)
    assert [op.f for op in asked].index("cas") > [op.f for op in asked].index("write")


@pytest.mark.parametrize("exemplar", EXEMPLARS)
def test_every_core_is_impossible_and_cannot_be_weakened_further(exemplar: str) -> None:
    rng = random.Random(exemplar)
    model = named(EXEMPLARS[exemplar].model)
    shrunk = 0
    for _ in range(20):
        history = fabricate(
            EXEMPLARS[exemplar], rng.randrange, operations=12, clients=3, unknown=0.1, stale=0.3
        )
        parts = parts_of(history.columns, model, "did not happen")
        decisions = decide(parts, model, Budget())
        if (part := decisions.impossible) is None:
            continue
        rows = parts.rows()[part]
        found = decisions.by_part[part]
        assert isinstance(found, Impossible)
        here = replace(found, rows=np.flatnonzero(np.isin(rows, found.rows)))
        core, is_minimal = minimal_core(parts.columns.take(rows), model, here, Budget(), effort=None)

        assert is_minimal
        assert wing_gong_lowe(list(operations(core)), model).linearizable is False
        looks = [model.pure(op) for op in operations(core)]
        for row in range(len(core)):
            if looks[row]:
                fewer = list(operations(core.take(np.arange(len(core)) != row)))
                assert wing_gong_lowe(fewer, model).linearizable is True, "one more could have been left out"
        shrunk += int((core.outcome != INFO).sum() < (parts.columns.outcome[rows] != INFO).sum())
    assert shrunk > 0, "vacuous: nothing ever became smaller"


def test_a_core_names_the_write_that_made_the_answer_stale() -> None:
    history = timeline(
        "[write 1]  [read -> 1]  [write 2]            [read -> 2] [write 3]",
        "     [read -> 1]                  [read -> 1]      [cas [2, 5]",
    )

    verdict = linearizable(history, "cas-register")

    assert verdict.valid == "invalid"
    core = verdict.anomalies[0].details["core"]
    assert [(op["f"], op["argument"], op.get("result")) for op in core] == [
        ("write", 2, 2),
        ("read", None, 1),
    ]
    assert "write 2 (" in verdict.why
    assert "read -> 1 (" in verdict.why
    assert [op.index for op in verdict.anomalies[0].witness if isinstance(op, Op)] == sorted(
        at for op in core for at in (op["invoked"], op["returned"])
    )
    assert "confirmed" in verdict.details["referee"]


def test_the_verdict_is_plain_data() -> None:
    import json

    for history in (CONCURRENT, timeline("[write 1]  [read -> 2]")):
        json.dumps(linearizable(history, "cas-register").to_json())
