"""A simulated process cannot reach the real world: it gets simulated things, or an error with the way out."""

from __future__ import annotations

import _socket
import _thread
import asyncio
import fcntl
import gc
import importlib
import importlib.resources
import io
import mmap
import multiprocessing
import os
import platform
import random
import resource
import secrets
import select
import selectors
import signal
import socket
import sqlite3
import ssl
import subprocess
import syslog
import threading
import time
import uuid
import zoneinfo
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime
from multiprocessing.shared_memory import SharedMemory
from os import getpid as getpid_by_name
from pathlib import Path
from random import random as bound_early
from time import monotonic as monotonic_by_name
from typing import Any

import pytest
import trio

from ostrakon.harness.sim import NotSimulated, World
from ostrakon.harness.sim.kernel.clock import EPOCH_S
from tests.sim.toy import run_one


def answers(ask: Callable[[], Any], seed: int = 1) -> Any:
    """What a simulated process gets when it asks."""
    got: list[Any] = []

    async def program(world: World) -> None:
        await trio.sleep(1.5)
        got.append(ask())

    run_one(program, seed)
    return got[0]


@pytest.mark.parametrize(
    "clock", [time.monotonic, time.perf_counter, trio.current_time], ids=lambda f: f.__name__
)
def test_clocks_are_virtual(clock: Callable[[], float]) -> None:
    name = clock.__name__
    module = trio if name == "current_time" else time

    assert answers(lambda: getattr(module, name)()) == 1.5


def test_the_date_is_virtual_too() -> None:
    assert answers(lambda: time.time()) == EPOCH_S + 1.5
    assert answers(lambda: time.time_ns()) == (EPOCH_S * 2 + 3) * 500_000_000
    assert answers(lambda: time.monotonic_ns()) == 1_500_000_000
    assert answers(lambda: time.localtime().tm_year) == 2020


def test_every_way_to_ask_for_the_time_is_virtual() -> None:
    assert answers(lambda: time.ctime()) == "Sun Sep 13 12:26:41 2020"
    assert answers(lambda: time.asctime()) == "Sun Sep 13 12:26:41 2020"
    assert answers(lambda: time.strftime("%Y-%m-%d %H:%M:%S")) == "2020-09-13 12:26:41"
    assert answers(lambda: time.strftime("%Y", time.gmtime(0))) == "1970"
    assert answers(lambda: time.clock_gettime(time.CLOCK_MONOTONIC)) == 1.5
    assert answers(lambda: time.clock_gettime_ns(time.CLOCK_REALTIME)) == (EPOCH_S * 2 + 3) * 500_000_000
    assert answers(lambda: time.process_time_ns() == time.thread_time_ns() == 1_500_000_000)


def test_a_process_is_told_of_its_own_machine_alone() -> None:
    assert answers(lambda: socket.gethostname()) == "alone"
    assert answers(lambda: socket.getfqdn()) == "alone"
    assert answers(lambda: platform.node()) == "alone"
    assert answers(lambda: os.uname().nodename) == "alone"
    assert answers(lambda: (os.getpid(), os.getppid(), os.cpu_count())) == (1000, 1, 1)
    assert answers(lambda: socket.gethostbyname("alone")) == "10.0.0.1"
    assert answers(lambda: getpid_by_name()) == 1000


def test_the_next_incarnation_has_the_next_number() -> None:
    numbers: list[int] = []

    async def program() -> None:
        numbers.append(os.getpid())

    with World(1) as world:
        machine = world.machine("a")
        machine.start(program)
        world.run()
        machine.restart()
        world.run()

    assert numbers == [1000, 1001]


def test_a_process_can_signal_itself_and_nobody_else() -> None:
    def ask() -> list[object]:
        got: list[object] = []
        signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
        os.kill(os.getpid(), 0)
        with pytest.raises(ProcessLookupError):
            os.kill(1, signal.SIGTERM)
        return got

    assert answers(ask) == [signal.SIGUSR1, signal.SIGUSR1]


def test_a_database_in_memory_is_the_programs_own() -> None:
    def ask() -> object:
        with closing(sqlite3.connect(":memory:")) as database:
            return database.execute("select 6 * 7").fetchone()

    assert answers(ask) == (42,)


def test_what_is_installed_can_be_imported_at_any_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_late.py").write_text("ANSWER = 42")
    monkeypatch.syspath_prepend(tmp_path)

    assert answers(lambda: importlib.import_module("imported_late").ANSWER) == 42


