"""What a trace of replicas of a log must satisfy: the rules of Paxos in each slot, and order among slots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from checkers.consensus import RULES, blame
from checkers.consensus.properties import judge
from checkers.verdict import Anomaly, Verdict, guarded
from harness.history import Event, Trace


def log_properties(trace: Trace) -> dict[str, Verdict]:
    """P1 to P10 and M8 in each slot, with who is to blame, and M2: by property."""
    findings = judge(trace)
    verdicts = {name: findings.verdict(name) for name in RULES}
    for name in ("P2", "P3"):
        accused = tuple(_with_blame(anomaly, trace) for anomaly in verdicts[name].anomalies)
        verdicts[name] = replace(verdicts[name], anomalies=accused)
    return verdicts | {"M2": guarded("M2", lambda: no_gaps(trace))}


def no_gaps(trace: Trace) -> Verdict:
    """M2: a replica executes slots in order and leaves none out, in each of its lives."""
    if not any(event.event == "applied" for event in trace):
        return Verdict.unknown("no applied in the trace, so M2 was not put to test")
    return Verdict.of(_gaps(trace))


def _gaps(trace: Trace) -> Iterator[Anomaly]:
    last: dict[tuple[str, int], Event] = {}
    for event in trace:
        if event.event != "applied" or event.slot is None:
            continue
        before = last.get((event.node, event.incarnation))
        due = 1 if before is None or before.slot is None else before.slot + 1
        last[event.node, event.incarnation] = event
        if event.slot != due:
            yield Anomaly(
                "slots out of order",
                f"{event.node} executed slot {event.slot} when slot {due} was next",
                (event,) if before is None else (before, event),
                property="M2",
            )


def _with_blame(anomaly: Anomaly, trace: Trace) -> Anomaly:
    found = blame(trace, anomaly.details.get("slot", 0))
    if found is None:
        return anomaly
    return replace(anomaly, details={**anomaly.details, "blame": found.to_json()})
