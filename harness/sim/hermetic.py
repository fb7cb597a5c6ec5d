"""Keeps a simulated process from the real world: real time, randomness, sockets, threads and processes.

While a world runs, what programs ask of `time`, `random`, `os.urandom`, `uuid` and `secrets` comes from the
clock and the random stream of the process that asks. What is not simulated raises `NotSimulated` at the call,
which says what to use instead. The harness's own code, between two ticks, meets the real things. All is put
back when the world stops running.
"""

from __future__ import annotations

import functools
import gc
import os
import random
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import trio

from harness.sim import filesystem
from harness.sim._trio import RUN_IN_THREADS
from harness.sim.early_binding import Replacement, bound_early, virtual_dates
from harness.sim.errors import NotSimulated, SimulationError
from harness.sim.plain_socket import handed_to_trio, make_ready
from harness.sim.resolver import address_info

if TYPE_CHECKING:
    from harness.sim.process import Process
    from harness.sim.world import World

_MISSING = object()
_world: World | None = None
"""The world that runs now."""


@contextmanager
def sealed(world: World) -> Iterator[None]:
    """Run the body, the world's kernel loop, with everything real replaced for simulated processes.

    Raises: SimulationError if a world is running already, in this thread or another.
    """
    global _world
    if _world is not None:
        raise SimulationError(
            "a world is running already in this interpreter: run one after the other, or in several processes"
        )
    _world = world
    collecting = gc.isenabled()
    gc.disable()  # A finalizer that runs when memory happens to be short is a choice nobody recorded.
    shared = random.getstate()
    random.setstate(world.shared_randomness)
    saved: list[Replacement] = []
    replacements = (*_replacements(), *bound_early(_shown_and_drawn()))
    try:
        for owner, name, replacement in replacements:
            saved.append((owner, name, owner.__dict__.get(name, _MISSING)))
            setattr(owner, name, replacement)
        with virtual_dates(_wall_time):
            yield
    finally:
        for owner, name, original in reversed(saved):
            if original is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        world.shared_randomness = random.getstate()
        random.setstate(shared)
        if collecting:
            gc.enable()
        _world = None


def running_process() -> Process | None:
    """The simulated process whose code runs now; None outside of simulations and between ticks."""
    process: Process | None = _world.kernel.current if _world is not None else None
    return process


def _wall_time() -> float | None:
    process = running_process()
    return None if process is None else process.machine.clock.wall_time()


@functools.cache
def _shown_and_drawn() -> tuple[Replacement, ...]:
    return *_time(), *_randomness()


@functools.cache
def _replacements() -> tuple[Replacement, ...]:
    return (
        *_shown_and_drawn(),
        *_refusals(),
        *filesystem.replacements(_simulated),
        *_signals(),
        *_sockets(),
        *((module, "run_sync", _run_sync) for module in RUN_IN_THREADS),
    )


