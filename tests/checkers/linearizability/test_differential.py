"""All methods against the referee: on histories small enough for it, there must be no difference, ever."""

from __future__ import annotations

import random

import pytest

from ostrakon.checkers.linearizability import wing_gong_lowe
from ostrakon.checkers.linearizability.deciding import decide
from ostrakon.checkers.linearizability.decision import Budget, Linearized
from ostrakon.checkers.linearizability.fabrication import EXEMPLARS, fabricate
from ostrakon.checkers.linearizability.parts import Parts, parts_of
from ostrakon.checkers.linearizability.register_search import RegisterSearch
from ostrakon.checkers.linearizability.replay import fault_of
from ostrakon.checkers.linearizability.search import Search
from ostrakon.checkers.models import named
from ostrakon.checkers.models.model import Model, operations
from ostrakon.harness.history import History

QUICK, FUZZ, SOAK = 600, 5_000, 60_000
"""How many histories of each exemplar `make test` decides, continuous integration, and a soak."""


@pytest.mark.parametrize("exemplar", EXEMPLARS)
def test_every_method_agrees_with_the_referee(exemplar: str) -> None:
    compare(exemplar, QUICK, seed=1)


@pytest.mark.fuzz
@pytest.mark.parametrize("exemplar", EXEMPLARS)
def test_every_method_agrees_with_the_referee_on_a_hundred_thousand_histories(exemplar: str) -> None:
    compare(exemplar, FUZZ, seed=3)


@pytest.mark.soak
@pytest.mark.parametrize("exemplar", EXEMPLARS)
def test_every_method_agrees_with_the_referee_on_a_million_histories(exemplar: str) -> None:
    compare(exemplar, SOAK, seed=2)


def test_there_are_as_many_as_the_names_say() -> None:
    assert FUZZ * len(EXEMPLARS) >= 100_000
    assert SOAK * len(EXEMPLARS) >= 1_000_000


def compare(exemplar: str, histories: int, seed: int) -> None:
    """Decide many histories by all methods. Both answers must come up, or nothing was tested."""
    rng = random.Random(f"{exemplar} {seed}")
    model = named(EXEMPLARS[exemplar].model)
    possible = impossible = 0
    for _ in range(histories):
        history = small(exemplar, rng)
        means = rng.choice(["did not happen", "compared unequal"])
        parts = parts_of(history.columns, model, means)  # type: ignore[arg-type]
        truth = agreed(history, parts, model)
        possible, impossible = possible + truth, impossible + (not truth)
    assert possible > histories / 10
    assert impossible > histories / 200


def small(exemplar: str, rng: random.Random) -> History:
    return fabricate(
        EXEMPLARS[exemplar],
        rng.randrange,
        operations=rng.randrange(1, 10),
        clients=rng.randrange(1, 6),
        unknown=rng.choice([0.0, 0.4]),
        stale=rng.choice([0.0, 0.2]),
        lost=rng.choice([0.0, 0.0, 0.2]),
        invented=rng.choice([0.0, 0.0, 0.2]),
    )


def agreed(history: History, parts: Parts, model: Model) -> bool:
    """Whether it is linearizable, as the referee and everyone else says; each order they give is replayed."""
    truth = True
    for rows in parts.rows():
        columns = parts.columns.take(rows)
        ops = list(operations(columns))
        refereed = wing_gong_lowe(ops, model)
        assert refereed.linearizable is not None
        searches: list[Search | RegisterSearch] = [Search(ops, model)]
        if model.registers and (registers := model.registers(columns)):
            searches.append(RegisterSearch(registers))
        for search in searches:
            found = search.run(10**9)
            assert isinstance(found, Linearized) == refereed.linearizable, list(history)
            if isinstance(found, Linearized):
                assert fault_of([ops[i] for i in found.order.tolist()], ops, model) is None, list(history)
        truth &= refereed.linearizable
    decisions = decide(parts, model, Budget())
    assert (decisions.impossible is None) == truth, list(history)
    return truth
