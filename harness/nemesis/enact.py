"""From the data of a plan to the fault itself."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from harness.nemesis import device_fault
from harness.nemesis.crash_point import crashed_at_await, crashed_at_sync
from harness.nemesis.custody import Custody
from harness.nemesis.device_fault import SPOILS
from harness.nemesis.effect import Enacted
from harness.nemesis.fault import (
    Links,
    clogged,
    corrupted,
    delayed,
    dropped,
    duplicated,
    killed,
    partition,
    paused,
    powerless,
    reordered,
)
from harness.plan import FAULT_KINDS, Fault


def enact(fault: Fault, links: Links[Any, Any], custody: Custody) -> Enacted:
    """The fault that a plan describes; its times are the caller's affair.

    Raises: ValueError, when there is no such kind of fault.
    """
    between, nodes = fault.links or None, fault.nodes
    match fault.kind:
        case "partition":
            return partition(links, fault.grudge)
        case "pause":
            return paused(custody, nodes)
        case "kill":
            return killed(custody, nodes)
        case "power_loss":
            return powerless(custody, nodes)
        case "delay":
            return delayed(links, fault.probability, fault.ms, between)
        case "reorder":
            return reordered(links, fault.probability, fault.ms, between)
        case "drop":
            return dropped(links, fault.probability, between)
        case "duplicate":
            return duplicated(links, fault.probability, fault.ms, between)
        case "corrupt":
            return corrupted(links, fault.probability, between)
        case "clog":
            return clogged(links, between or tuple(permutations(custody.names, 2)))
        case "crash_at_sync":
            return crashed_at_sync(custody, nodes, fault.after)
        case "crash_at_await":
            return crashed_at_await(custody, nodes, fault.after)
        case "clock_skew":
            return device_fault.skewed(custody, nodes, fault.rate)
        case "clock_jump":
            return device_fault.jumped(custody, nodes, fault.ms)
        case "slow_disk":
            return device_fault.slow_disk(custody, nodes, fault.ms)
        case "full_disk":
            return device_fault.full_disk(custody, nodes)
        case "failing_disk":
            return device_fault.failing_disk(custody, nodes, "write")
        case "failing_sync":
            return device_fault.failing_disk(custody, nodes, "sync")
        case kind if kind in SPOILS:
            return device_fault.spoilt_disk(custody, nodes, SPOILS[kind], fault.probability)
    raise ValueError(f"a plan's fault is of kind {fault.kind!r}; known are {', '.join(FAULT_KINDS)}")
