"""A world: machines on a network, on one clock, from one seed. The same seed gives the same world again.

    with World(seed=7) as world:
        for name in ("n1", "n2", "n3"):
            world.machine(name).start(node)
        control = world.machine("control", is_node=False).start(clients)
        world.run(stop=lambda: control.done)

Programs are ordinary Trio programs. Any of them, and any callback, may start, kill, pause and cut as it
likes, itself included.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from math import inf
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

from trio.lowlevel import Task

from ostrakon.harness.sim.kernel.choice_log import ChoiceLog
from ostrakon.harness.sim.kernel.errors import SimulationError
from ostrakon.harness.sim.kernel.kernel import NEVER_NS, Kernel
from ostrakon.harness.sim.kernel.schedule import RandomSchedule, Schedule
from ostrakon.harness.sim.kernel.signals import handled, handler_of
from ostrakon.harness.sim.kernel.watchdog import LIMIT_S, watching
from ostrakon.harness.sim.machine.buggify import Sometimes
from ostrakon.harness.sim.machine.machine import Crash, Machine
from ostrakon.harness.sim.machine.process import Process
from ostrakon.harness.sim.machine.trio_process import TrioProcess
from ostrakon.harness.sim.network.in_flight import OnItsWay, in_flight
from ostrakon.harness.sim.network.network import Network
from ostrakon.harness.sim.runtimes.trio.run import schedule_batches
from ostrakon.harness.sim.sandbox.sandbox import enclose, sealed, unclose
from ostrakon.harness.substrates.framing import Framing
from ostrakon.harness.substrates.latency import Latency, Uniform
from ostrakon.harness.substrates.no_progress import Waiting
from ostrakon.harness.substrates.seeds import stream_seed, substream

if TYPE_CHECKING:
    from ostrakon.harness.sim.machine.process import Process


_UNWINDING_NS = 3600 * 10**9
"""How much virtual time programs get to end when a world is closed."""


class StopReason(Enum):
    """Why `World.run` returned."""

    STOPPED = "stop() said so"
    TIME = "the time was up"
    ENDED = "every program has ended"
    LIVELOCK = "some program goes round and round and time stands still"
    DIVERGED = "a choice differed from the choice log"
    DEADLOCK = "nothing can happen any more, and some program waits"


class World:
    """One simulation: its machines, network, clock and randomness."""

    def __init__(
        self,
        seed: int,
        *,
        latency: Latency | None = None,
        framing: Framing | None = None,
        schedule: Schedule | None = None,
        choice_log: ChoiceLog | None = None,
        buggify: float = 0.0,
    ) -> None:
        self.seed = seed
        self._streams: list[tuple[tuple[str | int, ...], ReferenceType[random.Random]]] = []
        """Every random stream that was handed out and is still used, in order."""
        self.kernel = Kernel(schedule or RandomSchedule(self.rng("schedule")), choice_log)
        self.crashes: list[Crash] = []
        """The programs that were ended by an exception of their own, in order."""
        self.on_note: Callable[[Any, str, Mapping[str, Any]], object] | None = None
        """Called with the process, the name and the fields of each event that a program notes."""
        self.on_crash: Callable[[Crash], object] | None = None
        """Called with each crash when it happens."""
        self.shared_randomness: tuple[Any, ...] | None = None
        """The state of the `random` module's own generator, for programs that hold on to its methods; None
        before the first run."""
        self.sometimes = Sometimes(buggify, self.rng)
        """The rare branches that programs offer, and how often each was reached and taken."""
        self._has_run = False
        self.closing = False
        """Whether programs are being unwound: their actions no longer belong to the simulation."""
        self.passes_max = 1_000_000
        """The number of passes without waiting after which a process counts as a livelock."""
        self.livelocked: Process | None = None
        """The process that is in a livelock."""
        self.cpu_limit_s = LIMIT_S
        """CPU seconds that a process may compute without waiting once, before it is ended by EndlessLoop."""
        self._machines: dict[str, Machine] = {}
        self._interrupted = self._closed = self._collects = False
        self.network: Network = Network(self, latency or Uniform(0.5, 2.5), framing)

    def __enter__(self) -> World:
        # Between two runs, too: all of the world would be looked through, and none of it is garbage yet.
        self._collects = gc.isenabled()
        gc.disable()
        enclose()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            self.close()
        finally:
            unclose()
            if self._collects:
                gc.enable()

    @property
    def now_ns(self) -> int:
        """True time since the beginning, in nanoseconds, whatever any machine's clock shows."""
        return self.kernel.now_ns

    @property
    def now_s(self) -> float:
        """True time since the beginning, in seconds."""
        return self.kernel.now_ns / 1e9

    @property
    def held_up_s(self) -> float:
        """How long it takes until all messages that faults delayed have arrived, in seconds."""
        disks = [machine.disk.busy_until_ns for machine in self._machines.values()]
        return (max(self.now_ns, self.network.held_up_until_ns, *disks) - self.now_ns) / 1e9

    @property
    def machines(self) -> Mapping[str, Machine]:
        """The machines by name, in order of creation."""
        return self._machines

    @property
    def digest(self) -> str:
        """A hash of everything that has happened: equal for equal runs, on every Python and machine."""
        return f"{self.kernel.fingerprint & (1 << 64) - 1:016x}"

    def rng(self, *path: str | int) -> random.Random:
        """The random stream called `path`, which depends on nothing but that and the seed."""
        stream = substream(self.seed, *path)
        self._streams.append((path, ref(stream)))
        return stream

    def reseed(self, salt: str) -> None:
        """Draw all chance from other streams from now on, as in a trial with another seed and the same
        past.
        """
        self.seed = stream_seed(self.seed, "future", salt)
        for path, reference in self._streams:
            if (stream := reference()) is not None:
                stream.seed(stream_seed(self.seed, *path))

    def machine(self, name: str, *, is_node: bool = True) -> Machine:
        """A new machine, switched on and idle.

        One that is not a node (a client, the nemesis) stands outside of the system under test: message
        faults that name no links leave it alone, and its messages are not numbered.

        Raises: SimulationError if there is one of that name.
        """
        if name in self._machines:
            raise SimulationError(f"there is a machine called {name!r} already: {self._machines[name]}")
        machine = self._machines[name] = Machine(self, name, len(self._machines) + 1, is_node=is_node)
        self.network.add(machine)
        return machine

    def call_at(self, time_ns: int, call: Callable[..., object], *args: Any) -> None:
        """Call `call(*args)` at a true time, outside of every process."""
        self.kernel.call_at(time_ns, call, *args)

    def call_later(self, delay_s: float, call: Callable[..., object], *args: Any) -> None:
        """Call `call(*args)` after a while, outside of every process."""
        self.kernel.call_at(self.kernel.now_ns + int(delay_s * 1e9), call, *args)

    def run(self, *, until_s: float = inf, stop: Callable[[], bool] | None = None) -> StopReason:
        """Let things happen until `stop()` is true, the time is up, or nothing is left to happen.

        A program that crashes is recorded in `crashes`. Raises: what a callback raises; SimulationError;
        KeyboardInterrupt, between two ticks.
        """
        if self._closed:
            raise SimulationError("this world is closed")
        until_ns = NEVER_NS - 1 if until_s == inf else int(until_s * 1e9)
        with self._in_charge():
            self._has_run = True
            return self._loop(until_ns, stop)

    def waiting(self) -> list[Waiting]:
        """The tasks of all existing processes, with the place where each one waits."""
        return waiting_tasks(self._processes())

    def in_flight(self) -> Iterator[OnItsWay]:
        """The messages that were sent and have not arrived."""
        return in_flight(self.kernel)

    def report_crash(self, crash: Crash) -> None:
        """Record that a program has ended by an exception."""
        self.crashes.append(crash)
        if self.on_crash is not None:
            self.on_crash(crash)

    def close(self) -> None:
        """End every process quietly, the killed ones too, so that nothing is left behind. Again is harmless.

        Raises: SimulationError if a program does not end within an hour of virtual time.
        """
        if self._closed:
            return
        self.closing = True
        self.livelocked = None
        left = [process for process in self._processes() if not process.unwound]
        for process in left:
            process.unwind()
        if left or self._has_run:
            self.kernel.choice_log = None
            with _quietly(), self._in_charge():
                if left:
                    self._loop(self.now_ns + _UNWINDING_NS, lambda: all(process.unwound for process in left))
                self._collect_garbage()
        self._closed = True
        if stubborn := [process for process in left if not process.unwound]:
            for process in stubborn:
                process.abandon()
            names = ", ".join(process.name for process in stubborn)
            raise SimulationError(f"the programs of {names} do not end when they are cancelled")

    def _collect_garbage(self) -> None:
        """Finalize what the programs have left in cycles while they cannot touch anything real.

        Python would do it at any time after this. All of it is young, because Python collects no garbage
        while a world runs.
        """
        for process in self._processes():
            self.kernel.current = process
        try:
            gc.collect(0)
        finally:
            self.kernel.current = None

    def _loop(self, until_ns: int, stop: Callable[[], bool] | None) -> StopReason:
        kernel = self.kernel

        if kernel.run(until_ns, stop):
            if not kernel.halted:
                return StopReason.STOPPED
            kernel.halted = False
            if self._interrupted:
                self._interrupted = False
                raise KeyboardInterrupt
            return StopReason.DIVERGED if self.livelocked is None else StopReason.LIVELOCK
        if until_ns < NEVER_NS - 1:
            kernel.now_ns = max(kernel.now_ns, until_ns)
            return StopReason.TIME
        return (
            StopReason.DEADLOCK if any(process.alive for process in self._processes()) else StopReason.ENDED
        )

    def _processes(self) -> list[Process]:
        return [process for machine in self._machines.values() for process in machine.processes]

    @contextmanager
    def _in_charge(self) -> Iterator[None]:
        with (
            sealed(self),
            schedule_batches(_Batches(self.kernel)),
            self._interruptible(),
            watching(self.kernel, self.cpu_limit_s),
        ):
            yield

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let ctrl-C wait for the end of a tick; a second one does not wait."""
        if (
            threading.current_thread() is not threading.main_thread()
            or handler_of(signal.SIGINT) is not signal.default_int_handler
        ):
            yield
            return

        def interrupt(number: int, frame: Any) -> None:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = self.kernel.halted = True

        with handled(signal.SIGINT, interrupt):
            yield


@contextmanager
def _quietly() -> Iterator[None]:
    """Let programs log nothing, and Python say nothing of errors in their finalizers.

    What is said of being unwound is no news of the simulation.
    """
    logs = logging.root.manager
    level, hook = logs.disable, sys.unraisablehook
    logs.disable, sys.unraisablehook = logging.CRITICAL, lambda _: None
    try:
        yield
    finally:
        logs.disable, sys.unraisablehook = level, hook


class _Batches:
    """What Trio's own loop asks for the order of a batch; `passes.py` makes nearly all passes without it."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def shuffle(self, batch: list[Task]) -> None:
        process: TrioProcess = self._kernel.current
        process.batch = batch
        process.passes = passes = process.passes + 1
        if passes == process.crash_pass:
            process.crash()
        if len(batch) > 1:
            process.order(batch)


_FRAMES = 4


def waiting_tasks(processes: Iterable[Process]) -> list[Waiting]:
    """The tasks of every process that is there, in order of creation."""
    return [waiting for process in processes if process.alive for waiting in _tasks_of(process)]


def _tasks_of(process: Process) -> list[Waiting]:
    peers = dict(wait for sock in process.sockets if (wait := sock.waits_for) is not None)
    return [
        Waiting(process.name, process.state, name, _told(frames), process.machine.name, peers.get(at, ""))
        for at, name, frames in process.waits
    ]


def _told(frames: Iterable[tuple[FrameType, int]]) -> tuple[str, ...]:
    """The innermost of the program's own."""
    told = [
        f"{os.path.basename(frame.f_code.co_filename)}:{line} in {frame.f_code.co_name}"
        for frame, line in frames
        if not _is_beneath(frame.f_code.co_filename)
    ]
    return tuple(told[-_FRAMES:])


_BENEATH = (
    *(f"{os.sep}{package}{os.sep}" for package in ("trio", f"harness{os.sep}sim")),
    os.path.join(os.path.dirname(os.__file__), "asyncio") + os.sep,
)


def _is_beneath(file: str) -> bool:
    return any(package in file for package in _BENEATH)
