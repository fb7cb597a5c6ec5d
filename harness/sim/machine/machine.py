"""A machine: an address, a name, a disk and clocks, and one process at a time.

What the machine has outlives its processes. `kill` leaves the operating system running: it closes the dead
process's connections and keeps what was written in its page cache. `power_off` takes that away too.
"""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ostrakon.harness.sim.disk.disk import SimDisk
from ostrakon.harness.sim.kernel.clock import Clock
from ostrakon.harness.sim.kernel.errors import SimulationError
from ostrakon.harness.sim.machine.process import Process, Program
from ostrakon.harness.sim.machine.trio_process import TrioProcess
from ostrakon.harness.sim.network.ports import Ports
from ostrakon.harness.sim.network.resolver import Resolver
from ostrakon.harness.sim.network.socket_factory import SocketFactory
from ostrakon.harness.substrates.runtime import Runtime, runtime_of

if TYPE_CHECKING:
    from ostrakon.harness.sim.machine.world import World


@dataclass(frozen=True, slots=True)
class Crash:
    """A program that was ended by an exception of its own."""

    machine: str
    incarnation: int
    time_ns: int
    error: BaseException = field(compare=False)
    traceback: str


class Machine:
    """One host of the simulated network; made by `World.machine`."""

    def __init__(self, world: World, name: str, number: int, *, is_node: bool) -> None:
        self.world, self.name, self.number = world, name, number
        self.is_node = is_node
        """Whether it belongs to the system under test; faults do not affect connections of other machines."""
        self.ip = f"10.0.{number >> 8}.{number & 255}"
        self.clock = Clock(world.kernel, self._clock_changed)
        self.disk = SimDisk(self)
        self.powered = True
        self.process: Process | None = None
        """The latest process, dead or alive."""
        self.ports = Ports(world.kernel)
        self.socket_factory: SocketFactory = SocketFactory(self)
        self.resolver: Resolver = Resolver(world.network)
        self.processes: list[Process] = []
        self._program: Program | None = None
        self._runtime: Runtime = "trio"

    def __repr__(self) -> str:
        return f"<Machine {self.name} {self.ip}, {self.state}>"

    @property
    def incarnation(self) -> int:
        """The number of processes that were started here before the latest one; -1 if there was none."""
        return len(self.processes) - 1

    @property
    def state(self) -> str:
        """The latest process's state, or `off`."""
        if not self.powered or self.process is None:
            return "off"
        return self.process.state

    @property
    def is_running(self) -> bool:
        """Whether a process is there, even if paused."""
        return self.process is not None and self.process.alive

    @property
    def is_paused(self) -> bool:
        """Whether a process is there and stopped."""
        return self.state == "paused"

    @property
    def progress(self) -> tuple[int, int]:
        """The incarnation and its turns; the value changes whenever the program runs."""
        return self.incarnation, self.process.passes if self.process is not None else 0

    def start(self, program: Program, *, runtime: Runtime | None = None) -> Process:
        """Switch the machine on if need be and run `program` there; `restart` will run it again.

        Without a `runtime`, it is the one whose functions the program calls; see `runtime_of`.

        Raises: SimulationError if a process is running here; UnknownRuntime.
        """
        if self.is_running:
            raise SimulationError(f"{self.name} is running a process already; stop() or kill() it first")
        if not self.powered:
            self.powered = True
            self.world.network.power_changed(self)
        self._program, self._runtime = program, runtime or runtime_of(program)
        self.process = self._process(program, self._runtime, len(self.processes))
        self.processes.append(self.process)
        return self.process

    def restart(self) -> Process:
        """Run the program again as a new process; one that is still there is killed first.

        Raises: SimulationError if nothing was ever started here.
        """
        if self._program is None:
            raise SimulationError(f"{self.name} has never been started, so it cannot be restarted")
        self.kill()
        return self.start(self._program, runtime=self._runtime)

    def kill(self) -> None:
        """SIGKILL: no `finally` runs, and the operating system closes the process's connections."""
        if self.process is not None and self.process.alive:
            self.process.kill()
            self._close_sockets(self.process)

    def power_off(self) -> None:
        """Cut the power: nobody is told, and what was not synced may be lost, the last write torn."""
        if self.process is not None and self.process.alive:
            self.process.kill()
        if not self.powered:
            return
        self.powered = False
        for process in self.processes:
            for sock in list(process.sockets):
                sock.vanish()
        self.ports.clear()
        self.disk.power_off()
        self.world.network.power_changed(self)

    def pause(self) -> None:
        """SIGSTOP: the process stands still while time, timers and the network go on."""
        if self.process is not None and self.process.alive:
            self.process.pause()

    def resume(self) -> None:
        """SIGCONT."""
        if self.process is not None:
            self.process.resume()

    def crash_after(self, turns: int, crash: Callable[[], object]) -> None:
        """Call `crash` in place of a turn of its tasks, so many turns from now, unless it is gone by then."""
        if self.process is not None and self.process.alive:
            self.process.crash_at(self.process.passes + max(1, turns), crash)

    def spare(self, crash: Callable[[], object]) -> None:
        """Cancel a crash of `crash_after`."""
        if self.process is not None and self.process.crash is crash:
            self.process.crash_pass = 0

    def stop(self) -> None:
        """SIGTERM: calls the program's own handler if it has one, else cancels it; it may clean up."""
        if self.process is not None and not self.process.signal(signal.SIGTERM):
            self.process.cancel()

    def process_ended(self, process: Process) -> None:
        """Handle the end of a process that returned or raised."""
        self._close_sockets(process)
        error = process.error
        if error is not None and not self.world.closing:
            text = "".join(traceback.format_exception(error))
            crash = Crash(self.name, process.incarnation, self.world.now_ns, error, text)
            self.world.report_crash(crash)

    def _process(self, program: Program, runtime: Runtime, incarnation: int) -> Process:
        kernel = self.world.kernel
        if runtime == "trio":
            return TrioProcess(kernel, self, program, incarnation)
        # Who runs no asyncio program need not import it.
        from ostrakon.harness.sim.machine.asyncio_process import AsyncioProcess

        return AsyncioProcess(kernel, self, program, incarnation, shuffle=runtime == "asyncio-shuffle")

    def _close_sockets(self, process: Process) -> None:
        for sock in list(process.sockets):
            sock.close()

    def _clock_changed(self) -> None:
        if self.process is not None and self.process.alive:
            self.process.set_alarm()
