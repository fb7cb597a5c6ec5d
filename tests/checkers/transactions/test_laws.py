"""Laws that hold whatever the history: between models, and between a history and a part of it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.checkers.transactions import MODELS, consistency, list_append, rw_register
from ostrakon.checkers.transactions.levels import LEVELS
from ostrakon.harness.history import History, Op
from tests.checkers.transactions import tiny
from tests.checkers.transactions.oracle import Tiny

seeds = st.integers(0, 2**32)


def satisfied(history: History) -> set[str]:
    """All models that are proven for registers."""
    verdict = rw_register(history, every_model=True)
    if "satisfied" not in verdict.details:
        return set(MODELS)
    return {weaker for model in verdict.details["satisfied"] for weaker in consistency.weaker(model)}


def drawn(seed: int, most: int = 7) -> list[Tiny]:
    rng = random.Random(seed)
    return tiny.draw(rng, rng.randint(2, most))


def test_every_model_has_a_rule() -> None:
    assert LEVELS.keys() == set(MODELS)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_each_model_asked_for_alone_gives_the_verdict_that_all_together_give(seed: int) -> None:
    ops = tiny.recorded(drawn(seed, 5))

    holding = satisfied(ops)

    for model in MODELS:
        verdict = rw_register(ops, model, every_model=False)
        if "satisfied" in verdict.details:
            assert (verdict.valid == "valid") == (model in holding)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_a_transaction_that_nobody_read_from_can_be_left_out(seed: int) -> None:
    history = drawn(seed)
    read_from = {source for one in history for _, source in one.reads}

    before = satisfied(tiny.recorded(history))

    for at in range(len(history)):
        if at not in read_from:
            assert before <= satisfied(tiny.recorded(tiny.without(history, at)))


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_names_of_keys_and_values_do_not_matter(seed: int) -> None:
    ops = tiny.recorded(drawn(seed))

    def renamed(op: Op) -> Op:
        value = [[f, {"was": key}, None if v is None else [v, True]] for f, key, v in op.value]
        return Op(op.index, op.time, op.type, op.process, op.f, value)

    assert satisfied(ops) == satisfied(History(map(renamed, ops)))


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_one_key_alone_satisfies_what_all_keys_together_do(seed: int) -> None:
    ops = tiny.recorded(drawn(seed))

    def only(op: Op, key: str) -> Op:
        return Op(op.index, op.time, op.type, op.process, op.f, [m for m in op.value if m[1] == key])

    for key in "xyz":
        assert satisfied(ops) <= satisfied(History(only(op, key) for op in ops))


@pytest.mark.parametrize("seed", range(40))
def test_lists_that_show_the_order_of_their_versions_satisfy_no_more_than_registers_do(seed: int) -> None:
    rng = random.Random(seed)
    history = tiny.draw(rng, 4)
    verdict = list_append(tiny.recorded(history, tiny.chains(rng, history)), every_model=True)

    for model in verdict.details.get("satisfied", ()):
        assert consistency.weaker(model) <= satisfied(tiny.recorded(history))
