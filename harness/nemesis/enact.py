"""From the data of a plan to the fault itself."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

from ostrakon.harness.nemesis import device_fault
from ostrakon.harness.nemesis.crash_point import crashed_at_await, crashed_at_sync
from ostrakon.harness.nemesis.custody import Custody
from ostrakon.harness.nemesis.device_fault import DECAYS, SPOILS
from ostrakon.harness.nemesis.devices import Operation
from ostrakon.harness.nemesis.effect import Enacted
from ostrakon.harness.nemesis.fault import Links, Only, clogged, disturbed, held, partition, reset, stopped
from ostrakon.harness.plan import FAULT_KINDS, Fault


def enact(fault: Fault, links: Links[Any, Any], custody: Custody, only: Only | None = None) -> Enacted:
    """The fault that a plan describes; its times are the caller's affair.

    `only` says of a message whether it is of the kind that the fault is about. Raises: ValueError, when there
    is no such kind of fault.
    """
    between, nodes = fault.links or None, fault.nodes
    match fault.kind:
        case "partition":
            return partition(links, fault.grudge)
        case "clog":
            return clogged(links, between or tuple(permutations(custody.names, 2)))
        case "reset":
            return reset(links, between or tuple(permutations(custody.names, 2)))
        case "delay" | "reorder" | "drop" | "duplicate" | "throttle" | "corrupt":
            return disturbed(
                links,
                *(fault.kind, fault.probability, fault.ms, between),
                only=only,
                after=fault.after,
                most=fault.most,
            )
        case "pause" | "kill" | "power_loss":
            return held(custody, nodes, fault.kind)
        case "stop":
            return stopped(custody, nodes)
        case "crash_at_sync":
            return crashed_at_sync(custody, nodes, fault.after)
        case "crash_at_await":
            return crashed_at_await(custody, nodes, fault.after)
        case "clock_skew":
            return device_fault.skewed(custody, nodes, fault.rate)
        case "suspend":
            return device_fault.suspended(custody, nodes)
        case "clock_jump":
            return device_fault.jumped(custody, nodes, fault.ms)
        case "slow_disk":
            return device_fault.slow_disk(custody, nodes, fault.ms)
        case "full_disk":
            return device_fault.full_disk(custody, nodes)
        case "failing_disk" | "failing_sync" | "failing_read":
            return device_fault.failing_disk(custody, nodes, _FAILING[fault.kind])
        case "short_reads":
            return device_fault.spoilt_disk(custody, nodes, "short read", fault.probability)
        case kind if kind in DECAYS:
            return device_fault.decayed(custody, nodes, DECAYS[kind])
        case kind if kind in SPOILS:
            return device_fault.spoilt_disk(custody, nodes, SPOILS[kind], fault.probability)
    raise ValueError(f"a plan's fault is of kind {fault.kind!r}; known are {', '.join(FAULT_KINDS)}")


_FAILING: Mapping[str, Operation] = {"failing_disk": "write", "failing_sync": "sync", "failing_read": "read"}
"""Which operation of a disk fails."""