def test_dates_are_virtual_however_they_were_imported() -> None:
    assert answers(lambda: datetime.now()) == datetime(2020, 9, 13, 12, 26, 41, 500_000)
    assert answers(lambda: datetime.now(UTC).timestamp()) == EPOCH_S + 1.5
    assert answers(lambda: date.today()) == date(2020, 9, 13)
    assert answers(lambda: datetime.today().year) == 2020
    assert abs(datetime.now().timestamp() - time.time()) < 60


def test_functions_that_were_imported_by_name_are_virtual_too() -> None:
    assert answers(lambda: monotonic_by_name()) == 1.5
    assert answers(lambda: bound_early()) == answers(lambda: random.random())


@pytest.mark.parametrize(
    "draw",
    [
        lambda: random.random(),
        lambda: random.sample(range(100), 5),
        lambda: random.Random().random(),
        lambda: random.SystemRandom().random(),
        lambda: bound_early(),
        lambda: os.urandom(8),
        lambda: os.getrandom(8),
        lambda: uuid.uuid4(),
        lambda: uuid.uuid1().time,
        lambda: secrets.token_hex(8),
        lambda: secrets.choice(range(10**9)),
    ],
    ids=[
        *("random", "sample", "unseeded Random", "SystemRandom", "bound before"),
        *("urandom", "getrandom", "uuid4", "uuid1", "token_hex", "secrets.choice"),
    ],
)
def test_randomness_comes_from_the_seed(draw: Callable[[], Any], request: pytest.FixtureRequest) -> None:
    assert answers(draw, seed=1) == answers(draw, seed=1)
    if request.node.callspec.id != "uuid1":
        assert answers(draw, seed=1) != answers(draw, seed=2)


def test_each_process_has_a_random_stream_of_its_own() -> None:
    drawn: dict[str, float] = {}

    async def draws(name: str, count: int) -> None:
        for _ in range(count):
            drawn[name] = random.random()

    def last_of_b(draws_of_a: int) -> float:
        with World(1) as world:
            world.machine("a").start(lambda: draws("a", draws_of_a))
            world.machine("b").start(lambda: draws("b", 1))
            world.run()
        return drawn["b"]

    assert last_of_b(1) == last_of_b(5)


FILE_IO: list[Callable[..., Any]] = [io.FileIO]
OPEN: list[Callable[..., Any]] = [os.open]
REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    ("descriptor", lambda: socket.socket(fileno=0), "use trio.socket"),
    ("subclass", lambda: type("Mine", (socket.socket,), {})(), "use trio.socket"),
    ("blocking", lambda: socket.socket().connect(("alone", 9)), "use trio.socket"),
    ("socketpair", lambda: socket.socketpair(), "use trio.socket"),
    ("connection", lambda: socket.create_connection(("127.0.0.1", 9)), "use trio.socket"),
    ("raw socket", lambda: _socket.socket().connect(("127.0.0.1", 9)), "use trio.socket"),
    ("clock", lambda: time.clock_settime(time.CLOCK_REALTIME, 0), "nemesis"),
    ("name of the host", lambda: socket.sethostname("other"), "the name that the world gave it"),
    ("mask of signals", lambda: signal.pthread_sigmask(signal.SIG_BLOCK, []), "open_signal_receiver"),
    ("lock of processes", lambda: multiprocessing.Lock(), "use threads"),
    ("queue of processes", lambda: multiprocessing.get_context("spawn").Queue(), "use threads"),
    ("process", lambda: multiprocessing.Process(target=print).start(), "another machine"),
    ("shared memory", lambda: SharedMemory(create=True, size=9), "another machine"),
    ("connection class", lambda: sqlite3.Connection(":memory:"), "sqlite3.connect"),
    ("select", lambda: select.select([], [], [], 9), "use trio.socket"),
    ("selector", lambda: selectors.DefaultSelector(), "use trio.socket"),
    ("bare thread", lambda: _thread.start_new_thread(print, ()), "threading.Thread"),
    ("subprocess", lambda: subprocess.run(["true"], check=False), "another machine"),
    ("fork", lambda: os.fork(), "another machine"),
    ("spawn", lambda: os.posix_spawn("/bin/true", ["true"], {}), "another machine"),
    ("system", lambda: os.system("true"), "another machine"),
    ("asyncio", lambda: asyncio.new_event_loop(), 'runtime="asyncio"'),
    ("pipe", lambda: os.pipe(), "a channel"),
    ("input", lambda: input(), "client ask"),
    ("alarm", lambda: signal.alarm(1), "trio.move_on_after"),
    ("exit at once", lambda: os._exit(3), "raise SystemExit"),
    ("signal without a handler", lambda: os.kill(os.getpid(), signal.SIGTERM), "without a handler"),
    ("database file", lambda: sqlite3.connect("/data.db"), '":memory:"'),
    ("mapped file", lambda: mmap.mmap(os.open("/f", os.O_RDWR | os.O_CREAT), 0), "read and write it"),
    ("symbolic link", lambda: os.symlink("/a", "/b"), "os.link"),
    ("other directory", lambda: os.chdir("/"), "whole paths"),
    ("lock of records", lambda: fcntl.lockf(os.open("/f", os.O_RDWR | os.O_CREAT), 1), "fcntl.flock"),
    ("file by another door", lambda: FILE_IO[0](REAL, "w"), "as they are when they are called"),
    ("reading by another door", lambda: FILE_IO[0]("/etc/passwd"), "as they are when they are called"),
    (
        "reading by descriptor",
        lambda: OPEN[0]("/etc/passwd", os.O_RDONLY),
        "as they are when they are called",
    ),
    ("removal by another door", lambda: remove_bound_before(path=REAL), "as they are when they are called"),
]
REAL = "/tmp/of-the-real-machine"


