"""Short histories are decided op by op, with the same verdicts as by arrays."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.checkers.linearizability import linearizable, wing_gong_lowe
from ostrakon.checkers.linearizability.fabrication import EXEMPLARS
from ostrakon.checkers.linearizability.parts import parts_of
from ostrakon.checkers.linearizability.small import OPS_AT_MOST, decide_small
from ostrakon.checkers.models import named
from ostrakon.checkers.models.model import operations
from ostrakon.checkers.strategies import histories
from ostrakon.harness.history import History, Op


@pytest.mark.parametrize("name", EXEMPLARS)
@given(data=st.data())
def test_what_is_found_in_a_short_history_is_what_arrays_say(name: str, data: st.DataObject) -> None:
    history = data.draw(histories(name))
    model = named(EXEMPLARS[name].model)

    verdict = decide_small(history, model, "compared unequal")

    if verdict is not None:
        parts = parts_of(history.columns, model, "compared unequal")
        found = [
            wing_gong_lowe(list(operations(parts.columns.take(rows))), model).linearizable
            for rows in parts.rows()
        ]
        assert all(found)
        assert verdict.details["operations"] == len(parts.columns)
        assert verdict.details["objects"] == len(parts.keys) or model.key is not None
        assert linearizable(history.columns, model, fail_means="compared unequal").valid == "valid"


def test_an_impossible_or_a_long_history_is_left_to_the_others() -> None:
    bad = History([Op(0, 0, "invoke", 0, "read"), Op(1, 1, "ok", 0, "read", 7)])
    long = History(Op(at, at, "ok" if at % 2 else "invoke", 0, "write", 1) for at in range(OPS_AT_MOST + 2))

    assert decide_small(bad, named("register"), "did not happen") is None
    assert decide_small(long, named("register"), "did not happen") is None
    assert linearizable(bad, "register").valid == "invalid"
    assert linearizable(long, "register").valid == "valid"


def test_a_hard_short_history_costs_no_more_than_a_few_hundred_steps() -> None:
    draw = random.Random(3)
    ops = [Op(at, at, "invoke", at, "add", 1 + draw.randrange(9)) for at in range(14)]
    ops += [Op(14, 14, "invoke", 99, "read"), Op(15, 15, "ok", 99, "read", 200)]

    assert decide_small(History(ops), named("counter"), "did not happen") is None
