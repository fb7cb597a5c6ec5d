"""Crashes at the worst moment: between a write and its sync, or in place of one turn of a program's tasks.

Such a fault waits for its moment while it lasts, and the node is started again at its end. If the moment does
not come, it has done nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from ostrakon.harness.faults.devices import Operation
from ostrakon.harness.faults.effect import ActiveFault, Effect
from ostrakon.harness.faults.machine_control import How, MachineControl


@contextmanager
def crashed_at_sync(machines: MachineControl, nodes: Collection[str], after: int) -> Iterator[ActiveFault]:
    """Machines lose their power before their next sync but `after`, when what it was for has been written."""
    with ExitStack() as undo:
        fallen = _Fallen(machines, "power_loss", undo)
        for name in machines.equipped(nodes):
            watcher = _Watcher(partial(fallen.add, name), after)
            machines.devices(name).watch(watcher)
            undo.callback(machines.devices(name).ignore, watcher)
        yield ActiveFault(fallen.effect)


@contextmanager
def crashed_at_await(machines: MachineControl, nodes: Collection[str], after: int) -> Iterator[ActiveFault]:
    """Processes are killed in place of a turn of their tasks, `after` turns from now."""
    with ExitStack() as undo:
        fallen = _Fallen(machines, "kill", undo)
        for name, machine in machines.equipped(nodes).items():
            crash = partial(fallen.add, name)
            machine.crash_after(after, crash)
            undo.callback(machine.spare, crash)
        yield ActiveFault(fallen.effect)


class _Fallen:
    """The nodes whose moment has come."""

    def __init__(self, machines: MachineControl, how: How, undo: ExitStack) -> None:
        self._custody, self._how, self._undo = machines, how, undo
        self._names: list[str] = []

    def add(self, name: str) -> None:
        """Strike a node down, until the fault is over."""
        if self._custody.hold(name, self._how):
            self._names.append(name)
        self._undo.callback(self._custody.release, name, self._how)

    def effect(self) -> Effect:
        """Who was struck down."""
        return Effect(stopped=tuple(sorted(self._names)))


class _Watcher:
    """Counts the syncs of a disk, and calls `crash` at one of them."""

    def __init__(self, crash: Callable[[], object], after: int) -> None:
        self._crash, self._left = crash, after

    def __call__(self, operation: Operation, path: str) -> None:
        if operation == "sync":
            self._left -= 1
            if self._left == -1:
                self._crash()
