"""Faults of clocks and disks; a machine that has neither, as bare nodes have, is left alone by them.

A program that gives up because its disk fails does what it should. Whoever runs a trial starts such a node
again, as a supervisor would, and does not hold the crash against it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from ostrakon.harness.faults.devices import Complaint, Disk, Failing, Frozen, Full, Operation, Skew, Slow
from ostrakon.harness.faults.effect import ActiveFault, Effect, FaultContext, settled
from ostrakon.harness.faults.fault import held
from ostrakon.harness.faults.machine_control import MachineControl

if TYPE_CHECKING:
    from ostrakon.harness.sim.disk.disk_fault import Decay, DiskFaultKind

SPOILS: Mapping[str, DiskFaultKind] = {
    "lying_disk": "lying sync",
    "lost_writes": "lost write",
    "corrupt_writes": "corrupt write",
    "misdirected_writes": "misdirected write",
    "stale_reads": "stale read",
}
"""Kinds of `Fault` that damage what a program was told is safe, with what the disk calls them."""


DECAYS: Mapping[str, Decay] = {"bit_rot": "bit rot", "cut_files": "cut short"}
"""Kinds of `Fault` that damage files where they lie, with what the disk calls them."""


@contextmanager
def skewed(machines: MachineControl, nodes: Collection[str], rate: float) -> Iterator[ActiveFault]:
    """Clocks run fast or slow; what they have gained or lost by the end, they keep."""
    struck = machines.equipped(nodes)
    before = {name: machine.progress for name, machine in struck.items()}

    def effect() -> Effect:
        return Effect(clocks=tuple(name for name in struck if struck[name].progress != before[name]))

    with _complaining(machines, struck, Skew(rate)) as undo:
        yield settled(undo, effect)


@contextmanager
def jumped(machines: MachineControl, nodes: Collection[str], ms: float) -> Iterator[ActiveFault]:
    """Wall clocks are set forward, or back, and right again at the end; timeouts go on as they were."""
    clocks = {name: machines.devices(name).clock for name in machines.equipped(nodes)}
    before = {name: clock.wall_readings for name, clock in clocks.items()}

    def effect() -> Effect:
        return Effect(clocks=tuple(name for name in clocks if clocks[name].wall_readings != before[name]))

    with ExitStack() as undo:
        for clock in clocks.values():
            clock.step(ms / 1e3)
            undo.callback(clock.step, -ms / 1e3)
        yield settled(undo, effect)


@contextmanager
def suspended(machines: MachineControl, nodes: Collection[str]) -> Iterator[ActiveFault]:
    """Machines sleep: processes stand still and so do their monotonic clocks, as if no time had passed.

    Their timeouts take longer by that, while leases and timeouts of others go on; wall clocks are right again
    at the end.
    """
    with held(machines, nodes, "pause") as active, _complaining(machines, machines.equipped(nodes), Frozen()):
        yield active


def slow_disk(machines: MachineControl, nodes: Collection[str], ms: float) -> FaultContext:
    """Making something durable takes `ms` on average; what has begun by the end takes its time."""
    return _ailing(machines, nodes, Slow(ms), lambda disk: disk.waits)


def full_disk(machines: MachineControl, nodes: Collection[str]) -> FaultContext:
    """No file can grow: ENOSPC."""
    return _ailing(machines, nodes, Full(), lambda disk: disk.refusals)


def failing_disk(machines: MachineControl, nodes: Collection[str], operation: Operation) -> FaultContext:
    """An operation fails: EIO. What a sync that failed was to make durable never will be."""
    return _ailing(machines, nodes, Failing(operation), lambda disk: disk.refusals)


@contextmanager
def spoilt_disk(
    machines: MachineControl, nodes: Collection[str], kind: DiskFaultKind, probability: float
) -> Iterator[ActiveFault]:
    """Some operations do other than they say; what is damaged stays so."""
    from ostrakon.harness.sim.disk.disk_fault import DiskFault

    disks = [machines.devices(name).disk for name in machines.equipped(nodes)]
    with ExitStack() as undo:
        for disk in disks:
            undo.callback(disk.settle, disk.disturb(DiskFault(kind, probability)))
        yield settled(undo, _counted(disks, lambda disk: disk.faulty.struck.get(kind, 0)))


@contextmanager
def decayed(machines: MachineControl, nodes: Collection[str], kind: Decay) -> Iterator[ActiveFault]:
    """A file of each machine loses a bit or its end, once; what is damaged stays so."""
    damaged = sum(machines.devices(name).disk.decay(kind) for name in machines.equipped(nodes))
    yield ActiveFault(lambda: Effect(files=damaged))


@contextmanager
def _ailing(
    machines: MachineControl, nodes: Collection[str], complaint: Complaint, count: Callable[[Disk], int]
) -> Iterator[ActiveFault]:
    names = machines.equipped(nodes)
    disks = [machines.devices(name).disk for name in names]
    with _complaining(machines, names, complaint) as undo:
        yield settled(undo, _counted(disks, count))


@contextmanager
def _complaining(machines: MachineControl, names: Iterable[str], complaint: Complaint) -> Iterator[ExitStack]:
    with ExitStack() as undo:
        for name in names:
            machines.devices(name).fall_ill(complaint)
            undo.callback(machines.devices(name).recover, complaint)
        yield undo


def _counted(disks: Sequence[Disk], count: Callable[[Disk], int]) -> Callable[[], Effect]:
    """An effect that is how much a count has grown since now."""
    before = sum(map(count, disks))
    return lambda: Effect(operations=sum(map(count, disks)) - before)
