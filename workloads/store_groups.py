"""Groups in workloads over the store: several logs, each with its own keys, each judged separately."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import Any

from ostrakon.checkers.consensus import with_blame
from ostrakon.checkers.consensus.properties import judge
from ostrakon.checkers.replication import LogMonitor, converged, replication
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import NEMESIS, Event, History, Op, Trace
from ostrakon.harness.plan import BadPlan
from ostrakon.paxos_impl.kv.placement import group_of_key

GROUPS_MAX = 16
GROUPS_OPTION: Mapping[str, str] = {
    "groups": f"number of independent logs that share the keys, 1 to {GROUPS_MAX}; 1 if not given"
}


def groups_of(options: Mapping[str, Any]) -> int:
    """The number of groups in a plan's options. Raises: BadPlan."""
    groups = options.get("groups", 1)
    if not isinstance(groups, int) or not 1 <= groups <= GROUPS_MAX:
        raise BadPlan(f"options.groups is {groups!r}, expected a whole number from 1 to {GROUPS_MAX}")
    return groups


def keys_over(groups: int, least: int) -> tuple[str, ...]:
    """Keys: as many of each group, and at least so many in all."""
    each = -(-least // groups)
    names = [f"k{n}" for n in islice(count(), 100 * groups * each)]
    found = [[key for key in names if group_of_key(key, groups) == group][:each] for group in range(groups)]
    return tuple(sorted((key for keys in found for key in keys), key=lambda key: int(key[1:])))


def properties_by_group(
    history: History, trace: Trace, groups: int, *, among: Collection[str] | None = None
) -> dict[str, Verdict]:
    """`log_properties` of all groups, by property: the worst, with the anomalies of all.

    An op's key is the first item of its value. Of a group in which nothing was done, nothing is demanded.
    """
    if groups == 1:
        return log_properties(history, trace, among=among)
    found: dict[str, dict[int, Verdict]] = {}
    for group in range(groups):
        ops = [op for op in history if op.process == NEMESIS or _home(op, groups) == group]
        events = tuple(event for event in trace if event.group == group)
        # Reads by a lease or by a quorum use no slot, so they alone leave no events.
        is_busy = any(event.event == "applied" for event in events) or any(
            op.is_client and op.type == "ok" and op.f != "read" for op in ops
        )
        for name, verdict in log_properties(History(ops), events, among=among).items():
            if is_busy or verdict.valid != "unknown":
                found.setdefault(name, {})[group] = verdict
    return {name: _worst(by_group) for name, by_group in found.items()}


def all_converged(told: Sequence[Event], groups: int, *, among: Collection[str] | None = None) -> bool:
    """Whether in each group with any operation, all replicas have executed the same."""
    found = [
        converged(tuple(event for event in told if event.group == group), among=among).valid
        for group in range(groups)
    ]
    return "valid" in found and "invalid" not in found


class GroupsMonitor:
    """A `LogMonitor` for each group."""

    def __init__(self, groups: int) -> None:
        self._monitors = [LogMonitor() for _ in range(groups)]

    def event(self, event: Event) -> str | None:
        """What is wrong with the next event, in a sentence; None if nothing is."""
        return self._monitors[event.group].event(event)

    def op(self, op: Op) -> str | None:
        """None: an op alone is never wrong."""
        return None


def _home(op: Op, groups: int) -> int:
    assert isinstance(op.value, Sequence), f"{op} does not say which key it is about"
    return group_of_key(op.value[0], groups)


def _worst(by_group: Mapping[int, Verdict]) -> Verdict:
    """The worst of the verdicts of groups on one property."""
    composed = Verdict.compose({str(group): verdict for group, verdict in by_group.items()})
    group = next(group for group, verdict in by_group.items() if verdict.valid == composed.valid)
    anomalies = [_of_group(group, each) for group, verdict in by_group.items() for each in verdict.anomalies]
    why = f"group {group}: {composed.why}" if composed.why else ""
    details = {f"group {group}": dict(verdict.details) for group, verdict in by_group.items()}
    return Verdict(composed.valid, why, tuple(anomalies), details)


def _of_group(group: int, anomaly: Anomaly) -> Anomaly:
    return replace(anomaly, why=f"group {group}: {anomaly.why}", details={**anomaly.details, "group": group})


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
