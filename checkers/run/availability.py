"""Availability: how much of what clients asked for they got, and how long they had to do without."""

from __future__ import annotations

from itertools import pairwise

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History


def availability(history: History, *, at_least: float = 0.0) -> Verdict:
    """The share of clients' ops that ended `ok` is at least this, from 0 to 1.

    `details` have that share, and the longest time in which nothing ended `ok`: `outage_ms`, from
    `outage_from_ms` after the trial began. It counts from the first invocation to the last op there is.
    """
    asked = list(history.where(type="invoke"))
    if not asked:
        return Verdict.unknown("no client asked for anything")
    answered = list(history.where(type="ok"))
    share = len(answered) / len(asked)
    moments = [asked[0].time, *(op.time for op in answered), history[-1].time]
    begun, ended = max(pairwise(moments), key=lambda gap: gap[1] - gap[0])
    missed = [Anomaly("unavailable", f"{share:.2%} of all ops were ok, where {at_least:.2%} should be")]
    return Verdict.of(
        missed if share < at_least else (),
        asked=len(asked),
        ok=len(answered),
        share=share,
        outage_ms=(ended - begun) / 1e6,
        outage_from_ms=begun / 1e6,
    )
