"""The journal that groups share, and the logs that it feeds: nothing is lost, whenever power goes."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import Chose, Entry, Fact, Image, Promised, Recovered, Snapshot, Voted
from ostrakon.paxos_impl.storage.group_storage import GroupStorage, GroupStorages
from ostrakon.paxos_impl.storage.record import DamagedLog
from ostrakon.paxos_impl.storage.replica_storage import ReplicaStorage
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed, WriteAheadLog, WrongStorage
from tests.paxos_impl.core.multi.log_world import recovered
from tests.paxos_impl.storage.memory_disk import MemoryDisk, PowerLost
from tests.paxos_impl.storage.test_replica_storage import THREE, facts

GROUPS = 3
SHORT = 200
"""So long is the journal when groups are handed what it has."""


@asynccontextmanager
async def life(
    disk: MemoryDisk, *, groups: int = GROUPS, bytes_max: int = SHORT
) -> AsyncIterator[tuple[GroupStorages, list[GroupStorage]]]:
    """A start of a server; power goes at the end."""
    storages = await GroupStorages.recover(disk, THREE, 1, groups, bytes_max=bytes_max)
    each = [await storages.recover_group(group) for group in range(groups)]
    await storages.begin()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(storages.journal.run)
        yield storages, each
        nursery.cancel_scope.cancel()
    disk.lose_power()


async def states(disk: MemoryDisk) -> list[Recovered]:
    """What all groups find."""
    async with life(disk) as (_, each):
        return [storage.state for storage in each]


def promises(*rounds: int) -> list[Fact]:
    return [Promised(Ballot(round, 1)) for round in rounds]


saves = st.lists(st.tuples(st.integers(0, GROUPS - 1), st.lists(facts, min_size=1, max_size=3)), max_size=12)


@settings(deadline=None, max_examples=40)
@given(st.lists(saves, max_size=4))
async def test_what_any_group_saved_is_found_again_over_any_number_of_lives(
    lives: list[list[tuple[int, list[Fact]]]],
) -> None:
    disk = MemoryDisk()
    saved: list[list[Fact]] = [[] for _ in range(GROUPS)]
    for each_life in lives:
        async with life(disk) as (_, each):
            for group, told in each_life:
                await each[group].save(told)
                saved[group] += told

    assert await states(disk) == [recovered(told) for told in saved]


@pytest.mark.parametrize("dies_before", range(40))
async def test_power_may_go_at_any_moment_and_what_was_saved_is_there(dies_before: int) -> None:
    """At a start, while something is saved, while groups are handed what the journal has, at a restart."""
    disk = MemoryDisk()
    done, has_died = [0] * GROUPS, False
    while not has_died:
        disk.dies_before = dies_before
        try:
            async with life(disk, bytes_max=60) as (_, each):
                for round in range(max(done) + 1, max(done) + 6):
                    for group, storage in enumerate(each):
                        await storage.save(promises(round))
                        done[group] = round
        except* PowerLost:
            has_died = True
    disk.lose_power()

    for found, least in zip(await states(disk), done, strict=True):
        round = 0 if found.promised is None else found.promised.round
        assert round in (least, least + 1), "it may have been saved without anybody having been told"


async def test_while_one_sync_is_under_way_all_others_wait_for_the_next_and_that_is_one_for_all() -> None:
    disk = MemoryDisk()
    async with life(disk, bytes_max=10**6) as (storages, each), trio.open_nursery() as nursery:
        before, disk.gate = disk.syncs, trio.Event()
        nursery.start_soon(each[0].save, promises(1))
        await trio.testing.wait_all_tasks_blocked()
        for storage in each:
            nursery.start_soon(storage.save, promises(2))
            nursery.start_soon(storage.save, promises(3))
        await trio.testing.wait_all_tasks_blocked()
        disk.gate.set()
        while nursery.child_tasks:
            await trio.sleep(0)

        assert disk.syncs - before == storages.journal.syncs == 2


async def test_nobody_is_told_by_a_sync_that_began_before_its_facts_were_there() -> None:
    disk = MemoryDisk()
    told: list[int] = []

    async def save(storage: GroupStorage, round: int) -> None:
        await storage.save(promises(round))
        told.append(round)

    async with life(disk) as (_, each), trio.open_nursery() as nursery:
        disk.gate = first = trio.Event()
        nursery.start_soon(save, each[0], 1)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(save, each[1], 2)
        disk.gate = second = trio.Event()
        first.set()
        await trio.testing.wait_all_tasks_blocked()
        at_first = list(told)
        second.set()

    assert at_first == [1]
    assert told == [1, 2]


async def test_the_journal_is_begun_anew_when_each_group_has_what_was_in_it() -> None:
    disk = MemoryDisk()
    async with life(disk) as (_, each):
        await each[1].save(promises(*range(1, 4)))
        short = len(disk.durable["journal"])
        own = len(disk.durable["group-1.00000001"])
        await each[0].save(promises(*range(1, 40)))
        await trio.testing.wait_all_tasks_blocked()

        assert len(disk.durable["journal"]) < short
        assert len(disk.durable["group-1.00000001"]) > own


async def test_an_idle_group_keeps_nobody_from_dropping_what_its_snapshot_shows() -> None:
    """The journal never waits for the snapshot of the slowest group: each has a log of its own."""
    disk = MemoryDisk()
    async with life(disk) as (_, each):
        await each[0].save(promises(1))
        for slot in range(1, 60):
            entry = Entry(slot, Ballot(1, 1), ())
            await each[1].save([Voted(entry), Chose(slot)])
        await trio.testing.wait_all_tasks_blocked()
        await each[1].save_snapshot(Image.of(Snapshot(55, (), b"")))
        kept = [path for path in disk.durable if path.startswith("group-1.0")]

    assert len(kept) <= 2
    assert min(kept) > "group-1.00000001"
    found = await states(disk)
    assert found[0].promised == found[1].promised == Ballot(1, 1)
    assert (found[1].log.base, found[1].commit_index) == (55, 59)


async def test_when_the_disk_fails_no_group_is_told_that_anything_was_saved() -> None:
    disk, failures = MemoryDisk(), list[int]()

    async def save(group: int, storage: GroupStorage) -> None:
        try:
            await storage.save(promises(1))
        except StorageFailed:
            failures.append(group)

    with pytest.RaisesGroup(StorageFailed, flatten_subgroups=True):
        async with life(disk) as (_, each), trio.open_nursery() as nursery:
            disk.failing = errno.EIO
            for group, storage in enumerate(each):
                nursery.start_soon(save, group, storage)
            while len(failures) < GROUPS:
                await trio.sleep(0)
    disk.failing = None
    await save(9, each[0])

    assert sorted(failures) == [0, 1, 2, 9]


@pytest.mark.parametrize(("before", "now"), [(1, 3), (3, 1), (3, 4)])
async def test_the_number_of_groups_stays_what_it_was(before: int, now: int) -> None:
    disk = MemoryDisk()

    async def start(groups: int) -> None:
        if groups == 1:
            await ReplicaStorage.recover(disk, THREE, 1)
        else:
            async with life(disk, groups=groups):
                pass

    await start(before)

    with pytest.raises(WrongStorage, match="group"):
        await start(now)


@pytest.mark.parametrize("missing", ["replica", "journal", "group-1", "group-1.00000001"])
async def test_a_file_that_is_missing_is_noticed(missing: str) -> None:
    disk = MemoryDisk()
    async with life(disk, bytes_max=10**6) as (_, each):
        for storage in each:
            await storage.save(promises(1))
    async with life(disk, bytes_max=10**6) as (_, each):
        await each[0].save(promises(2))
    del disk.written[missing]

    with pytest.raises(DamagedLog, match="missing"):
        await states(disk)


async def test_damage_in_the_journal_is_not_taken_for_an_unfinished_write() -> None:
    disk = MemoryDisk()
    async with life(disk) as (_, each):
        await each[0].save(promises(1))
        await each[1].save(promises(2))
    whole = disk.written["journal"]
    torn, damaged = whole[:-1], whole[:-20] + b"x" + whole[-19:]

    disk.written["journal"] = damaged
    with pytest.raises(DamagedLog, match="journal, at byte"):
        await states(disk)
    disk.written["journal"] = torn
    assert [state.promised for state in await states(disk)] == [Ballot(1, 1), None, None]


async def test_a_journal_is_read_by_its_format() -> None:
    disk = MemoryDisk()
    async with life(disk):
        pass
    await WriteAheadLog(disk, "journal").replace([b"\xa5other"])

    with pytest.raises(WrongStorage, match="format 'other'"):
        await states(disk)
