"""Who holds which machine, so that overlapping faults of machines do not undo each other.

A machine is down while any fault holds it down, and stopped while any fault holds it stopped; it comes
back when the last of them lets go. What to do at each change is decided by a pure function.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec
from msgspec.structs import replace

from ostrakon.harness.faults.devices import Devices, Equipped

How = Literal["pause", "stop", "kill", "power_loss"]
Step = Literal["pause", "resume", "stop", "kill", "power_off", "restart"]


class Machine(Protocol):
    """What can be done to a machine; the simulator's machines are like this."""

    @property
    def is_running(self) -> bool:
        """Whether its process is there, even if stopped."""

    @property
    def is_paused(self) -> bool:
        """Whether its process is there and stopped."""

    def pause(self) -> object:
        """SIGSTOP."""

    def resume(self) -> object:
        """SIGCONT."""

    def kill(self) -> object:
        """SIGKILL; what was written stays in the page cache."""

    def power_off(self) -> object:
        """No more power, process or no process; what was not synced may be lost."""

    def restart(self) -> object:
        """Start the program again, as a new process."""


@runtime_checkable
class Stoppable(Protocol):
    """A machine whose process can be told to end; one that is not like this is killed."""

    def stop(self) -> object:
        """SIGTERM."""


class Hold(msgspec.Struct, frozen=True):
    """How many faults hold one machine, and how."""

    pause: int = 0
    stop: int = 0
    kill: int = 0
    power_loss: int = 0

    @property
    def is_down(self) -> bool:
        """Whether there is to be no process at all, at once or soon."""
        return self.stop > 0 or self.is_cut_short

    @property
    def is_cut_short(self) -> bool:
        """Whether there is to be none at once."""
        return self.kill + self.power_loss > 0


class MachineControl:
    """The machines of a cluster, held by faults; the one place through which faults touch them."""

    def __init__(self, machines: Mapping[str, Machine]) -> None:
        self._machines = machines
        self._holds: dict[str, Hold] = {}
        self._devices: dict[str, Devices] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the machines."""
        return tuple(self._machines)

    def is_running(self, name: str) -> bool:
        """Whether a machine's process is there, even if stopped. Raises: ValueError."""
        return self._machine(name).is_running

    def hold(self, name: str, how: How) -> bool:
        """One more fault holds a machine; returns whether a running process was stopped by it.

        Raises: ValueError, when there is no such machine.
        """
        machine = self._machine(name)
        was_acting = machine.is_running and not machine.is_paused
        was_running = machine.is_running
        self._change(name, how, +1)
        return was_acting and machine.is_paused if how == "pause" else was_running and not machine.is_running

    def release(self, name: str, how: How) -> None:
        """One fault less holds a machine."""
        self._change(name, how, -1)

    def revive(self, name: str) -> None:
        """Start a machine again whose process has ended by itself, unless a fault holds it down."""
        hold, machine = self._holds.get(name, Hold()), self._machine(name)
        if not hold.is_down and not machine.is_running:
            for step in steps(replace(hold, kill=1), hold):
                _take(step, machine)

    def equipped(self, names: Collection[str]) -> dict[str, Equipped]:
        """Those of these machines that have clocks and disks to be struck, by name and in order.

        Raises: ValueError, when there is no such machine.
        """
        machines: dict[str, Any] = {name: self._machine(name) for name in sorted(set(names))}
        return {name: machine for name, machine in machines.items() if isinstance(machine, Equipped)}

    def devices(self, name: str) -> Devices:
        """The clock and the disk of a machine that is equipped with them."""
        if name not in self._devices:
            self._devices[name] = Devices(self.equipped([name])[name])
        return self._devices[name]

    def _change(self, name: str, how: How, by: int) -> None:
        before = self._holds.get(name, Hold())
        after = replace(before, **{how: getattr(before, how) + by})
        assert getattr(after, how) >= 0, f"{name} is let go by a fault ({how}) that did not hold it"
        for step in steps(before, after):
            _take(step, self._machine(name))
        self._holds[name] = after

    def _machine(self, name: str) -> Machine:
        if (machine := self._machines.get(name)) is None:
            raise ValueError(f"there is no machine called {name!r}; there are: {', '.join(self._machines)}")
        return machine


def steps(before: Hold, after: Hold) -> list[Step]:
    """What to do to a machine when those who hold it change by one."""
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
