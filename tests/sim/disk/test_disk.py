"""What a simulated disk keeps and what it loses."""

from __future__ import annotations

import errno
import random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.sim import Machine, World
from ostrakon.harness.sim.disk.inode import Change, Inode, Resize, Write, apply, survivors
from tests.sim.toy import run_one


async def log_for_ever(machine: Machine, acknowledged: list[int], *, syncs: bool) -> None:
    """Append numbered records, acknowledging each once it ought to be safe."""
    for number in range(10_000):
        await machine.disk.append("log", b"%06d\n" % number)
        if syncs:
            await machine.disk.sync("log")
        acknowledged.append(number)
        await trio.sleep(0.001)


def lost_by(crash: str, *, syncs: bool, seed: int) -> int:
    """How many acknowledged records a crash loses."""
    acknowledged: list[int] = []
    with World(seed) as world:
        machine = world.machine("a")
        machine.start(lambda: log_for_ever(machine, acknowledged, syncs=syncs))
        world.run(until_s=0.1)
        getattr(machine, crash)()
        content = machine.disk.files.get("log", b"")
    kept = content.count(b"\n")
    assert content.startswith(b"".join(b"%06d\n" % n for n in range(kept)))
    return len(acknowledged) - min(kept, len(acknowledged))


def test_a_power_failure_loses_what_was_not_synced() -> None:
    lost = [lost_by("power_off", syncs=False, seed=seed) for seed in range(20)]

    assert sum(count > 0 for count in lost) > 12
    assert len(set(lost)) > 5


def test_a_power_failure_keeps_what_was_synced() -> None:
    assert [lost_by("power_off", syncs=True, seed=seed) for seed in range(20)] == [0] * 20


def test_a_kill_loses_nothing_that_was_written() -> None:
    assert [lost_by("kill", syncs=False, seed=seed) for seed in range(5)] == [0] * 5


def test_some_power_failures_tear_the_last_write() -> None:
    def tail(seed: int) -> int:
        file = Inode()
        for _ in range(3):
            file.change(Write(len(file.cached), b"0123456789"))
        return len(survivors(file.durable, file.unsynced, random.Random(seed))) % 10

    assert len({tail(seed) for seed in range(50)}) > 5


changes = st.one_of(
    st.builds(Write, st.integers(0, 40), st.binary(min_size=1, max_size=8)),
    st.builds(Resize, st.integers(0, 40)),
)


@given(st.lists(changes), st.lists(changes), st.integers())
def test_what_survives_is_what_was_durable_and_a_prefix_of_the_rest(
    synced: list[Change], unsynced: list[Change], seed: int
) -> None:
    file = Inode()
    for change in synced:
        file.change(change)
    file.sync()
    for change in unsynced:
        file.change(change)

    left = survivors(file.durable, file.unsynced, random.Random(seed))

    assert left in _possible(bytes(file.durable), unsynced)


def _possible(durable: bytes, unsynced: list[Change]) -> set[bytes]:
    content, found = bytearray(durable), {durable}
    for change in unsynced:
        if isinstance(change, Write):
            for torn in range(len(change.data) + 1):
                half = bytearray(content)
                apply(half, Write(change.offset, change.data[:torn]))
                found.add(bytes(half))
        apply(content, change)
        found.add(bytes(content))
    return found


def test_replace_is_all_or_nothing_and_durable() -> None:
    outcomes: set[bytes] = set()

    async def replaces(machine: Machine) -> None:
        await machine.disk.replace("config", b"old")
        await machine.disk.replace("config", b"new and longer")
        await trio.sleep_forever()

    for at_ms in range(1, 12):
        with World(at_ms) as world:
            machine = world.machine("a")
            machine.start(lambda machine=machine: replaces(machine))  # type: ignore[misc]
            world.run(until_s=at_ms / 2000)
            machine.power_off()
            outcomes.add(machine.disk.files.get("config", b""))

    assert outcomes == {b"", b"old", b"new and longer"}


def test_files_are_read_listed_cut_and_removed() -> None:
    async def program(world: World) -> None:
        disk = world.machines["alone"].disk
        await disk.append("data/log", b"abcdef")
        await disk.write("data/log", 8, b"x")
        assert await disk.read("data/log") == b"abcdef\0\0x"
        await disk.truncate("data/log", 3)
        assert await disk.read("data/log") == b"abc"
        await disk.append("other", b"")
        assert await disk.list() == ["data/log", "other"]
        assert await disk.list("data") == ["data/log"]
        await disk.remove("other")
        assert not await disk.exists("other")
        for missing in (disk.read("no"), disk.sync("no"), disk.truncate("no", 0), disk.remove("no")):
            with pytest.raises(FileNotFoundError):
                await missing

    run_one(program)


def test_syncing_takes_time_and_writing_takes_none() -> None:
    async def program(world: World) -> None:
        disk = world.machines["alone"].disk
        await disk.append("log", b"x")
        assert world.now_ns == 0
        await disk.sync("log")
        assert 200_000 <= world.now_ns < 20_000_000

    run_one(program)


@pytest.mark.parametrize("error", [errno.EIO, errno.EDQUOT])
def test_a_failing_disk_fails_until_it_is_mended(error: int) -> None:
    async def program(world: World) -> None:
        disk = world.machines["alone"].disk
        await disk.append("log", b"x")
        disk.fail("sync", error)
        with pytest.raises(OSError, match="Errno") as failure:
            await disk.sync("log")
        assert failure.value.errno == error
        disk.mend()
        await disk.sync("log")

    run_one(program)


def test_a_full_disk_says_so_and_takes_nothing() -> None:
    async def program(world: World) -> None:
        disk = world.machines["alone"].disk
        disk.capacity = 10
        await disk.append("log", b"12345678")
        with pytest.raises(OSError, match="Errno") as failure:
            await disk.append("log", b"9012")
        assert failure.value.errno == errno.ENOSPC
        assert await disk.read("log") == b"12345678"

    run_one(program)


def test_a_killed_process_writes_nothing_more_while_it_is_unwound() -> None:
    async def writes_at_the_end(machine: Machine) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await machine.disk.append("log", b"too late")

    world = World(1)
    machine = world.machine("a")
    machine.start(lambda: writes_at_the_end(machine))
    world.run()
    machine.kill()
    world.close()

    assert machine.disk.files == {}
