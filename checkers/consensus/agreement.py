"""Agreement for clients: all answers about a slot are equal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ostrakon.checkers.consensus.answers import ANSWERS, answers, teller
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def agreement(history: History, *, fs: tuple[str, ...] = ANSWERS) -> Verdict:
    """Check that any two `ok` answers about a slot are equal.

    An answer is the value of an `ok` op whose f is one of `fs`; ops without a slot are about slot 0.

    >>> told = History([
    ...     Op(0, 0, "invoke", 0, "propose", "x"), Op(1, 5, "ok", 0, "propose", "x", node="n1"),
    ...     Op(2, 6, "invoke", 1, "get"), Op(3, 9, "ok", 1, "get", "y", node="n2"),
    ... ])
    >>> agreement(told).why
    'process 0 was told by n1 that slot 0 is "x", process 1 was told by n2 that it is "y"'
    """
    told = answers(history, fs)
    if not told:
        return Verdict.unknown("nobody was told of any decision, so there was nothing to disagree about")
    return Verdict.of(_disagreements(told), answers=len(told))


def _disagreements(told: Iterable[Op]) -> Iterator[Anomaly]:
    """One anomaly for each further value of a slot after the first."""
    first: dict[int, dict[Key, Op]] = {}
    for op in told:
        slot = op.slot or 0
        values, key = first.setdefault(slot, {}), canonical(op.value)
        if values and key not in values:
            yield disagreement(next(iter(values.values())), op)
        values.setdefault(key, op)


def disagreement(earlier: Op, later: Op) -> Anomaly:
    """The anomaly of two different answers about one slot."""
    slot = later.slot or 0
    return Anomaly(
        "split decision",
        f"{teller(earlier)} that slot {slot} is {value_text(earlier.value)}, "
        f"{teller(later)} that it is {value_text(later.value)}",
        (earlier, later),
        details={"slot": slot},
    )
