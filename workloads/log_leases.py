"""The option `lease_ms` of workloads over the store: some scenarios want leases longer than usual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from harness.plan import BadPlan
from paxos_impl.core.log import LeaseTerms

LEASE_OPTION: Mapping[str, str] = {
    "lease_ms": "how long followers are bound by what they grant a leader, in milliseconds"
}


def lease_of(options: Mapping[str, Any], lease: LeaseTerms | None) -> LeaseTerms | None:
    """A workload's lease, if it has any, as long as a plan's options say. Raises: BadPlan."""
    length_ms = options.get("lease_ms")
    if lease is None or length_ms is None:
        return lease
    if not isinstance(length_ms, int | float) or not length_ms > 0:
        raise BadPlan(f"options.lease_ms is {length_ms!r}, expected a number above 0")
    return replace(lease, length_s=length_ms / 1000)
