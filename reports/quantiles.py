"""Quantiles of latency, by `f` and over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ostrakon.harness.history import History
from ostrakon.reports.scale import round_step

QUANTILES = (0.5, 0.95, 0.99, 1.0)

_ENOUGH = 20
"""Ops in a window, on average, below which quantiles of it mean nothing."""


@dataclass(frozen=True, slots=True)
class Took:
    """One completed op: its invocation, its latency and its outcome. Times are nanoseconds."""

    f: str
    type: str
    time: int
    length: int


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Counts of one `f` by outcome, and the `quantiles` of the latency of its ok ops, in ns."""

    f: str
    ok: int
    fail: int
    info: int
    quantiles: tuple[float, ...] = ()


def took(history: History) -> list[Took]:
    """Every completed client op."""
    return [
        Took(op.f, done.type, op.time, max(0, done.time - op.time))
        for op, done in history.pairs
        if done is not None
    ]


def quantile(ordered: Sequence[float], part: float) -> float:
    """The smallest of the values that at least this part of them do not exceed."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def table(history: History) -> list[Quantiles]:
    """Counts and quantiles by `f`. Ops that never completed count as info."""
    lengths: dict[str, list[int]] = {}
    counts: dict[str, dict[str, int]] = {}
    for op, done in history.pairs:
        end = "info" if done is None else done.type
        of_f = counts.setdefault(op.f, {"ok": 0, "fail": 0, "info": 0})
        of_f[end] += 1
        if done is not None and end == "ok":
            lengths.setdefault(op.f, []).append(done.time - op.time)
    return [
        Quantiles(f, **counts[f], quantiles=_all_quantiles(sorted(lengths.get(f, ()))))
        for f in sorted(counts)
    ]


def _all_quantiles(ordered: Sequence[float]) -> tuple[float, ...]:
    return tuple(quantile(ordered, part) for part in QUANTILES) if ordered else ()


def quantile_name(part: float) -> str:
    """p50, p99, or max."""
    return "max" if part == 1.0 else f"p{part * 100:g}"


def windows(every: Sequence[Took]) -> dict[int, list[int]]:
    """The latencies of ok ops by the middle of the window they began in, ascending.

    Empty when the ops are so few that their quantiles would mean nothing.
    """
    oks = [one for one in every if one.type == "ok"]
    if len(oks) < 3 * _ENOUGH:
        return {}
    width = max(1, int(round_step(max(1, oks[-1].time) / min(24, len(oks) // _ENOUGH))))
    lengths: dict[int, list[int]] = {}
    for one in oks:
        lengths.setdefault(one.time // width * width + width // 2, []).append(max(1, one.length))
    return {middle: sorted(lengths[middle]) for middle in sorted(lengths)}
