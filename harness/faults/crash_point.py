"""Crashes at the worst moment: between a write and its sync, or in place of one turn of a program's tasks.

Such a fault waits for its moment while it lasts, and the node is started again at its end. If the moment does
not come, the fault has no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import get_args

from ostrakon.harness.faults.devices import Operation
from ostrakon.harness.faults.draw import also, between, victims
from ostrakon.harness.faults.effect import ActiveFault, Effect
from ostrakon.harness.faults.kind import FaultKind, no_negative_ms
from ostrakon.harness.faults.machine_control import How, MachineControl
from ostrakon.harness.plan import Fault


@contextmanager
def crashed_at_sync(
    machines: MachineControl,
    nodes: Collection[str],
    after: int,
    *,
    operation: Operation = "sync",
    file: str = "",
) -> Iterator[ActiveFault]:
    """Machines lose their power at a sync, after its data were written and before they are durable.

    The first `after` syncs are spared. With another `operation`, machines lose their power right before that
    operation. With `file`, only operations on files whose paths contain that text count.
    """
    with ExitStack() as undo:
        fallen = _Fallen(machines, "power_loss", undo)
        for name in machines.equipped(nodes):
            watcher = _Watcher(partial(fallen.add, name), after, operation, file)
            machines.devices(name).watch(watcher)
            undo.callback(machines.devices(name).ignore, watcher)
        yield ActiveFault(
            fallen.effect, lambda: fallen.why_inert(nodes, f"synced fewer than {after + 1} times")
        )


@contextmanager
def crashed_at_await(machines: MachineControl, nodes: Collection[str], after: int) -> Iterator[ActiveFault]:
    """Processes are killed instead of the next turn of their tasks, after `after` further turns."""
    with ExitStack() as undo:
        fallen = _Fallen(machines, "kill", undo)
        for name, machine in machines.equipped(nodes).items():
            crash = partial(fallen.add, name)
            machine.crash_after(after, crash)
            undo.callback(machine.spare, crash)
        yield ActiveFault(fallen.effect, lambda: fallen.why_inert(nodes, f"ran for fewer than {after} turns"))


class _Fallen:
    """The nodes that were stopped because the moment came."""

    def __init__(self, machines: MachineControl, how: How, undo: ExitStack) -> None:
        self._machines, self._how, self._undo = machines, how, undo
        self._names: list[str] = []

    def add(self, name: str) -> None:
        """Stop a node, until the fault is over."""
        if self._machines.hold(name, self._how):
            self._names.append(name)
        self._undo.callback(self._machines.release, name, self._how)

    def effect(self) -> Effect:
        """The nodes that were stopped."""
        return Effect(stopped=tuple(sorted(self._names)))

    def why_inert(self, nodes: Collection[str], what: str) -> str:
        """Why no node was stopped: it was down, or its moment did not come."""
        if not self._machines.equipped(nodes):
            return "the machines of this substrate cannot be crashed at such a moment"
        return ", ".join(f"{node} {self._machines.state(node) or what}" for node in sorted(nodes))


class _Watcher:
    """Counts the syncs of a disk, or other operations, and calls `crash` at one of them."""

    def __init__(self, crash: Callable[[], object], after: int, operation: Operation, file: str) -> None:
        self._crash, self._left, self._operation, self._file = crash, after, operation, file

    def __call__(self, operation: Operation, path: str) -> None:
        if operation == self._operation and self._file in path:
            self._left -= 1
            if self._left == -1:
                self._crash()


def _problems(fault: Fault) -> Iterator[str]:
    yield from no_negative_ms(fault)
    operation, file = fault.options.get("operation", "sync"), fault.options.get("file", "")
    if operation not in get_args(Operation):
        yield f"has the option operation {operation!r}, expected one of {', '.join(get_args(Operation))}"
    if not isinstance(file, str):
        yield f"has the option file {file!r}, expected a part of a path"


CRASH_AT_SYNC = FaultKind(
    "crash_at_sync",
    "machines lose power between a write and its sync",
    lambda fault, cluster: crashed_at_sync(
        cluster.machines,
        fault.nodes,
        fault.after,
        operation=fault.options.get("operation", "sync"),
        file=fault.options.get("file", ""),
    ),
    also(victims, after=lambda rng: rng.choice((0, 0, 1, 2, 4))),
    ms_min=100,
    problems=_problems,
    colour="power_loss",
    downtime="possible",
    substrates=("model", "sim"),
    groups=("all",),
)
CRASH_AT_AWAIT = FaultKind(
    "crash_at_await",
    "processes are killed in the middle of what they do",
    lambda fault, cluster: crashed_at_await(cluster.machines, fault.nodes, fault.after),
    also(victims, after=between(1, 100)),
    ms_min=100,
    colour="kill",
    downtime="possible",
    substrates=("model", "sim"),
    groups=("all",),
)