HELD: list[Callable[[str], None]] = [os.remove]
"""Holds on to the real function where no one looks for it."""


def remove_bound_before(path: str) -> None:
    HELD[0](path)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("call", "instead"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_is_not_simulated_is_refused_with_the_way_out(call: Callable[[], Any], instead: str) -> None:
    with pytest.raises(NotSimulated, match=instead) as refusal:
        answers(call)

    assert "alone#0" in str(refusal.value)
    del refusal
    gc.collect()  # What was half made complains here, and not while another test runs.


@pytest.mark.parametrize(
    "wait",
    [lambda: trio.lowlevel.wait_readable(0), lambda: trio.run_process(["true"])],
    ids=["wait_readable", "run_process"],
)
def test_waiting_for_something_real_is_refused(wait: Callable[[], Awaitable[Any]]) -> None:
    async def program(world: World) -> None:
        with pytest.raises(NotSimulated):
            await wait()

    run_one(program)


def test_a_function_for_a_thread_runs_inline() -> None:
    got: list[int] = []

    async def program(world: World) -> None:
        got.append(await trio.to_thread.run_sync(lambda n: n + 1, 41))

    run_one(program)

    assert got == [42]


def test_only_the_machines_of_the_world_have_names() -> None:
    async def program(world: World) -> None:
        found = await trio.socket.getaddrinfo("alone", 80, type=socket.SOCK_STREAM)
        assert found[0][4] == (world.machines["alone"].ip, 80)
        with pytest.raises(socket.gaierror, match="no machine is called"):
            await trio.socket.getaddrinfo("example.org", 80)
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream("10.9.9.9", 80)

    run_one(program)


def test_the_harness_meets_the_real_things_between_ticks() -> None:
    seen: list[float] = []
    with World(1) as world:
        world.call_later(5, lambda: seen.append(time.time()))
        world.run()

    assert abs(seen[0] - time.time()) < 3600 or seen[0] > EPOCH_S + 10_000_000


def test_other_threads_meet_the_real_things_all_the_time() -> None:
    is_over, waited = threading.Event(), threading.Event()
    seen: list[float] = []

    def watch() -> None:
        while not is_over.wait(0.001):  # Waiting for a thread is refused in a simulated process.
            seen.append(time.time())
            waited.set()

    async def computes() -> None:
        while not waited.is_set():
            sum(range(1000))
        assert time.time() == EPOCH_S

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        run_one(lambda world: computes())
    finally:
        is_over.set()
        thread.join()

    assert min(seen) > EPOCH_S + 10_000_000


def test_code_between_ticks_does_not_disturb_the_draws_of_programs() -> None:
    def drawn(outside: int) -> float:
        got: list[float] = []

        async def program() -> None:
            await trio.sleep(2)
            got.append(random.random())

        with World(1) as world:
            world.machine("a").start(program)
            world.call_later(1, lambda: [random.random() for _ in range(outside)])
            world.run()
        return got[0]

    assert drawn(0) == drawn(10)


def replaced() -> list[object]:
    """Some of what a world puts others in the place of."""
    return [time.time, os.urandom, vars(socket.socket)["__init__"], vars(datetime)["now"], getpid_by_name]


def test_all_is_put_back_when_the_last_of_several_worlds_is_closed() -> None:
    real = replaced()
    first, second = ExitStack(), ExitStack()
    for stack, seed in ((first, 1), (second, 2)):
        stack.enter_context(World(seed)).run()

    first.close()
    while_one_is_open = replaced()
    second.close()

    assert all(one is not other for one, other in zip(while_one_is_open, real, strict=True))
    assert replaced() == real


def test_a_world_without_an_end_of_its_own_puts_all_back_after_each_run() -> None:
    real = replaced()
    world = World(1)
    world.run(until_s=1)

    assert replaced() == real


def test_the_harness_meets_the_real_things_between_runs() -> None:
    random.seed(7)
    first = random.random()
    random.seed(7)
    with World(1) as world:
        world.machine("a").start(trio.sleep_forever)
        world.run(until_s=1)
        assert random.random() == first
        assert time.time() > EPOCH_S + 10_000_000
        assert os.getpid() != 1000
        world.run(until_s=2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: os.nice(1),
        lambda: os.setsid(),
        lambda: os.eventfd(0),
        lambda: os.memfd_create("x"),
        lambda: os.openpty(),
        lambda: signal.sigwait([signal.SIGUSR1]),
        lambda: signal.pause(),
        lambda: resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE)),
        lambda: syslog.syslog("hello"),
    ],
)
def test_what_would_change_or_stop_the_harness_is_refused(call: Callable[[], object]) -> None:
    async def program(world: World) -> None:
        with pytest.raises(NotSimulated):
            call()

    run_one(program)


