"""Counts and latencies of the ops of a history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any

from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History, Op

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def stats(history: History) -> Verdict:
    """Count the operations of each f by type, and compute the latencies of the `ok` ones.

    `details` has `all`, and an entry for each f in `by_f`. Each has the counts `invoke`, `ok`, `fail`, `info`
    and `open` (without a completion), and `latency_ms` with p50, p95, p99 and max. The verdict is valid, or
    unknown if there are no operations.
    """
    pairs: dict[str, list[tuple[Op, Op | None]]] = {}
    for invoked, completed in history.pairs:
        pairs.setdefault(invoked.f, []).append((invoked, completed))
    if not pairs:
        return Verdict.unknown("no client did anything")
    everything = [pair for some in pairs.values() for pair in some]
    by_f = {f: _summary(some) for f, some in sorted(pairs.items())}
    return Verdict.passed(all=_summary(everything), by_f=by_f)


def quantile(ordered: Sequence[int], q: float) -> int:
    """The quantile `q` of numbers in ascending order: the smallest one that at least a share `q` does not
    exceed."""
    return ordered[max(ceil(q * len(ordered)) - 1, 0)]


def _summary(pairs: Iterable[tuple[Op, Op | None]]) -> dict[str, Any]:
    counts = {"invoke": 0, "ok": 0, "fail": 0, "info": 0, "open": 0}
    took = []
    for invoked, completed in pairs:
        counts["invoke"] += 1
        counts["open" if completed is None else completed.type] += 1
        if completed is not None and completed.type == "ok":
            took.append(completed.time - invoked.time)
    took.sort()
    latency = {name: quantile(took, q) / 1e6 for name, q in QUANTILES.items()} if took else {}
    return {**counts, "latency_ms": latency}
