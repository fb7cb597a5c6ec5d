"""What a trace of replicas of a log must satisfy: the rules of Paxos in each slot, and order among slots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from checkers.consensus import RULES, blame
from checkers.consensus.properties import judge
from checkers.verdict import Anomaly, Verdict, guarded
from harness.history import Event, Trace


def log_properties(trace: Trace) -> dict[str, Verdict]:
    """P1 to P10 and M8 in each slot, with who is to blame, M2 and M11: by property."""
    findings = judge(trace)
    verdicts = {name: findings.verdict(name) for name in RULES}
    for name in ("P2", "P3"):
        accused = tuple(_with_blame(anomaly, trace) for anomaly in verdicts[name].anomalies)
        verdicts[name] = replace(verdicts[name], anomalies=accused)
    return verdicts | {
        "M2": guarded("M2", lambda: no_gaps(trace)),
        "M11": guarded("M11", lambda: converged(trace)),
    }


def no_gaps(trace: Trace) -> Verdict:
    """M2: a replica executes slots in order and leaves none out, in each of its lives."""
    if not any(event.event == "applied" for event in trace):
        return Verdict.unknown("no applied in the trace, so M2 was not put to test")
    return Verdict.of(_gaps(trace))


def converged(trace: Trace) -> Verdict:
    """M11, of replicas: in the end each has executed all that any has.

    The trace must go on for long enough after the last operation, and without faults.
    """
    last: dict[str, Event] = {}
    lives: dict[str, int] = {}
    for event in trace:
        lives[event.node] = event.incarnation
        if event.event == "applied":
            last[event.node] = event
    if not last:
        return Verdict.unknown("no applied in the trace, so M11 was not put to test")
    first = max(last.values(), key=lambda event: event.slot or 0)
    return Verdict.of(_left_behind(first, last, lives))


def _left_behind(first: Event, last: dict[str, Event], lives: dict[str, int]) -> Iterator[Anomaly]:
    for node, incarnation in sorted(lives.items()):
        own = last.get(node)
        slot = own.slot if own is not None and own.incarnation == incarnation else None
        if slot != first.slot:
            yield Anomaly(
                "left behind",
                f"{first.node} executed slot {first.slot}, and {node} got no further than slot {slot or 0} "
                f"though all faults had ended",
                (first,) if own is None else (own, first),
                property="M11",
            )


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
