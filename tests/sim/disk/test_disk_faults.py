"""What a failing disk does to a program, and that it stops when it is told to."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
import trio

from ostrakon.harness.sim import Budget, DiskFault, World
from tests.sim.toy import run_one


async def write_and_sync(world: World, records: int = 100) -> None:
    disk = world.machines["alone"].disk
    for number in range(records):
        await disk.append("log", b"%03d\n" % number)
        await disk.sync("log")


def left_after_a_power_failure(kind: Any, probability: float = 0.2) -> tuple[bytes, bytes, int]:
    """What programs saw before, what is left after, and how many operations were struck."""
    with World(1) as world:
        machine = world.machine("alone")
        machine.disk.disturb(DiskFault(kind, probability))
        process = machine.start(lambda: write_and_sync(world))
        world.run(stop=lambda: process.done)
        seen = machine.disk.files["log"]
        machine.power_off()
        return seen, machine.disk.files.get("log", b""), machine.disk.faulty.struck.get(kind, 0)


INTACT = b"".join(b"%03d\n" % number for number in range(100))


def test_a_lost_write_is_seen_until_the_power_fails() -> None:
    seen, left, struck = left_after_a_power_failure("lost write")

    assert seen == INTACT
    assert left != INTACT
    assert struck > 10


def test_a_sync_that_lies_loses_what_it_promised() -> None:
    seen, left, _ = left_after_a_power_failure("lying sync", 1.0)

    assert seen == INTACT
    assert INTACT.startswith(left)


def test_a_corrupt_write_has_one_bit_turned() -> None:
    seen, left, struck = left_after_a_power_failure("corrupt write")

    turned = sum((a ^ b).bit_count() for a, b in zip(INTACT, left, strict=True))
    assert seen == left
    assert turned == struck > 10


def test_a_misdirected_write_lands_elsewhere() -> None:
    seen, _, struck = left_after_a_power_failure("misdirected write")

    assert seen != INTACT
    assert struck > 10


def test_a_stale_read_shows_the_past() -> None:
    async def program(world: World) -> None:
        disk = world.machines["alone"].disk
        await disk.append("log", b"old")
        await disk.sync("log")
        await disk.append("log", b"new")
        fault = disk.disturb(DiskFault("stale read", 1.0))
        assert await disk.read("log") == b"old"
        disk.settle(fault)
        disk.settle(fault)
        assert await disk.read("log") == b"oldnew"

    run_one(program)


def test_a_stale_read_shows_the_past_to_ordinary_file_code_too() -> None:
    async def program(world: World) -> None:
        disk = world.machines["alone"].disk
        with open("/log", "wb") as log:
            log.write(b"old")
            log.flush()
            os.fsync(log.fileno())
            log.write(b"new")
        with open("/log", "rb") as log:
            fault = disk.disturb(DiskFault("stale read", 1.0))
            assert log.read() == b"old"
            disk.settle(fault)
            log.seek(0)
            assert log.read() == b"oldnew"

    run_one(program)


def test_a_short_read_gives_some_of_what_is_there_and_whoever_asks_on_gets_all() -> None:
    async def program(world: World) -> None:
        disk, content = world.machines["alone"].disk, bytes(range(100))
        with open("/log", "wb") as log:
            log.write(content)
        descriptor = os.open("/log", os.O_RDONLY)
        fault = disk.disturb(DiskFault("short read", 1.0))
        pieces = [os.read(descriptor, 100)]
        while piece := os.read(descriptor, 100):
            pieces.append(piece)
        assert 1 <= len(pieces[0]) < 100
        assert b"".join(pieces) == content
        assert 1 <= len(os.pread(descriptor, 50, 10)) < 50
        with open("/log", "rb") as buffered:
            assert buffered.read(60) == content[:60]
            assert buffered.read() == content[60:]
        disk.settle(fault)
        os.lseek(descriptor, 0, os.SEEK_SET)
        assert os.read(descriptor, 100) == content
        os.close(descriptor)

    run_one(program)


def test_what_a_failed_sync_should_have_saved_is_not_saved_by_the_next_one() -> None:
    """As on Linux since for ever, and as databases learned in 2018."""
    with World(1) as world:
        machine = world.machine("alone")

        async def program() -> None:
            await machine.disk.append("log", b"first")
            machine.disk.fail("sync")
            with pytest.raises(OSError, match="Input/output error"):
                await machine.disk.sync("log")
            machine.disk.mend()
            await machine.disk.sync("log")

        machine.start(program)
        world.run()
        assert world.crashes == []
        assert machine.disk.files["log"] == b"first"
        machine.power_off()
        assert machine.disk.files.get("log", b"") == b""


def test_a_budget_keeps_the_others_whole() -> None:
    budget = Budget(machines_max=1)

    async def program(world: World, name: str) -> None:
        for _ in range(20):
            await world.machines[name].disk.append("log", b"0000")
            await trio.sleep(0.1)

    with World(1) as world:
        for name in ("a", "b", "c"):
            machine = world.machine(name)
            machine.disk.disturb(DiskFault("corrupt write", 0.5, budget))
            machine.start(lambda name=name: program(world, name))  # type: ignore[misc]
        world.run()
        damaged = [name for name, machine in world.machines.items() if set(machine.disk.files["log"]) != {48}]

    assert len(damaged) == 1
    assert damaged == list(budget.struck)


def test_ordinary_files_meet_the_same_faults() -> None:
    async def program(world: World) -> None:
        disk = world.machines["alone"].disk
        disk.fail("write", errno.EIO)
        with pytest.raises(OSError, match="Input/output error"):
            await trio.Path("/x").write_bytes(b"1")
        disk.mend()
        disk.capacity = 3
        with pytest.raises(OSError, match="No space left"):
            await trio.Path("/x").write_bytes(b"1234")

    run_one(program)


@pytest.mark.parametrize(
    ("kind", "probability", "why"),
    [("forgets", 0.1, "there are lost write"), ("lost write", -1, "between 0 and 1")],
)
def test_a_fault_that_makes_no_sense_is_refused(kind: Any, probability: float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        DiskFault(kind, probability)
