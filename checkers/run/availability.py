"""Availability: the share of successful ops, and the longest outage."""

from __future__ import annotations

from itertools import pairwise

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History


def availability(history: History, *, at_least: float = 0.0) -> Verdict:
    """Check that at least this share of the clients' ops, from 0 to 1, ended `ok`.

    `details` has the share and the longest period in which no op ended `ok`: its length `outage_ms` and its
    begin `outage_from_ms`, from the start of the trial. Periods before the first invocation do not count.
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
