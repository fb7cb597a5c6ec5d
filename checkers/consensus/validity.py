"""Validity for clients: each decision was proposed by a client."""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.checkers.consensus.answers import ANSWERS
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def validity(history: History, *, ask: str = "propose", fs: tuple[str, ...] = ANSWERS) -> Verdict:
    """Check that each decision in an answer is the value of an `ask` op that was invoked before the
    answer."""
    if not any(op.f in fs for op in history.where(type="ok")):
        return Verdict.unknown("nobody was told of any decision, so none could be invalid")
    return Verdict.of(_from_nowhere(history, ask, fs))


def _from_nowhere(history: History, ask: str, fs: tuple[str, ...]) -> Iterator[Anomaly]:
    """One anomaly for each value, at its first answer."""
    known: set[Key] = set()
    for op in history.clients:
        if op.type == "invoke" and op.f == ask:
            known.add(canonical(op.value))
        elif op.type == "ok" and op.f in fs and (key := canonical(op.value)) not in known:
            known.add(key)
            late = _asked_later(history, op, key, ask)
            by = f" by {op.node}" if op.node is not None else ""
            when = "until later" if late else "at all"
            yield Anomaly(
                "value from nowhere",
                f"process {op.process} was told{by} that {value_text(op.value)} is decided, "
                f"which nobody had asked for {when}",
                (op, *late),
            )


def _asked_later(history: History, answer: Op, key: Key, ask: str) -> tuple[Op, ...]:
    later = (
        op
        for op in history.where(f=ask, type="invoke")
        if op.index > answer.index and canonical(op.value) == key
    )
    return tuple(op for op in (next(later, None),) if op is not None)
