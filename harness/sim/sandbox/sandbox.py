"""Keeps a simulated process from the real world: real time, randomness, sockets, threads and processes.

While a world runs, what programs ask of `time`, `random`, `os.urandom`, `uuid` and `secrets` comes from the
clock and the random stream of the process that asks. What is not simulated raises `NotSimulated` at the call,
which says what to use instead. The harness's own code, between two ticks, meets the real things. All is put
back when the world is closed, if it was opened by `with`, and else when it stops running.
"""

from __future__ import annotations

import errno
import functools
import gc
import logging
import operator
import os
import random
import socket
import ssl
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from threading import get_ident
from typing import TYPE_CHECKING, Any

import trio

from ostrakon.harness.sim.disk import filesystem
from ostrakon.harness.sim.kernel.clock import EPOCH_S
from ostrakon.harness.sim.kernel.errors import SimulationError
from ostrakon.harness.sim.network.plain_socket import handed_to_trio, make_ready
from ostrakon.harness.sim.network.resolver import address_info, is_loopback, name_info
from ostrakon.harness.sim.runtimes.trio import threads
from ostrakon.harness.sim.runtimes.trio.run import shortcuts
from ostrakon.harness.sim.sandbox import certificates, databases, exit, identity, refusals, started_threads
from ostrakon.harness.sim.sandbox.early_binding import bound_early, virtual_dates
from ostrakon.harness.sim.sandbox.locks import virtual_locks
from ostrakon.harness.sim.sandbox.patches import Patch, Patches
from ostrakon.harness.substrates.seeds import stream_seed

if TYPE_CHECKING:
    from ostrakon.harness.sim.sandbox.host import Resident, Surroundings

_WALL_CLOCKS = {getattr(time, name) for name in ("CLOCK_REALTIME", "CLOCK_TAI") if hasattr(time, name)}
_world: Surroundings | None = None
"""The world that runs at present."""
_thread = 0
"""The thread in which it runs."""
_enclosures = 0
"""The number of worlds that are open or run."""
_keepers = 0
"""The number of `enclose` calls without their `unclose`."""
_has_asyncio = False
"""Whether the installed replacements include those of asyncio."""
_put_back, _put_back_zone = ExitStack(), ExitStack()


def enclose() -> None:
    """Replace everything real for simulated processes, until `unclose` has been called as often as this."""
    global _enclosures
    if _enclosures == 0:
        _keep()
        _put_back_zone.enter_context(_in_utc())
    _enclosures += 1


def unclose() -> None:
    """End one call of `enclose`."""
    global _enclosures
    _enclosures -= 1
    if _enclosures == 0:
        _put_back_zone.close()
        _let_go()


@contextmanager
def enclosed() -> Iterator[None]:
    """Keep the replacements in place between worlds, too, for a body that runs many one after the other.

    They do as the real ones outside of a world's processes. To put them in place and back for each of many
    short worlds costs more than the replacements themselves: Python forgets each time what it has learned
    of the classes that they belong to. What exists when the body begins is kept from the garbage collector,
    which would look through all of it again and again for the sake of a few worlds.
    """
    _keep()
    is_first = gc.get_freeze_count() == 0
    gc.freeze()
    try:
        yield
    finally:
        if is_first:
            gc.unfreeze()
        _let_go()


def _keep() -> None:
    global _keepers
    if _keepers == 0:
        _put_in_place()
    _keepers += 1


def _let_go() -> None:
    global _keepers
    _keepers -= 1
    if _keepers == 0:
        _put_back.close()


def _put_in_place() -> None:
    global _has_asyncio
    _has_asyncio = "asyncio" in sys.modules
    _put_back.enter_context(_stand_ins(len(sys.modules)).applied())
    if _has_asyncio:
        _put_back.enter_context(_other_loops().applied())
    _put_back.enter_context(shortcuts())
    _put_back.enter_context(virtual_dates(_wall_time))
    _put_back.enter_context(virtual_locks(running_process))


def include_asyncio() -> None:
    """asyncio has come into use, perhaps after the world was opened: put in place what it needs, too."""
    if _keepers and not _has_asyncio:
        _put_back.close()
        _put_in_place()


