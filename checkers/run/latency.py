"""Latencies of ops in windows of time, which show the effect of faults."""

from __future__ import annotations

from typing import Any

from ostrakon.checkers.run.stats import QUANTILES, quantile
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History

Windows = dict[int, list[int]]


def latency(history: History, *, window_s: float = 1.0) -> Verdict:
    """Compute quantiles of the latencies of completed ops, by f and type.

    `details["by_f"][f][type]` is a list with an entry for each window in which such ops were invoked:
    `from_s`, the `count`, and p50, p95, p99 and max in `ms`. The verdict is valid, or unknown if no op
    completed.
    """
    window_ns = round(window_s * 1e9)
    took: dict[str, dict[str, Windows]] = {}
    for asked, done in history.pairs:
        if done is not None:
            windows = took.setdefault(asked.f, {}).setdefault(done.type, {})
            windows.setdefault(asked.time // window_ns, []).append(done.time - asked.time)
    if not took:
        return Verdict.unknown("nothing was ever completed, so there are no latencies")
    by_f = {
        f: {ended: _summary(windows, window_s) for ended, windows in sorted(by_type.items())}
        for f, by_type in sorted(took.items())
    }
    return Verdict.passed(by_f=by_f, window_s=window_s)


def _summary(windows: Windows, window_s: float) -> list[dict[str, Any]]:
    return [
        {
            "from_s": number * window_s,
            "count": len(took),
            "ms": {name: quantile(sorted(took), q) / 1e6 for name, q in QUANTILES.items()},
        }
        for number, took in sorted(windows.items())
    ]
