"""Segments and snapshots on a disk: whatever is dropped and whenever power goes, what is found is the log."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import Chose, Entry, Fact, Image, Promised, Recovered, Snapshot, Voted
from ostrakon.paxos_impl.storage.disk import OsDisk
from ostrakon.paxos_impl.storage.record import DamagedLog, read_records, records
from ostrakon.paxos_impl.storage.replica_storage import ReplicaStorage
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed, WrongStorage
from tests.paxos_impl.storage.memory_disk import MemoryDisk, PowerLost
from tests.paxos_impl.storage.test_replica_storage import THREE, entries

SEGMENT_BYTES = 60


def image(slot: int) -> Image:
    return Image.of(Snapshot(slot, (), b"what was executed"))


def decided(slot: int) -> list[Fact]:
    """What a replica writes down when a slot is decided."""
    return [Voted(Entry(slot, Ballot(slot, 1), ())), Chose(slot)]


async def recover(disk: MemoryDisk) -> ReplicaStorage:
    return await ReplicaStorage.recover(disk, THREE, 1, segment_bytes=SEGMENT_BYTES)


async def with_slots(upto: int, snapshot: int = 0) -> MemoryDisk:
    """The disk of a replica that knows some slots, and has a snapshot of some of them."""
    disk = MemoryDisk()
    storage = await recover(disk)
    for slot in range(1, upto + 1):
        await storage.save(decided(slot))
    if snapshot:
        await storage.save_snapshot(image(snapshot))
    return disk


def segments(disk: MemoryDisk) -> list[str]:
    return sorted(name for name in disk.durable if name.startswith("replica.0"))


saves = st.one_of(
    entries.map(lambda entry: [Voted(entry)]),
    entries.map(lambda entry: [Voted(entry), Chose(entry.slot)]),
    st.builds(Ballot, st.integers(1, 9), st.integers(1, 3)).map(lambda ballot: [Promised(ballot)]),
)
actions = st.one_of(saves, saves, st.integers(1, 5).map(image))


@given(st.lists(actions, max_size=25), st.integers(0, 60))
async def test_a_crash_at_any_point_leaves_what_replaying_the_whole_log_would(
    done: list[list[Fact] | Image], dies_after: int
) -> None:
    disk = MemoryDisk()
    storage = await recover(disk)
    disk.dies_before = disk.operations + dies_after
    log: list[Fact] = []
    under_way: list[Fact] = []
    try:
        for action in done:
            if isinstance(action, Image):
                await storage.save_snapshot(action)
            else:
                under_way = action
                await storage.save(action)
                log, under_way = log + action, []
    except PowerLost:
        pass
    disk.lose_power()

    found = (await recover(disk)).state
    again = (await recover(disk)).state

    assert found in (Recovered.of(log, found.image), Recovered.of(log + under_way, found.image))
    assert again == found


@pytest.mark.parametrize("dies_after", range(12))
async def test_a_crash_while_recovering_loses_nothing(dies_after: int) -> None:
    disk = await with_slots(20, snapshot=12)
    whole = (await recover(disk)).state
    disk.dies_before = disk.operations + dies_after
    with suppress(PowerLost):
        await recover(disk)
    disk.lose_power()

    assert (await recover(disk)).state == whole


async def test_segments_that_a_snapshot_covers_are_removed_and_the_promise_is_not() -> None:
    disk = await with_slots(20)
    before = len(segments(disk))
    storage = await recover(disk)
    await storage.save([Promised(Ballot(99, 2))])

    await storage.save_snapshot(image(20))
    for slot in range(21, 30):
        await storage.save([Chose(slot, Entry(slot, Ballot(99, 2), ()))])
    await storage.save_snapshot(image(29))
    found = (await recover(disk)).state

    assert before > 5
    assert len(segments(disk)) <= 2
    assert found.promised == Ballot(99, 2)
    assert found.commit_index == 29


async def test_an_older_snapshot_does_not_take_the_place_of_a_newer_one() -> None:
    disk = await with_slots(10, snapshot=9)
    storage = await recover(disk)

    await storage.save_snapshot(image(4))

    assert (await recover(disk)).state.log.base == 9


@pytest.mark.parametrize("damage", ["changed", "cut short", "missing"])
async def test_damage_in_the_middle_of_the_log_is_not_voted_from(damage: str) -> None:
    disk = await with_slots(20)
    name = segments(disk)[3]
    data = disk.written[name]
    match damage:
        case "changed":
            disk.written[name] = data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]
        case "cut short":
            disk.written[name] = data[:-3]
        case _:
            del disk.written[name]

    with pytest.raises(DamagedLog, match=name):
        await recover(disk)


async def test_a_torn_tail_is_cut_off() -> None:
    disk = await with_slots(5)
    disk.written[segments(disk)[-1]] += b"\x00\x00\x00\x09abc"

    assert (await recover(disk)).state.commit_index == 5


async def test_a_damaged_snapshot_is_refused_by_file_and_offset() -> None:
    disk = await with_slots(20, snapshot=20)
    data = disk.written["replica.snapshot"]
    disk.written["replica.snapshot"] = data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]

    with pytest.raises(DamagedLog, match=r"replica\.snapshot, at byte 0"):
        await recover(disk)


async def test_a_snapshot_that_is_cut_short_is_refused() -> None:
    disk = await with_slots(20, snapshot=20)
    disk.written["replica.snapshot"] = disk.written["replica.snapshot"][:-3]

    with pytest.raises(DamagedLog, match="cut short"):
        await recover(disk)


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        ("replica.snapshot", "the snapshot reaches slot 0 only"),
        ("replica", "missing, though the log that belongs to it is there"),
    ],
)
async def test_what_belongs_together_must_be_together(lost: str, why: str) -> None:
    disk = await with_slots(20, snapshot=20)
    del disk.written[lost]

    with pytest.raises(DamagedLog, match=why):
        await recover(disk)


async def test_who_has_lost_its_log_does_not_begin_a_new_one() -> None:
    disk = await with_slots(3)
    for name in segments(disk):
        del disk.written[name]

    with pytest.raises(DamagedLog, match="and with it the promises of this replica"):
        await recover(disk)


async def test_what_is_sound_but_no_snapshot_is_refused() -> None:
    disk = await with_slots(20)
    storage = await recover(disk)
    await storage.save_snapshot(Image(20, b"\x93"))

    with pytest.raises(WrongStorage, match="not the snapshot of a replica"):
        await recover(disk)


async def test_after_a_snapshot_could_not_be_saved_nothing_is_saved_any_more() -> None:
    """A disk that has failed once is not to be trusted with a promise."""
    disk = await with_slots(5)
    storage = await recover(disk)
    disk.failing = errno.ENOSPC
    with pytest.raises(StorageFailed, match="No space left"):
        await storage.save_snapshot(image(5))
    disk.failing = None

    with pytest.raises(StorageFailed):
        await storage.save([Promised(Ballot(99, 1))])


async def test_an_os_disk_keeps_segments_and_snapshots_too(tmp_path: Path) -> None:
    disk = OsDisk(tmp_path)
    storage = await ReplicaStorage.recover(disk, THREE, 1, segment_bytes=SEGMENT_BYTES)
    for slot in range(1, 20):
        await storage.save(decided(slot))
    await storage.save_snapshot(image(15))
    disk.close()

    found = await ReplicaStorage.recover(OsDisk(tmp_path), THREE, 1)

    assert (found.state.log.base, found.state.commit_index, found.incarnation) == (15, 19, 1)
    assert len(list(tmp_path.glob("replica.0*"))) < 10


@pytest.mark.parametrize("snapshot", [0, 4])
async def test_a_newest_segment_that_is_gone_is_missed(snapshot: int) -> None:
    """The segments before it are whole, and would be a legal log of an earlier time."""
    disk = await with_slots(6, snapshot)
    newest = segments(disk)[-1]
    await disk.remove(newest)

    with pytest.raises(DamagedLog, match="the newest segment of the log is missing"):
        await recover(disk)


async def test_an_earlier_segment_that_ends_early_is_noticed() -> None:
    """Cut at the end of a record, it is whole by itself, but it is not what the next segment goes on from."""
    disk = await with_slots(6)
    first, whole = segments(disk)[0], disk.durable[segments(disk)[0]]
    ends = [len(records(read_records(whole, first)[0][:count])) for count in range(1, 9)]
    cuts = [end for end in ends if end < len(whole)]
    for size in cuts:
        await disk.replace(first, whole[:size])

        with pytest.raises(DamagedLog, match="last records of this segment are missing"):
            await recover(disk)
    assert cuts, "vacuous"


async def test_a_segment_that_was_begun_and_not_recorded_is_part_of_the_log() -> None:
    """Power may go after a segment was created, and before its number is recorded."""
    for dies_before in range(40):
        disk = await with_slots(2)
        disk.dies_before = disk.operations + dies_before
        with suppress(PowerLost):
            storage = await recover(disk)
            for slot in range(3, 7):
                await storage.save(decided(slot))
        disk.lose_power()

        assert (await recover(disk)).state.commit_index >= 2


async def test_storage_of_an_earlier_version_has_no_number_of_a_segment() -> None:
    disk = await with_slots(6)
    owner = read_records(disk.durable["replica"], "replica")[0][0]
    await disk.replace("replica", records([owner]))

    assert (await recover(disk)).state.commit_index == 6
