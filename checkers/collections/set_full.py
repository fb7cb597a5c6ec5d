"""Growing sets that are read all the time: the outcome of each element from its `add` on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ostrakon.checkers.collections.sets import Adds, adds_of, repeated, strangers
from ostrakon.checkers.run.stats import QUANTILES, quantile
from ostrakon.checkers.shape import is_list, misfit
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op

_Read = tuple[Op, Op]
"""The invocation and the completion of a read."""


@dataclass(slots=True)
class _Element:
    asked: Op
    known: Op | None = None
    """The first op that proves that the element is in the set: the `ok` of its `add`, or a read that has
    it."""
    present: _Read | None = None
    """The last read, by its invocation, that has the element."""
    absent: _Read | None = None
    """The last read, by its invocation, that began after `known` and does not have the element."""

    @property
    def is_lost(self) -> bool:
        return self.absent is not None and (not self.present or self.present[0].index < self.absent[0].index)

    @property
    def stale_ns(self) -> int:
        """For how long the element was missing in reads after it was known."""
        return 0 if self.absent is None or self.known is None else self.absent[0].time - self.known.time


def set_full(history: History, *, linearizable: bool = False) -> Verdict:
    """Check a set: each read must have all elements that were known to be in the set before the read began.

    An op is `add` of an element, or `read` with a list. If a read lacks a known element and a later read has
    it, the element is stale; this is an anomaly only if the set must be `linearizable`. If no later read has
    it, the element is lost. `details` has the number of elements by outcome, and `stale_ms`, the times for
    which stale elements were missing. An element that no read has, and that no read had to have, is counted
    as `never_read`. If there are only such elements, the verdict is unknown.

    Each element is checked by itself. `linearizable(history, "set")` also checks that all reads fit one
    order.
    """
    reads = [(op, done) for op, done in history.pairs if op.f == "read" and done and done.type == "ok"]
    if not reads:
        return Verdict.unknown("the set was never read, so what became of its elements is not known")
    if (other := misfit((done for _, done in reads), "a list of elements", is_list)) is not None:
        return other
    adds = adds_of(history)
    elements = _followed(history, reads, adds)
    anomalies = list(_anomalies(reads, adds, elements.values(), linearizable))
    outcomes = _outcomes(elements.values())
    if not anomalies and not outcomes["stable"]:
        return Verdict.unknown(
            "no read shows an element, and none began after an add was acknowledged, so what became of the "
            "elements is not known",
            **outcomes,
        )
    return Verdict.of(anomalies, **outcomes)


def _followed(history: History, reads: list[_Read], adds: Adds) -> dict[Key, _Element]:
    elements = {key: _Element(op) for key, (op, _) in adds.items()}
    held = {done.index: {canonical(element) for element in done.value or ()} for _, done in reads}
    for op in history.where(type="ok"):
        for key in held.get(op.index, ()) if op.f == "read" else [canonical(op.value)]:
            if key in elements and elements[key].known is None:
                elements[key].known = op
    waiting = sorted(
        (
            (element.known.index, order, key)
            for order, (key, element) in enumerate(elements.items())
            if element.known
        ),
        reverse=True,
    )
    sure: dict[Key, None] = {}
    for asked, done in reads:
        while waiting and waiting[-1][0] < asked.index:
            sure[waiting.pop()[2]] = None
        for key in held[done.index] & elements.keys():
            elements[key].present = (asked, done)
        for key in sure.keys() - held[done.index]:
            elements[key].absent = (asked, done)
    return elements


def _anomalies(
    reads: list[_Read], adds: Adds, elements: Iterable[_Element], linearizable: bool
) -> Iterator[Anomaly]:
    for _, read in reads:
        yield from strangers(read, adds)
        yield from repeated(read)
    for element in elements:
        if element.absent is not None and (element.is_lost or linearizable):
            assert element.known is not None, element
            name = "lost element" if element.is_lost else "stale read"
            how = "and no later read has it" if element.is_lost else "although a later read has it again"
            why = f"{value_text(element.asked.value)} was in the set and then missing from a read, {how}"
            yield Anomaly(name, why, (element.asked, element.known, *element.absent))


def _outcomes(elements: Iterable[_Element]) -> dict[str, Any]:
    elements = list(elements)
    lost = [element for element in elements if element.is_lost]
    stale = sorted(element.stale_ns for element in elements if element.absent and not element.is_lost)
    return {
        "attempted": len(elements),
        "stable": sum(1 for element in elements if element.present and not element.is_lost),
        "lost": len(lost),
        "never_read": sum(1 for element in elements if not element.present and not element.absent),
        "stale": len(stale),
        "stale_ms": {name: quantile(stale, q) / 1e6 for name, q in QUANTILES.items()} if stale else {},
    }
