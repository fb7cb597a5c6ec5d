"""Every model against its definition, on all tiny histories and on random ones: they never disagree."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from ostrakon.checkers.transactions import MODELS, consistency, list_append, rw_register
from ostrakon.checkers.transactions.replay import Replay
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History
from tests.checkers.transactions import oracle, tiny
from tests.checkers.transactions.oracle import Tiny


def test_every_history_of_two_transactions_is_judged_by_definition() -> None:
    for history in tiny.every(2):
        judged_by_definition(history)


def test_a_sample_of_the_histories_of_three_and_four_transactions_is_judged_by_definition() -> None:
    for transactions, parts in ((3, 200), (4, 10_000)):
        for history in tiny.every(transactions, parts=parts):
            judged_by_definition(history)


@pytest.mark.parametrize("seed", range(150))
def test_random_registers_are_judged_by_definition(seed: int) -> None:
    rng = random.Random(seed)
    judged_by_definition(tiny.draw(rng, rng.randint(2, 4)))


@pytest.mark.parametrize("seed", range(150))
def test_random_lists_are_judged_by_definition(seed: int) -> None:
    rng = random.Random(seed)
    lists_judged_by_definition(rng, tiny.draw(rng, rng.randint(2, 4)))


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(20))
def test_every_history_of_three_transactions_is_judged_by_definition(part: int) -> None:
    for history in tiny.every(3, part=part, parts=20):
        judged_by_definition(history)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(400))
def test_every_history_of_four_transactions_is_judged_by_definition(part: int) -> None:
    for history in tiny.every(4, part=part, parts=400):
        judged_by_definition(history)


def _parts(in_fuzz: int, parts: int) -> list[Any]:
    """So many parts of a test that continuous integration runs, and the others for a soak."""
    return [
        pytest.param(part, marks=pytest.mark.fuzz if part < in_fuzz else pytest.mark.soak)
        for part in range(parts)
    ]


@pytest.mark.parametrize("part", _parts(100, 1_000))
def test_a_million_random_histories_are_judged_by_definition(part: int) -> None:
    """A hundred thousand of them in continuous integration, 3 seconds a thousand."""
    for seed in range(1_000 * part, 1_000 * (part + 1)):
        rng = random.Random(f"levels {seed}")
        random_judged_by_definition(rng, seed, 4 if seed % 10 == 0 else 3)


@pytest.mark.parametrize("part", _parts(2, 200))
def test_random_histories_of_five_transactions_are_judged_by_definition(part: int) -> None:
    for seed in range(100 * part, 100 * (part + 1)):
        random_judged_by_definition(random.Random(f"five {seed}"), seed, 5)


def random_judged_by_definition(rng: random.Random, seed: int, transactions: int) -> None:
    history = tiny.draw(rng, transactions)
    if seed % 2:
        lists_judged_by_definition(rng, history)
    else:
        judged_by_definition(history)


def judged_by_definition(history: Sequence[Tiny]) -> None:
    agrees(
        rw_register(tiny.recorded(history), every_model=True),
        tiny.recorded(history),
        oracle.satisfied(history),
    )


def lists_judged_by_definition(rng: random.Random, history: Sequence[Tiny]) -> None:
    orders = tiny.chains(rng, history)
    shown = tiny.shown(history, orders)
    recorded = tiny.recorded(history, orders)
    agrees(list_append(recorded, every_model=True), recorded, oracle.satisfied(history, shown))


def agrees(verdict: Verdict, recorded: History, satisfied: set[str]) -> None:
    """That a verdict says of each model what its definition says, and that its certificates hold."""
    if "certificates" not in verdict.details:
        assert "no committed transaction read anything" in verdict.why
        return
    details: Any = verdict.details
    proven = {weaker for model in details["satisfied"] for weaker in consistency.weaker(model)}
    broken = {stronger for model in details["violated"] for stronger in consistency.stronger(model)}
    assert details["undecided"] == [], recorded
    assert proven == satisfied, list(recorded)
    assert broken == set(MODELS) - satisfied, list(recorded)
    replay = Replay(recorded)
    assert details["certificates"].keys() == set(details["satisfied"])
    for certificate in details["certificates"].values():
        assert replay.fault(certificate) is None