def test_a_process_is_told_nothing_of_the_real_load() -> None:
    told: list[object] = []

    async def program(world: World) -> None:
        await trio.sleep(2)
        told.extend(
            (os.getloadavg(), os.sched_getaffinity(0), os.times().elapsed, os.getpgrp() == os.getpid())
        )
        told.append(resource.getrusage(resource.RUSAGE_SELF).ru_utime)

    run_one(program)

    assert told == [(0.0, 0.0, 0.0), {0}, 2.0, True, 2.0]


def test_time_zones_and_the_data_of_packages_are_there() -> None:
    told: list[str] = []

    async def program(world: World) -> None:
        summer = datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
        told.append(str(summer.utcoffset()))
        told.append(importlib.resources.files("ostrakon").joinpath("__init__.py").read_text().splitlines()[0])

    run_one(program)

    assert told[0] == "2:00:00"
    assert told[1].startswith('"""')


@pytest.mark.parametrize("statement", ["ATTACH '{}' AS other", "VACUUM INTO '{}'"])
def test_a_database_in_memory_cannot_reach_a_real_file(statement: str, tmp_path: Path) -> None:
    file = tmp_path / "real.db"

    def attach() -> None:
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute("ATTACH ':memory:' AS second")
            database.execute(statement.format(file))

    with pytest.raises(sqlite3.DatabaseError, match=r"not authorized|authorization denied"):
        answers(attach)

    assert not file.exists()


def test_a_machine_has_network_interfaces_and_names_of_its_own() -> None:
    assert answers(lambda: socket.if_nameindex()) == [(1, "lo"), (2, "eth0")]
    assert answers(lambda: (socket.if_nametoindex("eth0"), socket.if_indextoname(1))) == (2, "lo")
    assert answers(lambda: socket.gethostbyname_ex("localhost")) == ("localhost", [], ["127.0.0.1"])
    assert answers(lambda: socket.gethostbyname_ex(socket.gethostname())[2]) == answers(
        lambda: [socket.gethostbyname(socket.gethostname())]
    )
    name = answers(lambda: (socket.gethostname(), socket.gethostbyaddr(socket.gethostname())[0]))
    assert name[0] == name[1]


def test_a_platform_is_that_of_the_machine_and_none_is_remembered_for_others() -> None:
    before = platform.uname()

    assert answers(lambda: (platform.uname().node == socket.gethostname(), platform.processor())) == (
        True,
        "",
    )
    assert answers(lambda: platform.platform()).startswith("Linux-6.0.0")

    assert platform.uname() == before


def test_a_process_has_no_children_and_one_processor() -> None:
    def wait() -> None:
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)

    answers(wait)
    assert answers(lambda: os.sysconf("SC_NPROCESSORS_ONLN")) == 1
    assert answers(lambda: os.sysconf("SC_PAGE_SIZE")) == os.sysconf("SC_PAGE_SIZE")


def test_closing_a_range_of_descriptors_closes_the_programs_own() -> None:
    real = os.open("/dev/null", os.O_RDONLY)

    def close_all() -> None:
        own = os.open("/tmp/file", os.O_CREAT)
        os.closerange(3, 2_000_000)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(own)

    answers(close_all)

    os.close(real)  # Raises OSError if it is closed already.


def test_random_bytes_of_openssl_come_from_the_seed() -> None:
    assert answers(lambda: ssl.RAND_bytes(8)) == answers(lambda: ssl.RAND_bytes(8))
