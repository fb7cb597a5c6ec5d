"""All that is to be said of a trial of consensus: what clients saw, what nodes did, and who is to blame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from checkers.agreement import agreement
from checkers.consensus.blame import blame
from checkers.consensus.properties import Findings, invited, judge
from checkers.consensus.rules import HARM, RULES
from checkers.evidence import evidence
from checkers.integrity import integrity
from checkers.stats import stats
from checkers.validity import validity
from checkers.verdict import Anomaly, Verdict, guarded
from harness.history import History, Trace


def consensus(
    history: History, trace: Trace, *, ask: str = "propose", effects: Iterable[Mapping[str, Any]] = ()
) -> Verdict:
    """Agreement, validity and integrity of the history, P1 to P10 and M8 of the trace, stats and evidence.

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
    parts = seen_by_clients | done_by_nodes | rest
    if any(parts[name].anomalies for name in _DISAGREEMENT if name in parts):
        parts |= _with_blame(parts, trace)
    return Verdict.compose(parts)


_DISAGREEMENT = ("agreement", *sorted(HARM))


def _properties(history: History, trace: Trace, ask: str) -> dict[str, Verdict]:
    findings: list[Findings] = []

    def run() -> Verdict:
        findings.append(judge(trace, invited=invited(history, ask)))
        return Verdict.passed()

    outcome = guarded("properties", run)
    return {name: findings[0].verdict(name) for name in RULES} if findings else {"properties": outcome}


def _with_blame(parts: Mapping[str, Verdict], trace: Trace) -> dict[str, Verdict]:
    """The parts that found disagreement, each anomaly with the guilty of its slot."""
    seen = judge(trace, only=()).seen

    @cache
    def guilty(slot: int) -> dict[str, Any]:
        try:
            found = blame(trace, slot, seen=seen)
        except (
            Exception
        ) as error:  # The disagreement must be told even where the search for the guilty fails.
            return {"blame_failed": f"{type(error).__name__}: {error}"}
        return {"blame": found.to_json()} if found is not None else {}

    def charged(anomaly: Anomaly) -> Anomaly:
        slot = anomaly.details.get("slot", 0)
        return replace(anomaly, details={**anomaly.details, **guilty(slot)})

    return {
        name: replace(parts[name], anomalies=tuple(map(charged, parts[name].anomalies)))
        for name in _DISAGREEMENT
        if name in parts
    }
