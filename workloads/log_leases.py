"""Leases in workloads over the store: their length, and their assumption about clocks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.plan import BadPlan, Fault, Plan
from ostrakon.paxos_impl.core.multi import LeaseConfig

LEASE_OPTION: Mapping[str, str] = {
    "lease_ms": "length of the leader's lease in milliseconds; 0 for no leases"
}


def lease_of(options: Mapping[str, Any], lease: LeaseConfig | None) -> LeaseConfig | None:
    """The lease of a workload with the length that the plan's options give; None without leases. Raises:
    BadPlan."""
    length_ms = options.get("lease_ms")
    if lease is None or length_ms is None:
        return lease
    if not isinstance(length_ms, int | float) or not length_ms >= 0:
        raise BadPlan(f"options.lease_ms is {length_ms!r}, expected a number, 0 or above")
    return replace(lease, length_s=length_ms / 1000) if length_ms else None


def excused(
    verdicts: Mapping[str, Verdict], plan: Plan, lease: LeaseConfig | None, resting: Collection[str]
) -> dict[str, Verdict]:
    """The verdicts; those that depend on leases become unknown if clocks broke the assumption of leases."""
    lease = lease_of(plan.options, lease)
    unfair = () if lease is None else tuple(_beyond(plan, lease))
    return {
        name: _unless_unfair(verdict, unfair, lease) if lease is not None and name in resting else verdict
        for name, verdict in verdicts.items()
    }


def _beyond(plan: Plan, lease: LeaseConfig) -> Iterator[Fault]:
    """The faults that make clocks drift more than leases allow."""
    skews = (fault for fault in plan.faults if fault.kind == "clock_skew")
    return (fault for fault in skews if abs(fault.rate - 1) > lease.drift)


def _unless_unfair(verdict: Verdict, unfair: Collection[Fault], lease: LeaseConfig) -> Verdict:
    if verdict.valid != "invalid" or not all(
        any(_may_come_of(anomaly, fault, lease) for fault in unfair) for anomaly in verdict.anomalies
    ):
        return verdict
    rates = ", ".join(f"{fault.rate:g}" for fault in unfair)
    return Verdict.unknown(
        f"{verdict.why}: but clocks ran at {rates} times their rate, and leases presume that they drift by "
        f"{lease.drift:.0%} at most; lease_ms=0 has reads do without"
    )


def _may_come_of(anomaly: Anomaly, fault: Fault, lease: LeaseConfig) -> bool:
    """Whether the violation came during the fault or at most one lease after it."""
    at_ms = max((each.time for each in anomaly.witness), default=0) / 1e6
    return fault.at_ms <= at_ms <= fault.at_ms + fault.for_ms + 1000 * lease.length_s
