"""What a trace of replicas of a log must satisfy: the rules of Paxos in each slot, and order among slots."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from checkers.consensus import RULES, blame
from checkers.consensus.properties import judge
from checkers.replication import replication
from checkers.verdict import Anomaly, Verdict
from harness.history import History, Trace


def log_properties(
    history: History, trace: Trace, *, among: Collection[str] | None = None
) -> dict[str, Verdict]:
    """P1 to P10 and M8 in each slot, with who is to blame; M1 to M5, M11 and M13 of the log: by property.

    The trace must go on for long enough after the last operation, and without faults, for replicas to have
    caught up, unless it was stopped before its end; `among` names those that were well then, if not all were.
    """
    findings = judge(trace)
    verdicts = {name: findings.verdict(name) for name in RULES}
    for name in ("P2", "P3"):
        accused = tuple(_with_blame(anomaly, trace) for anomaly in verdicts[name].anomalies)
        verdicts[name] = replace(verdicts[name], anomalies=accused)
    required: tuple[str, ...] = ("M1", "M2", "M3", "M4", "M11")
    was_stopped = any(op.f == "stopped" for op in history.nemesis)
    if was_stopped:
        required = ()
    return verdicts | replication(history, trace, settled=not was_stopped, among=among, required=required)


def _with_blame(anomaly: Anomaly, trace: Trace) -> Anomaly:
    found = blame(trace, anomaly.details.get("slot", 0))
    if found is None:
        return anomaly
    return replace(anomaly, details={**anomaly.details, "blame": found.to_json()})
