"""Rates: the number of completed ops per second in each window of time."""

from __future__ import annotations

from collections import Counter

from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History


def rates(history: History, *, window_s: float = 1.0) -> Verdict:
    """Compute the rates of completed ops, by f and type.

    `details["by_f"][f][type]` has the ops per second of each window from the start on. The verdict is valid,
    or unknown if no op completed.
    """
    window_ns = round(window_s * 1e9)
    completed: dict[str, dict[str, Counter[int]]] = {}
    windows = 0
    for op in history.clients:
        if op.type != "invoke":
            number = op.time // window_ns
            completed.setdefault(op.f, {}).setdefault(op.type, Counter())[number] += 1
            windows = max(windows, number + 1)
    if not completed:
        return Verdict.unknown("nothing was ever completed, so there are no rates")
    by_f = {
        f: {
            ended: [counts[number] / window_s for number in range(windows)]
            for ended, counts in sorted(by_type.items())
        }
        for f, by_type in sorted(completed.items())
    }
    return Verdict.passed(by_f=by_f, window_s=window_s)
