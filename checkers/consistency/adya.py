"""Adya's G2 as a test: two transactions each insert a row only if the other one's is not there."""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.checkers.shape import is_pair, misfit
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def g2(history: History) -> Verdict:
    """Of all `insert` ops of one key, at most one is ok.

    A value is [key, row]. Each client looks by a predicate whether the key has a row, and inserts one if it
    has none; that two of them succeed is a phantom, an anti-dependency on predicates (Adya 1999, 4.2.2).
    """
    succeeded = list(history.where(f="insert", type="ok"))
    if (other := misfit(succeeded, "[key, row]", is_pair)) is not None:
        return other
    inserted: dict[Key, list[Op]] = {}
    for op in succeeded:
        inserted.setdefault(canonical(op.value[0]), []).append(op)
    if not inserted:
        return Verdict.unknown("no insert succeeded")
    return Verdict.of(_phantoms(inserted), keys=len(inserted))


def _phantoms(inserted: dict[Key, list[Op]]) -> Iterator[Anomaly]:
    for ops in inserted.values():
        if len(ops) > 1:
            key = value_text(ops[0].value[0])
            why = f"{len(ops)} inserts of key {key} succeeded, each on condition that there was none"
            yield Anomaly("G2", why, tuple(ops))
