"""Cores stand on this: to say less about a history never makes a linearizable one impossible."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from ostrakon.checkers.linearizability import Model, wing_gong_lowe
from ostrakon.checkers.linearizability.core import (
    beginning_with,
    forget,
    leave_out,
    looks,
    unobservable,
    until,
)
from ostrakon.checkers.linearizability.fabrication import EXEMPLARS, fabricate
from ostrakon.checkers.linearizability.parts import parts_of
from ostrakon.checkers.models import named
from ostrakon.checkers.models.model import operations
from ostrakon.harness.history.columns import INFO, Columns

HISTORIES = 120


def possible(columns: Columns, model: Model) -> bool:
    found = wing_gong_lowe(list(operations(columns)), model).linearizable
    assert found is not None
    return found


def objects(exemplar: str, stale: float) -> Iterator[Columns]:
    """What happened to single objects, some of it refused and some of it unknown."""
    rng = random.Random(exemplar)
    model = named(EXEMPLARS[exemplar].model)
    for _ in range(HISTORIES):
        history = fabricate(
            EXEMPLARS[exemplar], rng.randrange, operations=9, clients=3, unknown=0.3, stale=stale
        )
        parts = parts_of(history.columns, model, "compared unequal")
        yield from (parts.columns.take(rows) for rows in parts.rows())


@pytest.mark.parametrize("exemplar", EXEMPLARS)
def test_a_possible_history_stays_possible(exemplar: str) -> None:
    model = named(EXEMPLARS[exemplar].model)
    rng = random.Random(1)
    weakened = 0
    for columns in objects(exemplar, stale=0.0):
        some = np.array([rng.random() < 0.5 for _ in range(len(columns))], bool)
        overwriting = [op for op in operations(columns) if op.known and model.overwrites(op)]
        weaker = [
            forget(columns, some),
            leave_out(columns, some & looks(columns, model)),
            until(columns, rng.randrange(20)),
            *(beginning_with(columns, model, op) for op in overwriting),
        ]
        assert all(possible(each, model) for each in weaker)
        weakened += sum(len(each) < len(columns) for each in weaker)
    assert weakened > HISTORIES / 4


@pytest.mark.parametrize("exemplar", EXEMPLARS)
def test_what_is_called_unobservable_makes_no_difference_at_all(exemplar: str) -> None:
    model = named(EXEMPLARS[exemplar].model)
    verdicts = []
    for columns in objects(exemplar, stale=0.3):
        some = np.array([at % 2 == 0 for at in range(len(columns))], bool)
        for each in (columns, forget(columns, some & (columns.outcome != INFO))):
            fewer = each.take(~unobservable(each, model))
            assert possible(fewer, model) == possible(each, model)
            verdicts.append((len(fewer) < len(each), possible(each, model)))
    assert (True, True) in verdicts
    assert len({valid for _, valid in verdicts}) == 2, "vacuous: all of them were possible, or none"
