"""The properties of a trace of log replicas: the rules of Paxos in each slot, and order among slots."""

from __future__ import annotations

from collections.abc import Collection

from ostrakon.checkers.consensus import with_blame
from ostrakon.checkers.consensus.properties import judge
from ostrakon.checkers.replication import replication
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History, Trace


def log_properties(
    history: History, trace: Trace, *, among: Collection[str] | None = None
) -> dict[str, Verdict]:
    """P1 to P11 and M8 in each slot, with blame; M1 to M5, M11 and M13 of the log: verdicts by property.

    After the last operation, the trace must continue without faults until replicas can have caught up, unless
    it was stopped early. `among` has the nodes without faults at the end; None for all nodes.
    """
    findings = judge(trace)
    verdicts = findings.verdicts()
    required: tuple[str, ...] = ("M1", "M2", "M3", "M4", "M11")
    was_stopped = any(op.f == "stopped" for op in history.nemesis)
    if was_stopped:
        required = ()
    verdicts |= replication(history, trace, settled=not was_stopped, among=among, required=required)
    return with_blame(verdicts, trace, seen=findings.seen)
