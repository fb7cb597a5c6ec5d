"""Disks that are slow, full or failing and say so, and reads that give less than there is.

A program that gives up because its disk fails does what it should. The substrate starts such a node again, as
a supervisor would, and does not hold the crash against it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ostrakon.harness.faults.devices import Disk, Failing, Full, Impairment, Operation, Slow
from ostrakon.harness.faults.disk_damage import counted, damaging_disk, idle_disks
from ostrakon.harness.faults.draw import also, between, victims
from ostrakon.harness.faults.effect import ActiveFault, FaultContext, settled
from ostrakon.harness.faults.kind import Apply, FaultKind
from ostrakon.harness.faults.machine_control import MachineControl


def slow_disk(machines: MachineControl, nodes: Collection[str], ms: float) -> FaultContext:
    """Making something durable takes `ms` on average; a sync that has begun by the end takes its time."""
    return _impaired(machines, nodes, Slow(ms), lambda disk: disk.waits, "waited for no sync")


def full_disk(machines: MachineControl, nodes: Collection[str]) -> FaultContext:
    """No file can grow: ENOSPC."""
    return _impaired(machines, nodes, Full(), lambda disk: disk.refusals, "let no file grow")


def failing_disk(machines: MachineControl, nodes: Collection[str], operation: Operation) -> FaultContext:
    """An operation fails: EIO. What a sync that failed was to make durable never will be."""
    what = {"read": "read no file", "write": "wrote to no file", "sync": "synced no file"}[operation]
    return _impaired(machines, nodes, Failing(operation), lambda disk: disk.refusals, what)


@contextmanager
def _impaired(
    machines: MachineControl,
    nodes: Collection[str],
    impairment: Impairment,
    count: Callable[[Disk], int],
    idle: str,
) -> Iterator[ActiveFault]:
    names = machines.equipped(nodes)
    disks = [machines.devices(name).disk for name in names]
    with machines.impaired(names, impairment) as undo:
        yield settled(undo, counted(disks, count), lambda: idle_disks(machines, names, idle))


def _failing(operation: Operation) -> Apply:
    return lambda fault, cluster: failing_disk(cluster.machines, fault.nodes, operation)


SLOW_DISK = FaultKind(
    "slow_disk",
    "disks take long to make anything durable",
    lambda fault, cluster: slow_disk(cluster.machines, fault.nodes, fault.ms),
    also(victims, ms=between(10, 500, 1)),
    ms_min=100,
    colour="disk",
    substrates=("model", "sim"),
    groups=("all", "disks"),
)
FULL_DISK = FaultKind(
    "full_disk",
    "no more fits on disks (ENOSPC)",
    lambda fault, cluster: full_disk(cluster.machines, fault.nodes),
    victims,
    colour="disk",
    downtime="possible",
    substrates=("model", "sim"),
    groups=("all", "disks"),
)
FAILING_DISK = replace(FULL_DISK, name="failing_disk", about="writes fail (EIO)", apply=_failing("write"))
FAILING_SYNC = replace(FULL_DISK, name="failing_sync", about="syncs fail (EIO)", apply=_failing("sync"))
FAILING_READ = replace(
    FULL_DISK,
    name="failing_read",
    about="reads of files fail (EIO)",
    apply=_failing("read"),
    groups=("more",),
)
SHORT_READS = FaultKind(
    "short_reads",
    "reads of files give less than was asked for, though there is more",
    lambda fault, cluster: damaging_disk(cluster.machines, fault.nodes, "short read", fault.probability),
    also(victims, probability=between(0.05, 1.0, 2)),
    colour="disk",
    substrates=("model", "sim"),
    groups=("more",),
)
