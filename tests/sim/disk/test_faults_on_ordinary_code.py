"""Each fault of the disk acts on the storage port, on file code and in threads alike, and is undone."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio

from ostrakon.harness.sim import Constant, DiskFault, Machine, World

Journal = Callable[[Machine, bytes], Awaitable[None]]
"""Appends to a log and makes that durable."""


async def by_port(machine: Machine, line: bytes) -> None:
    await machine.disk.append("log", line)
    await machine.disk.sync("log")


async def by_os(machine: Machine, line: bytes) -> None:
    fd = os.open("/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(fd, line)
        os.fsync(fd)
    finally:
        os.close(fd)


async def by_open(machine: Machine, line: bytes) -> None:
    with open("/log", "ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


async def in_threads(machine: Machine, line: bytes) -> None:
    async with await trio.open_file("/log", "ab") as file:
        await file.write(line)
        await file.flush()
        await trio.to_thread.run_sync(os.fsync, file.fileno())


async def by_anyio(machine: Machine, line: bytes) -> None:
    async with await anyio.open_file("/log", "ab") as file:
        await file.write(line)
        await file.flush()
        await anyio.to_thread.run_sync(os.fsync, file.wrapped.fileno())


WAYS = pytest.mark.parametrize("journal", [by_port, by_os, by_open, in_threads, by_anyio])


class Run:
    """A program that keeps a journal, a line after each other."""

    def __init__(self, journal: Journal, seed: int = 1) -> None:
        self.world = World(seed)
        self.machine = self.world.machine("m")
        self.machine.disk.sync_latency = Constant(10.0)
        self.acknowledged: list[tuple[int, float]] = []
        self.errors: list[int] = []
        self._journal = journal

    async def program(self) -> None:
        for number in range(1000):
            try:
                await self._journal(self.machine, b"%03d;" % number)
                self.acknowledged.append((number, trio.current_time()))
            except OSError as error:
                self.errors.append(error.errno or 0)
            await trio.sleep(0.09)

    def __enter__(self) -> Run:
        self.world.__enter__()
        self.machine.start(self.program)
        return self

    def __exit__(self, *error: object) -> None:
        self.world.close()
        self.world.__exit__(None, None, None)

    def until(self, time_s: float) -> None:
        self.world.run(until_s=time_s)

    @property
    def log(self) -> bytes:
        return self.machine.disk.files.get("log", b"")


@WAYS
def test_a_slow_disk_makes_it_slow_and_ceases_to(journal: Journal) -> None:
    with Run(journal) as run:
        run.until(1)
        before = len(run.acknowledged)
        run.machine.disk.sync_latency = Constant(400.0)
        run.until(2)
        slow = len(run.acknowledged) - before
        run.machine.disk.sync_latency = Constant(10.0)
        run.until(3)
        after = len(run.acknowledged) - before - slow

    assert before in range(8, 13)
    assert slow in range(1, 4)
    assert after in range(7, 13)


@WAYS
@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_failing_disk_fails_and_ceases_to(journal: Journal, operation: str) -> None:
    with Run(journal) as run:
        run.until(0.5)
        run.machine.disk.fail(operation, errno.EIO)  # type: ignore[arg-type]
        run.until(1)
        assert set(run.errors) == {errno.EIO}
        failed = len(run.errors)
        run.machine.disk.mend()
        run.until(1.5)

    assert failed >= 3
    assert len(run.errors) <= failed + 1, "it goes on failing"
    assert run.acknowledged[-1][1] > 1.3


@WAYS
def test_a_full_disk_is_full_and_ceases_to_be(journal: Journal) -> None:
    with Run(journal) as run:
        run.until(0.5)
        run.machine.disk.capacity = len(run.log)
        run.until(1)
        assert set(run.errors) == {errno.ENOSPC}
        failed = len(run.errors)
        run.machine.disk.mend()
        run.until(1.5)

    assert failed >= 3
    assert len(run.errors) <= failed + 1
    assert run.acknowledged[-1][1] > 1.3


@WAYS
def test_a_crash_at_a_sync_comes_between_the_write_and_the_sync(journal: Journal) -> None:
    lost = 0
    for seed in range(12):
        with Run(journal, seed) as run:
            run.until(0.5)

            def crash(operation: str, path: str, run: Run = run) -> None:
                if operation == "sync":
                    run.machine.disk.on_operation = None
                    run.machine.power_off()

            run.machine.disk.on_operation = crash
            run.until(1)
            last = run.acknowledged[-1][0]
            assert not run.machine.is_running
            assert run.acknowledged[-1][1] < 0.7, "it acknowledged something after its death"
            assert b"%03d;" % last in run.log, "what was acknowledged is there"
            lost += b"%03d;" % (last + 1) not in run.log

    assert lost > 2, "what was written and not synced is lost, mostly"


@WAYS
def test_power_that_fails_during_a_sync_may_lose_it_and_never_what_was_acknowledged(journal: Journal) -> None:
    lost = 0
    for seed in range(16):
        with Run(journal, seed) as run:
            run.machine.disk.sync_latency = Constant(1000.0)
            run.until(1.5)  # The second one is under way, or the first if it has just begun.
            run.machine.power_off()
            kept = run.log
        written = 2
        assert all(b"%03d;" % number in kept for number, _ in run.acknowledged)
        assert len(run.acknowledged) < written
        lost += kept.count(b";") < written

    assert lost > 3


@WAYS
@pytest.mark.parametrize("kind", ["lost write", "corrupt write", "misdirected write", "lying sync"])
def test_data_faults_spoil_what_it_writes_and_cease_to(journal: Journal, kind: str) -> None:
    with Run(journal) as run:
        run.until(0.5)
        fault = run.machine.disk.disturb(DiskFault(kind, 1.0))  # type: ignore[arg-type]
        run.until(1)
        struck = run.machine.disk.faulty.struck[kind]
        run.machine.disk.settle(fault)
        run.until(1.5)

        assert struck >= 3
        assert run.machine.disk.faulty.struck[kind] == struck
    assert run.errors == []


def test_what_a_dead_machine_has_sent_arrives() -> None:
    """A power failure does not unsend: a vote may be counted whose voter never made it durable."""
    heard: list[bytes] = []

    async def server() -> None:
        async def take(stream: trio.SocketStream) -> None:
            async for chunk in stream:
                heard.append(bytes(chunk))

        await trio.serve_tcp(take, 4000)

    for seed in range(10):
        heard.clear()
        with World(seed) as world:
            world.machine("server").start(server)
            machine = world.machine("voter")

            async def voter(machine: Machine = machine) -> None:
                await trio.sleep(0.1)
                stream = await trio.open_tcp_stream("server", 4000)
                await stream.send_all(b"vote")
                machine.power_off()
                await stream.send_all(b"more")

            machine.start(voter)
            world.run(until_s=30)

        assert heard == [b"vote"]
