"""Faults of disks: slow or full ones, those that report errors, and those that damage data.

A program that gives up because its disk reports an error does the right thing. The substrate starts such a
node again, as a supervisor would, and does not count the crash against it. Damaged data stay damaged when the
fault ends. Hardly any system survives damage on half of its nodes or more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ostrakon.harness.faults.devices import Disk, Failing, Full, Impairment, Operation, Slow
from ostrakon.harness.faults.draw import also, between, fewer_than_half, victims
from ostrakon.harness.faults.effect import ActiveFault, Effect, FaultContext, settled
from ostrakon.harness.faults.kind import Apply, FaultKind
from ostrakon.harness.faults.machine_control import MachineControl

if TYPE_CHECKING:
    from ostrakon.harness.sim.disk.disk_fault import Decay, DiskFaultKind


def slow_disk(machines: MachineControl, nodes: Collection[str], ms: float) -> FaultContext:
    """Syncs take `ms` on average. A sync that has begun when the fault ends still takes its time."""
    return _impaired(machines, nodes, Slow(ms), lambda disk: disk.waits, "waited for no sync")


def full_disk(machines: MachineControl, nodes: Collection[str]) -> FaultContext:
    """No file can grow: ENOSPC."""
    return _impaired(machines, nodes, Full(), lambda disk: disk.refusals, "let no file grow")


def failing_disk(machines: MachineControl, nodes: Collection[str], operation: Operation) -> FaultContext:
    """An operation fails with EIO. Data of a failed sync never become durable."""
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


@contextmanager
def damaging_disk(
    machines: MachineControl, nodes: Collection[str], kind: DiskFaultKind, probability: float
) -> Iterator[ActiveFault]:
    """Some operations report success and do something else."""
    from ostrakon.harness.sim.disk.disk_fault import DiskFault  # Loads the simulator, which drawing need not.

    names = machines.equipped(nodes)
    disks = [machines.devices(name).disk for name in names]
    with ExitStack() as undo:
        for disk in disks:
            undo.callback(disk.settle, disk.disturb(DiskFault(kind, probability)))
        yield settled(
            undo,
            counted(disks, lambda disk: disk.faulty.struck.get(kind, 0)),
            lambda: idle_disks(machines, names, f"did nothing that a {kind} could strike, or was spared"),
        )


@contextmanager
def decayed(machines: MachineControl, nodes: Collection[str], kind: Decay) -> Iterator[ActiveFault]:
    """A file of each machine loses a bit or its end, once."""
    names = machines.equipped(nodes)
    damaged = sum(machines.devices(name).disk.decay(kind) for name in names)
    yield ActiveFault(
        lambda: Effect(files=damaged),
        lambda: ", ".join(f"{name} has no file with anything in it" for name in names) or NO_DISKS,
    )


def counted(disks: Sequence[Disk], count: Callable[[Disk], int]) -> Callable[[], Effect]:
    """An effect: how much a count has grown from now on."""
    before = sum(map(count, disks))
    return lambda: Effect(operations=sum(map(count, disks)) - before)


def idle_disks(machines: MachineControl, names: Collection[str], what: str) -> str:
    """Why a fault of disks had no effect: the machines did nothing, or nothing that it strikes."""
    return machines.idle(names, what) or NO_DISKS


NO_DISKS = "the machines of this substrate have no disks of their own"


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


def _damaging(name: str, about: str, kind: DiskFaultKind) -> FaultKind:
    return FaultKind(
        name,
        about,
        lambda fault, cluster: damaging_disk(cluster.machines, fault.nodes, kind, fault.probability),
        also(fewer_than_half, probability=between(0.05, 1.0, 2)),
        ms_min=200,
        ms_max=2000,
        colour="spoilt",
        substrates=("model", "sim"),
        groups=("unsafe",),
    )


def _decaying(name: str, about: str, kind: Decay) -> FaultKind:
    return FaultKind(
        name,
        about,
        lambda fault, cluster: decayed(cluster.machines, fault.nodes, kind),
        fewer_than_half,
        ms_min=1,
        ms_max=1,
        colour="spoilt",
        substrates=("model", "sim"),
        groups=("unsafe",),
    )


LYING_DISK = _damaging("lying_disk", "syncs that do nothing, and say they did", "lying sync")
LOST_WRITES = _damaging("lost_writes", "writes that never reach the device", "lost write")
CORRUPT_WRITES = _damaging("corrupt_writes", "writes with a bit turned", "corrupt write")
MISDIRECTED_WRITES = _damaging(
    "misdirected_writes", "writes that end up elsewhere in the file", "misdirected write"
)
STALE_READS = _damaging("stale_reads", "reads that show the past", "stale read")
BIT_ROT = _decaying("bit_rot", "a bit turns in a file that nobody writes", "bit rot")
CUT_FILES = _decaying("cut_files", "a file loses its last bytes", "cut short")
