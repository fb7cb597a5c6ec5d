"""All that is to be said of a trial of consensus: what clients saw, what nodes did, and who is to blame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ostrakon.checkers.consensus.agreement import agreement, integrity, validity
from ostrakon.checkers.consensus.blame import with_blame
from ostrakon.checkers.consensus.properties import Violations, invited, judge
from ostrakon.checkers.run.evidence import evidence
from ostrakon.checkers.run.stats import stats
from ostrakon.checkers.verdict import Verdict, guarded
from ostrakon.harness.history import History, Trace


def consensus(
    history: History, trace: Trace, *, ask: str = "propose", effects: Iterable[Mapping[str, Any]] = ()
) -> Verdict:
    """Agreement, validity and integrity of the history, P1 to P11 and M8 of the trace, stats and evidence.

    Each is a part of the verdict, and the worst of them wins; of two that are equally bad, the one that
    clients could notice. An anomaly that is disagreement carries `blame` in its details where the trace
    shows whose fault it was. `ask` is the f of the operations by which clients propose values; `effects`
    is what the faults did, as for `evidence`.
    """
    seen_by_clients = {
        "agreement": guarded("agreement", lambda: agreement(history)),
        "validity": guarded("validity", lambda: validity(history, ask=ask)),
        "integrity": guarded("integrity", lambda: integrity(history)),
    }
    done_by_nodes = _properties(history, trace, ask)
    rest = {
        "stats": guarded("stats", lambda: stats(history)),
        "evidence": guarded("evidence", lambda: evidence(history, effects=effects)),
    }
    return Verdict.compose(with_blame(seen_by_clients | done_by_nodes | rest, trace))


def _properties(history: History, trace: Trace, ask: str) -> dict[str, Verdict]:
    findings: list[Violations] = []

    def run() -> Verdict:
        findings.append(judge(trace, invited=invited(history, ask)))
        return Verdict.passed()

    outcome = guarded("properties", run)
    return findings[0].verdicts() if findings else {"properties": outcome}