def _simulated(real: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    """A function that answers a simulated process with `ours` and everyone else as `real` does."""

    @functools.wraps(real)
    def answer(*args: Any, **kwargs: Any) -> Any:
        process = running_process()
        return real(*args, **kwargs) if process is None else ours(process, *args, **kwargs)

    return answer


def _time() -> Iterator[Replacement]:
    def monotonic(process: Process) -> float:
        return process.machine.clock.current_time()

    def wall(process: Process) -> float:
        return process.machine.clock.wall_time()

    for name, clock in (("time", wall), ("monotonic", monotonic), ("perf_counter", monotonic)):
        yield time, name, _simulated(getattr(time, name), clock)
        yield time, f"{name}_ns", _simulated(getattr(time, f"{name}_ns"), _in_ns(clock))
    yield time, "process_time", _simulated(time.process_time, monotonic)
    gmtime = time.gmtime

    def broken_down(process: Process, seconds: float | None = None) -> time.struct_time:
        return gmtime(wall(process) if seconds is None else seconds)

    for name in ("localtime", "gmtime"):  # Simulated machines are in UTC.
        yield time, name, _simulated(getattr(time, name), broken_down)


def _in_ns(clock: Callable[[Process], float]) -> Callable[[Process], int]:
    return lambda process: int(clock(process) * 1e9)


_RANDOM = (
    *("random", "uniform", "triangular", "randint", "choice", "randrange", "sample", "shuffle", "choices"),
    *("normalvariate", "lognormvariate", "expovariate", "vonmisesvariate", "gammavariate", "gauss"),
    *("betavariate", "paretovariate", "weibullvariate", "getrandbits", "randbytes"),
)


def _randomness() -> Iterator[Replacement]:
    def urandom(process: Process, size: int) -> bytes:
        return process.rng.randbytes(size)

    for name in _RANDOM:
        yield random, name, _simulated(getattr(random, name), _drawing(name))
    yield os, "urandom", _simulated(os.urandom, urandom)
    yield random, "_urandom", _simulated(os.urandom, urandom)  # What SystemRandom and secrets use.
    seed = random.Random.seed

    def seed_from_process(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None and (process := running_process()) is not None:
            a = process.rng.getrandbits(128)
        seed(self, a, version)

    yield random.Random, "seed", seed_from_process
    # What uuid1 is made of, besides the time: the real machine's address and the last time it was asked.
    yield uuid, "getnode", _simulated(uuid.getnode, lambda process: 0x020000000000 + process.machine.number)
    yield uuid, "_generate_time_safe", None
    yield uuid, "_last_timestamp", None


def _drawing(name: str) -> Callable[..., Any]:
    def draw(process: Process, *args: Any, **kwargs: Any) -> Any:
        if process.machine.world.kernel.tape is not None:
            process.machine.world.kernel.note_choice("draw", name)
        return getattr(process.rng, name)(*args, **kwargs)

    return draw


def _refusals() -> Iterator[Replacement]:
    def refuse(owner: Any, name: str, called: str, instead: str) -> Replacement:
        def refusal(process: Process, *args: Any, **kwargs: Any) -> NoReturn:
            raise NotSimulated(f"{called} is not simulated (called by {process.name}): {instead}")

        return owner, name, _simulated(getattr(owner, name), refusal)

    yield refuse(socket, "socketpair", "socket.socketpair()", "use trio.socket or trio's streams")
    yield refuse(threading.Thread, "start", "starting a thread", "trio.to_thread.run_sync() runs inline")
    yield refuse(subprocess.Popen, "__init__", "starting a process", "start another machine in the world")
    yield refuse(os, "fork", "os.fork()", "start another machine in the world")
    yield refuse(os, "system", "os.system()", "start another machine in the world")
    yield refuse(time, "sleep", "time.sleep()", "use trio.sleep()")


def _sockets() -> Iterator[Replacement]:
    real = socket.socket.__init__

    @functools.wraps(real)
    def make(self: socket.socket, *args: Any, **kwargs: Any) -> None:
        process = running_process()
        if process is None:
            real(self, *args, **kwargs)
        else:
            make_ready(process, self, *args, **kwargs)

    yield socket.socket, "__init__", make
    yield socket, "getaddrinfo", _simulated(socket.getaddrinfo, _getaddrinfo)
    handed = trio.socket.from_stdlib_socket
    yield trio.socket, "from_stdlib_socket", _simulated(handed, handed_to_trio)


def _signals() -> Iterator[Replacement]:
    """Handlers are the process's own; `Machine.stop` calls the one for SIGTERM."""

    def install(process: Process, number: int, handler: Any) -> Any:
        before = process.signal_handlers.get(number, signal.SIG_DFL)
        process.signal_handlers[number] = handler
        return before

    def get(process: Process, number: int) -> Any:
        return process.signal_handlers.get(number, signal.SIG_DFL)

    yield signal, "signal", _simulated(signal.signal, install)
    yield signal, "getsignal", _simulated(signal.getsignal, get)


def _getaddrinfo(
    process: Process, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    return address_info(process.machine.world.network, name, port, family, type, proto, flags)


async def _run_sync(sync_fn: Callable[..., Any], *args: Any, **_: Any) -> Any:
    """Stands in for `trio.to_thread.run_sync`: the function runs inline, in no time but for syncing files."""
    await trio.lowlevel.checkpoint()
    process = running_process()
    assert process is not None
    disk = process.machine.disk
    syncs = disk.syncs
    try:
        return sync_fn(*args)
    finally:
        for _sync in range(disk.syncs - syncs):
            await disk.wait()
