"""From the data of a plan to the fault itself."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

from ostrakon.harness.faults import device_fault
from ostrakon.harness.faults.crash_point import crashed_at_await, crashed_at_sync
from ostrakon.harness.faults.device_fault import DECAYS, SPOILS
from ostrakon.harness.faults.devices import Operation
from ostrakon.harness.faults.effect import FaultContext
from ostrakon.harness.faults.fault import Links, Only, clogged, disturbed, held, partition, reset, stopped
from ostrakon.harness.faults.machine_control import MachineControl
from ostrakon.harness.plan import FAULT_KINDS, Fault


def apply_fault(
    fault: Fault, links: Links[Any, Any], machines: MachineControl, only: Only | None = None
) -> FaultContext:
    """The fault that a plan describes; its times are the caller's affair.

    `only` says of a message whether it is of the kind that the fault is about. Raises: ValueError, when there
    is no such kind of fault.
    """
    between, nodes = fault.links or None, fault.nodes
    match fault.kind:
        case "partition":
            return partition(links, fault.grudge)
        case "clog":
            return clogged(links, between or tuple(permutations(machines.names, 2)))
        case "reset":
            return reset(links, between or tuple(permutations(machines.names, 2)))
        case "delay" | "reorder" | "drop" | "duplicate" | "throttle" | "corrupt":
            return disturbed(
                links,
                *(fault.kind, fault.probability, fault.ms, between),
                only=only,
                after=fault.after,
                most=fault.most,
            )
        case "pause" | "kill" | "power_loss":
            return held(machines, nodes, fault.kind)
        case "stop":
            return stopped(machines, nodes)
        case "crash_at_sync":
            return crashed_at_sync(machines, nodes, fault.after)
        case "crash_at_await":
            return crashed_at_await(machines, nodes, fault.after)
        case "clock_skew":
            return device_fault.skewed(machines, nodes, fault.rate)
        case "suspend":
            return device_fault.suspended(machines, nodes)
        case "clock_jump":
            return device_fault.jumped(machines, nodes, fault.ms)
        case "slow_disk":
            return device_fault.slow_disk(machines, nodes, fault.ms)
        case "full_disk":
            return device_fault.full_disk(machines, nodes)
        case "failing_disk" | "failing_sync" | "failing_read":
            return device_fault.failing_disk(machines, nodes, _FAILING[fault.kind])
        case "short_reads":
            return device_fault.spoilt_disk(machines, nodes, "short read", fault.probability)
        case kind if kind in DECAYS:
            return device_fault.decayed(machines, nodes, DECAYS[kind])
        case kind if kind in SPOILS:
            return device_fault.spoilt_disk(machines, nodes, SPOILS[kind], fault.probability)
    raise ValueError(f"a plan's fault is of kind {fault.kind!r}; known are {', '.join(FAULT_KINDS)}")


_FAILING: Mapping[str, Operation] = {"failing_disk": "write", "failing_sync": "sync", "failing_read": "read"}
"""Which operation of a disk fails."""