@contextmanager
def _in_utc() -> Iterator[None]:
    """Let the time zone be UTC, wherever this runs, until a program sets another in `TZ`."""
    before = os.environ.get("TZ")
    # Setting it takes as long as making a machine does, and most machines that run tests are in UTC anyway.
    if time.tzname != ("UTC", "UTC"):
        os.environ["TZ"] = "UTC"
        time.tzset()
    try:
        yield
    finally:
        if os.environ.get("TZ") != before:
            _set_zone(before)


def _set_zone(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    time.tzset()


@contextmanager
def sealed(world: Surroundings) -> Iterator[None]:
    """Run the body, the world's kernel loop, with everything real replaced for simulated processes.

    Raises: SimulationError if a world is running already, in this thread or another.
    """
    global _world, _thread
    if _world is not None:
        raise SimulationError(
            "a world is running already in this interpreter: run one after the other, or in several processes"
        )
    _world, _thread = world, get_ident()
    refusals.guard(running_process)
    collecting = gc.isenabled()
    gc.disable()  # A finalizer that runs when memory happens to be short is a choice nobody recorded.
    enclose()
    try:
        with _shared_randomness(world), _outer_loop_aside():
            yield
    finally:
        unclose()
        if collecting:
            gc.enable()
        _world = None


@contextmanager
def _shared_randomness(world: Surroundings) -> Iterator[None]:
    """Give those who hold on to methods of `random`'s own generator numbers of this world."""
    outer = random.getstate()
    if world.shared_randomness is None:
        random.seed(stream_seed(world.seed, "shared"))
    elif not world.closing:
        random.setstate(world.shared_randomness)
    try:
        yield
    finally:
        if not world.closing:
            world.shared_randomness = random.getstate()
        random.setstate(outer)


def running_process() -> Resident | None:
    """The simulated process whose code runs now; None outside of simulations and between ticks."""
    if _world is None:
        return None
    process: Resident | None = _world.kernel.current
    if process is not None and get_ident() != _thread:
        return None  # Another thread of the harness, or of a library, at the same time.
    return process


def _wall_time() -> float | None:
    process = running_process()
    return None if process is None else process.machine.clock.wall_time()


@functools.lru_cache(maxsize=8)
def _stand_ins(modules: int) -> Patches:
    """All of them, for as many modules as are imported by now."""
    asyncios = _asyncio() if "asyncio" in sys.modules else ()
    known = (*_replacements(), *asyncios)
    return Patches((*known, *bound_early(known)))


@functools.cache
def _replacements() -> tuple[Patch, ...]:
    return (
        *_time(),
        *_randomness(),
        *identity.replacements(_simulated),
        *refusals.replacements(_simulated),
        *filesystem.replacements(_simulated),
        *certificates.replacements(_simulated),
        *exit.replacements(_simulated),
        *databases.replacements(_simulated),
        *started_threads.replacements(_simulated),
        *_sockets(),
        *_threads(),
    )


def _asyncio() -> tuple[Patch, ...]:
    # Who has not imported asyncio has no use for it.
    from ostrakon.harness.sim.runtimes.asyncio import patches

    return tuple(patches.replacements(_simulated))


def _other_loops() -> Patches:
    from ostrakon.harness.sim.runtimes.asyncio import patches

    return Patches(patches.other_loops(_simulated))


def _outer_loop_aside() -> AbstractContextManager[None]:
    if "asyncio" not in sys.modules:
        return nullcontext()
    from ostrakon.harness.sim.runtimes.asyncio.patches import outer_loop_aside

    return outer_loop_aside()


def _simulated(real: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    """A function that answers a simulated process with `ours` and everyone else as `real` does."""

    @functools.wraps(real)
    def answer(*args: Any, **kwargs: Any) -> Any:
        process = running_process()
        return real(*args, **kwargs) if process is None else ours(process, *args, **kwargs)

    return answer


def _time() -> Iterator[Patch]:
    def monotonic(process: Resident) -> float:
        return process.machine.clock.current_time()

    def wall(process: Resident) -> float:
        return process.machine.clock.wall_time()

    for name, clock in (
        *(("time", wall), ("monotonic", monotonic), ("perf_counter", monotonic)),
        *(("process_time", monotonic), ("thread_time", monotonic)),  # It has had all the time there was.
    ):
        yield time, name, _simulated(getattr(time, name), clock)
        yield time, f"{name}_ns", _simulated(getattr(time, f"{name}_ns"), _in_ns(clock))

    known = time.clock_gettime

    def clock_gettime(process: Resident, clock: int) -> float:
        known(clock)  # Raises OSError for a clock that there is not.
        return wall(process) if clock in _WALL_CLOCKS else monotonic(process)

    yield time, "clock_gettime", _simulated(time.clock_gettime, clock_gettime)
    in_ns = _simulated(time.clock_gettime_ns, lambda process, clock: int(clock_gettime(process, clock) * 1e9))
    yield time, "clock_gettime_ns", in_ns
    yield from _broken_down(wall)


def _broken_down(wall: Callable[[Resident], float]) -> Iterator[Patch]:
    """Functions of `time` that take the present unless told a time. The zone is that of `TZ`, as natively."""
    localtime, gmtime, strftime, asctime = time.localtime, time.gmtime, time.strftime, time.asctime

    def fields(of: Callable[[float], time.struct_time]) -> Callable[..., time.struct_time]:
        return lambda process, seconds=None: of(wall(process) if seconds is None else seconds)

    def shown(process: Resident, seconds: float | None = None) -> str:
        return asctime(localtime(wall(process) if seconds is None else seconds))

    def formatted(process: Resident, form: str, at: Any = None) -> str:
        return strftime(form, localtime(wall(process)) if at is None else at)

    yield time, "localtime", _simulated(localtime, fields(localtime))
    yield time, "gmtime", _simulated(gmtime, fields(gmtime))
    yield time, "ctime", _simulated(time.ctime, shown)
    yield (
        time,
        "asctime",
        _simulated(asctime, lambda process, at=None: asctime(at or localtime(wall(process)))),
    )
    yield time, "strftime", _simulated(strftime, formatted)
    # What `relativeCreated` of a log record counts from; an integer of nanoseconds from Python 3.13 on.
    began = EPOCH_S if isinstance(logging._startTime, float) else EPOCH_S * 10**9  # type: ignore[attr-defined]
    yield logging, "_startTime", began


def _in_ns(clock: Callable[[Resident], float]) -> Callable[[Resident], int]:
    return lambda process: int(clock(process) * 1e9)


_RANDOM = (
    *("random", "uniform", "triangular", "randint", "choice", "randrange", "sample", "shuffle", "choices"),
    *("normalvariate", "lognormvariate", "expovariate", "vonmisesvariate", "gammavariate", "gauss"),
    *("betavariate", "paretovariate", "weibullvariate", "getrandbits", "randbytes", "binomialvariate"),
)


def _randomness() -> Iterator[Patch]:
    def urandom(process: Resident, size: int) -> bytes:
        return process.rng.randbytes(size)

    for name in _RANDOM:
        if hasattr(random, name):  # Not every version has each.
            yield random, name, _simulated(getattr(random, name), _drawing(name))
    yield random, "seed", _simulated(random.seed, _seed)
    yield random, "getstate", _simulated(random.getstate, lambda process: _generator(process).getstate())
    yield random, "setstate", _simulated(random.setstate, _set_state)
    yield os, "urandom", _simulated(os.urandom, urandom)
    if hasattr(os, "getrandom"):
        yield os, "getrandom", _simulated(os.getrandom, lambda process, size, flags=0: urandom(process, size))
    yield random, "_urandom", _simulated(os.urandom, urandom)  # What SystemRandom and secrets use.
    seed = random.Random.seed

    def seed_from_process(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None and (process := running_process()) is not None:
            a = process.rng.getrandbits(128)
        seed(self, a, version)

    yield random.Random, "seed", seed_from_process
    yield ssl, "RAND_bytes", _simulated(ssl.RAND_bytes, urandom)
    # What uuid1 is made of, besides the time: the real machine's address and the last time it was asked.
    yield uuid, "getnode", _simulated(uuid.getnode, lambda process: 0x020000000000 + process.machine.number)
    yield uuid, "_generate_time_safe", None
    yield uuid, "_last_timestamp", None


def _drawing(name: str) -> Callable[..., Any]:
    def draw(process: Resident, *args: Any, **kwargs: Any) -> Any:
        if process.machine.world.kernel.choice_log is not None:
            process.machine.world.kernel.note_choice("draw", name)
        return getattr(_generator(process), name)(*args, **kwargs)

    return draw


def _generator(process: Resident) -> random.Random:
    """The generator of the functions of `random`."""
    return process.rng if process.seeded_random is None else process.seeded_random


def _seed(process: Resident, a: Any = None, version: int = 2) -> None:
    process.seeded_random = None
    if a is not None:
        process.seeded_random = random.Random()
        process.seeded_random.seed(a, version)


def _set_state(process: Resident, state: Any) -> None:
    generator = random.Random(0)
    generator.setstate(state)
    process.seeded_random = generator


def _sockets() -> Iterator[Patch]:
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
    yield socket, "gethostbyname", _simulated(socket.gethostbyname, _gethostbyname)
    yield socket, "gethostbyname_ex", _simulated(socket.gethostbyname_ex, _gethostbyname_ex)
    yield socket, "gethostbyaddr", _simulated(socket.gethostbyaddr, _gethostbyaddr)
    yield socket, "getnameinfo", _simulated(socket.getnameinfo, _getnameinfo)
    interfaces = dict(enumerate(("lo", "eth0"), start=1))
    for name, ours in (
        ("if_nameindex", lambda process: list(interfaces.items())),
        ("if_nametoindex", lambda process, wanted: _interface(wanted, {v: k for k, v in interfaces.items()})),
        ("if_indextoname", lambda process, wanted: _interface(wanted, interfaces)),
    ):
        yield socket, name, _simulated(getattr(socket, name), ours)
    handed = trio.socket.from_stdlib_socket
    yield trio.socket, "from_stdlib_socket", _simulated(handed, handed_to_trio)


def _getaddrinfo(
    process: Resident, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    return address_info(process.machine.world.network, name, port, family, type, proto, flags)


def _getnameinfo(process: Resident, sockaddr: Any, flags: int) -> tuple[str, str]:
    return name_info(process.machine.world.network, sockaddr, flags)


def _gethostbyname(process: Resident, host: str) -> str:
    found: str = _getaddrinfo(process, host, 0)[0][4][0]
    return found


def _gethostbyname_ex(process: Resident, host: str) -> tuple[str, list[str], list[str]]:
    return host, [], [_gethostbyname(process, host)]


def _gethostbyaddr(process: Resident, host: str) -> tuple[str, list[str], list[str]]:
    address = _gethostbyname(process, host)
    if is_loopback(address):
        return "localhost", [], [address]
    name, _ = name_info(process.machine.world.network, (address, 0))
    if name == address:
        raise socket.herror(1, "Unknown host")
    return name, [], [address]


def _interface(wanted: Any, interfaces: Mapping[Any, Any]) -> Any:
    if wanted not in interfaces:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    return interfaces[wanted]


def _threads() -> Iterator[Patch]:
    real = trio.to_thread.run_sync

    @functools.wraps(real)
    async def run_sync(*args: Any, **kwargs: Any) -> Any:
        process = running_process()
        if process is None:
            return await real(*args, **kwargs)
        return await threads.run_sync(process, *args, **kwargs)

    yield trio.to_thread, "run_sync", run_sync
    for name, ours in (
        ("run", threads.await_in_loop),
        ("run_sync", threads.call_in_loop),
        ("check_cancelled", threads.check_cancelled),
    ):
        yield trio.from_thread, name, _simulated(getattr(trio.from_thread, name), ours)
    yield time, "sleep", _simulated(time.sleep, _sleep)


def _sleep(process: Resident, seconds: float) -> None:
    # What it says of what is no length of time is what `time.sleep` says.
    if not isinstance(seconds, float):
        seconds = operator.index(seconds)
    if seconds != seconds:
        raise ValueError("Invalid value NaN (not a number)")
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if seconds * 1e9 >= 1 << 63:
        raise OverflowError("timestamp out of range for platform time_t")
    clock = process.machine.clock
    process.block(clock.true_ns(clock.current_time() + seconds))
