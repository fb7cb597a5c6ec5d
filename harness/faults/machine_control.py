"""Counts which faults hold which machine, so that overlapping faults of machines do not undo each other.

A machine is down while any fault holds it down, and stopped while any fault holds it stopped. It comes back
when the last of these faults ends. A pure function (`steps`) decides what to do at each change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec
from msgspec.structs import replace

from ostrakon.harness.faults.devices import Devices, Equipped, Impairment

How = Literal["pause", "stop", "kill", "power_loss"]
Step = Literal["pause", "resume", "stop", "kill", "power_off", "restart"]


class Machine(Protocol):
    """What faults of processes can do to a machine."""

    @property
    def is_running(self) -> bool:
        """Whether it has a process, even a stopped one."""

    @property
    def is_paused(self) -> bool:
        """Whether it has a process and that process is stopped."""

    def pause(self) -> object:
        """SIGSTOP."""

    def resume(self) -> object:
        """SIGCONT."""

    def kill(self) -> object:
        """SIGKILL; what was written stays in the page cache."""

    def power_off(self) -> object:
        """Cut the power, whether or not there is a process; what was not synced may be lost."""

    def restart(self) -> object:
        """Start the program again, as a new process."""


@runtime_checkable
class Stoppable(Protocol):
    """A machine whose process can be told to end; other machines are killed instead."""

    def stop(self) -> object:
        """SIGTERM."""


class HoldCounts(msgspec.Struct, frozen=True):
    """How many faults hold one machine, by what they hold it with."""

    pause: int = 0
    stop: int = 0
    kill: int = 0
    power_loss: int = 0

    @property
    def is_down(self) -> bool:
        """Whether the machine must have no process, at once or soon."""
        return self.stop > 0 or self.is_cut_short

    @property
    def is_cut_short(self) -> bool:
        """Whether the machine must have no process at once."""
        return self.kill + self.power_loss > 0


class MachineControl:
    """The machines of a cluster. Faults pause, stop and kill them through this object alone."""

    def __init__(self, machines: Mapping[str, Machine]) -> None:
        self._machines = machines
        self._holds: dict[str, HoldCounts] = {}
        self._devices: dict[str, Devices] = {}
        self._equipped: dict[str, bool] = {}
        """Whether a machine has clocks and a disk, as far as that was asked."""
        self.restarted: list[str] = []
        """The machines that were restarted, in order."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the machines."""
        return tuple(self._machines)

    def is_running(self, name: str) -> bool:
        """Whether a machine has a process, even a stopped one. Raises: ValueError."""
        return self.machine(name).is_running

    def state(self, name: str) -> str:
        """What keeps a machine from acting, as a predicate: "was killed already"; empty if nothing does.

        Raises: ValueError, when there is no such machine.
        """
        hold, machine = self._holds.get(name, HoldCounts()), self.machine(name)
        if hold.power_loss:
            return "had no power already"
        if hold.kill:
            return "was killed already"
        if hold.stop:
            return "was told to stop already"
        if not machine.is_running:
            return "had ended already"
        return "was paused already" if machine.is_paused else ""

    def idle(self, names: Collection[str], what: str) -> str:
        """Why a fault had no effect: the state of each machine, or `what` if nothing keeps it from acting."""
        return ", ".join(f"{name} {self.state(name) or what}" for name in sorted(names))

    def hold(self, name: str, how: How) -> bool:
        """Let one more fault hold a machine; returns whether this stopped a running process.

        Raises: ValueError, when there is no such machine.
        """
        machine = self.machine(name)
        was_acting = machine.is_running and not machine.is_paused
        was_running = machine.is_running
        self._change(name, how, +1)
        return was_acting and machine.is_paused if how == "pause" else was_running and not machine.is_running

    def release(self, name: str, how: How) -> None:
        """Let one fault less hold a machine."""
        self._change(name, how, -1)

    def revive(self, name: str) -> None:
        """Restart a machine whose process has ended by itself, unless a fault holds the machine down."""
        hold, machine = self._holds.get(name, HoldCounts()), self.machine(name)
        if not hold.is_down and not machine.is_running:
            for step in steps(replace(hold, kill=1), hold):
                self._take(step, name)

    def equipped(self, names: Collection[str]) -> dict[str, Equipped]:
        """Those of these machines that have clocks and disks, by name and in order.

        Raises: ValueError, when there is no such machine.
        """
        machines: dict[str, Any] = {name: self.machine(name) for name in sorted(set(names))}
        for name, machine in machines.items():
            if name not in self._equipped:  # To ask a protocol takes as long as to send some messages.
                # A live machine has a disk while a volume is mounted for it, and a host has a clock.
                has_any = any(getattr(machine, device, None) is not None for device in ("disk", "clock"))
                self._equipped[name] = has_any or isinstance(machine, Equipped)
        return {name: machine for name, machine in machines.items() if self._equipped[name]}

    def devices(self, name: str) -> Devices:
        """The clock and the disk of a machine that has them."""
        if name not in self._devices:
            self._devices[name] = Devices(self.equipped([name])[name])
        return self._devices[name]

    @contextmanager
    def impaired(self, names: Iterable[str], impairment: Impairment) -> Iterator[ExitStack]:
        """The devices of these machines are impaired; the stack ends before they are restored."""
        with ExitStack() as undo:
            for name in names:
                self.devices(name).impair(impairment)
                undo.callback(self.devices(name).restore, impairment)
            yield undo

    def _change(self, name: str, how: How, by: int) -> None:
        before = self._holds.get(name, HoldCounts())
        after = replace(before, **{how: getattr(before, how) + by})
        assert getattr(after, how) >= 0, f"a fault ({how}) releases {name} and did not hold it"
        for step in steps(before, after):
            self._take(step, name)
        self._holds[name] = after

    def _take(self, step: Step, name: str) -> None:
        if step == "restart":
            self.restarted.append(name)
        _take(step, self.machine(name))

    def machine(self, name: str) -> Machine:
        """The machine of this name. Raises: ValueError."""
        if (machine := self._machines.get(name)) is None:
            raise ValueError(f"there is no machine called {name!r}; there are: {', '.join(self._machines)}")
        return machine


def steps(before: HoldCounts, after: HoldCounts) -> list[Step]:
    """The steps by which a machine follows when one more fault holds it, or one less."""
    if after.power_loss and not before.power_loss:
        return ["power_off"]
    if after.is_cut_short:
        return [] if before.is_cut_short else ["kill"]
    if after.is_down:
        return [] if before.is_down else ["stop"]
    if before.is_down:
        return ["restart", "pause"] if after.pause else ["restart"]
    if bool(before.pause) == bool(after.pause):
        return []
    return ["pause"] if after.pause else ["resume"]


def _take(step: Step, machine: Machine) -> None:
    match step:
        case "pause":
            machine.pause()
        case "resume" if machine.is_running:
            machine.resume()
        case "stop" if isinstance(machine, Stoppable):
            machine.stop()
        case "stop" | "kill":
            machine.kill()
        case "power_off":
            machine.power_off()
        case "restart":
            machine.restart()
