"""Causal reverse: a later write is visible and an earlier one, complete before it began, is not."""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.checkers.shape import is_list, misfit
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op

Write = tuple[Key, Op, Op | None]
"""The invocation of a write, and its completion."""


def causal_reverse(history: History) -> Verdict:
    """Check that a read that has a write also has all writes that were acknowledged before that write began.

    Ops are `write` of a unique value, and `read` with the list of all values. Strictly serializable stores
    have this property; serializable ones need not.
    """
    reads = list(history.where(f="read", type="ok"))
    if (other := misfit(reads, "a list of values", is_list)) is not None:
        return other
    writes = [(canonical(op.value), op, done) for op, done in history.pairs if op.f == "write"]
    if not writes or not any(read.value for read in reads):
        return Verdict.unknown("no read saw a write, so nothing can have been seen in the wrong order")
    anomalies = [anomaly for read in reads for anomaly in _reversed(read, writes)]
    return Verdict.of(anomalies, reads=len(reads), writes=len(writes))


def _reversed(read: Op, writes: list[Write]) -> Iterator[Anomaly]:
    """Only the write that began last is needed: writes that precede any other precede that one, too."""
    seen = {canonical(value) for value in read.value or ()}
    last = next((asked for key, asked, _ in reversed(writes) if key in seen), None)
    if last is None:
        return
    for key, asked, done in writes:
        if asked.index > last.index:
            return
        if key not in seen and done is not None and done.type == "ok" and done.index < last.index:
            missing, visible = value_text(asked.value), value_text(last.value)
            why = f"{missing} was written before writing {visible} began, and a read has {visible} without it"
            yield Anomaly("causal reverse", why, (asked, done, last, read))
