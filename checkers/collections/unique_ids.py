"""Unique ids: no id is given twice."""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def unique_ids(history: History, *, f: str = "generate") -> Verdict:
    """Check that no two `ok` ops have the same value.

    >>> given = History([Op(0, 0, "ok", 0, "generate", 7), Op(1, 1, "ok", 1, "generate", 7)])
    >>> unique_ids(given).why
    '7 was given out more than once: to process 0 and to process 1'
    """
    given = list(history.where(f=f, type="ok"))
    if not given:
        return Verdict.unknown("no identifier was ever given out")
    return Verdict.of(_repeated(given), given=len(given))


def _repeated(given: list[Op]) -> Iterator[Anomaly]:
    first: dict[Key, Op] = {}
    for op in given:
        earlier = first.setdefault(canonical(op.value), op)
        if earlier is not op:
            whom = f"to process {earlier.process} and to process {op.process}"
            why = f"{value_text(op.value)} was given out more than once: {whom}"
            yield Anomaly("duplicate id", why, (earlier, op))
