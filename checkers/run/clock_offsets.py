"""How far the nodes' clocks were off, as the nemesis measured it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def clock_offsets(history: History, *, at_most_s: float | None = None) -> Verdict:
    """No clock was ever further off than allowed, forwards or backwards.

    Offsets are the values of the nemesis's `clock-offsets` ops: {node: seconds}. `details["series"]` has for
    each node a list of [seconds since the trial began, offset in seconds], and `worst_s` the largest.
    Without a limit it is valid; unknown if nothing was measured.
    """
    measured = [(op, op.value) for op in history.nemesis if _measures(op)]
    series: dict[str, list[list[float]]] = {}
    for op, offsets in measured:
        for node, offset_s in offsets.items():
            series.setdefault(str(node), []).append([op.time / 1e9, offset_s])
    if not series:
        return Verdict.unknown("no clock was ever compared")
    worst_s = {
        node: max((offset for _, offset in points), key=abs) for node, points in sorted(series.items())
    }
    return Verdict.of(_too_far(measured, at_most_s), series=series, worst_s=worst_s)


def _measures(op: Op) -> bool:
    return op.f == "clock-offsets" and isinstance(op.value, Mapping)


def _too_far(measured: list[tuple[Op, Mapping[Any, float]]], at_most_s: float | None) -> Iterator[Anomaly]:
    for op, offsets in measured:
        for node, offset_s in offsets.items():
            if at_most_s is not None and abs(offset_s) > at_most_s:
                why = f"the clock of {node} was off by {offset_s:g} s, where {at_most_s:g} s is allowed"
                yield Anomaly("clock too far off", why, (op,))
