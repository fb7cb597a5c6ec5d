"""Finds kinds of operation that never succeeded. A history shows nothing about these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ostrakon.harness.history.history import History


def fruitless(history: History, required: Iterable[str] = ()) -> Iterator[str]:
    """A phrase for each kind of operation that was invoked, or is `required`, and never succeeded."""
    tried = Counter(op.f for op in history.where(type="invoke"))
    succeeded = {op.f for op in history.where(type="ok")}
    if not tried:
        yield "no client did anything"
    for f in sorted({*tried, *required} - succeeded):
        times = tried[f]
        yield f"{f} never succeeded in {times} tries" if times else f"{f} was never tried"
