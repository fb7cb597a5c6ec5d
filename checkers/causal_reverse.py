"""Causal reverse: a later write is visible and an earlier one, complete before it began, is not."""

from __future__ import annotations

from collections.abc import Iterator

from checkers.value import Key, canonical, value_text
from checkers.verdict import Anomaly, Verdict
from harness.history import History, Op


def causal_reverse(history: History) -> Verdict:
    """If a read has one write, it has all that were acknowledged before that one began.

    Ops are `write` of a value of its own, and `read` with the list of all values. Strictly serializable
    stores keep to this; serializable ones need not.
    """
    reads = list(history.where(f="read", type="ok"))
    if not reads:
        return Verdict.unknown("nothing was read, so nothing can have been seen in the wrong order")
    return Verdict.of((anomaly for read in reads for anomaly in _reversed(read, history)), reads=len(reads))


def _reversed(read: Op, history: History) -> Iterator[Anomaly]:
    """Only the last to begin of those seen matters: whatever precedes any of them precedes that one."""
    seen = {canonical(value) for value in read.value or ()}
    last: Op | None = None
    done: dict[Key, tuple[Op, Op]] = {}
    for asked, ended in history.pairs:
        if asked.f == "write":
            key = canonical(asked.value)
            if key in seen:
                last = asked
            elif ended is not None and ended.type == "ok":
                done[key] = (asked, ended)
    for asked, ended in done.values():
        if last is not None and ended.index < last.index:
            missing, visible = value_text(asked.value), value_text(last.value)
            why = f"{missing} was written before writing {visible} began, and a read has {visible} without it"
            yield Anomaly("causal reverse", why, (asked, ended, last, read))
