"""What was promised is found again, or its loss is noticed."""

from __future__ import annotations

import errno
import re
import struct
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core import Ballot, Durable, Vote
from ostrakon.paxos_impl.storage.decree_storage import DecreeStorage
from ostrakon.paxos_impl.storage.disk import DirectoryInUse, OsDisk, locked
from ostrakon.paxos_impl.storage.record import Chain, DamagedLog, read_chain, read_records, records
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed, WriteAheadLog, WrongStorage
from ostrakon.paxos_impl.wire.membership import Address, Membership
from tests.paxos_impl.storage.memory_disk import MemoryDisk, PowerLost

PAYLOADS = [b"", b"promise", b"\x00" * 20, b"vote" * 10]
MEMBERSHIP = Membership({1: Address("n1", 1), 2: Address("n2", 1), 3: Address("n3", 1)}, "blue")
PROMISED = Durable(Ballot(3, 2))
VOTED = Durable(Ballot(3, 2), Vote(Ballot(3, 2), "x"))


# Records.


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_records_are_read_as_they_were_written(payloads: list[bytes]) -> None:
    data = records(payloads)

    assert read_records(data, "log") == (payloads, len(data))


@pytest.mark.parametrize("end", range(len(records(PAYLOADS)) + 1))
def test_a_log_cut_anywhere_keeps_every_record_that_is_whole(end: int) -> None:
    whole = [n for n in range(len(PAYLOADS) + 1) if len(records(PAYLOADS[:n])) <= end]

    payloads, kept = read_records(records(PAYLOADS)[:end], "log")

    assert payloads == PAYLOADS[: whole[-1]]
    assert kept == len(records(payloads))


@pytest.mark.parametrize("at", range(len(records(PAYLOADS))))
def test_a_flipped_bit_anywhere_is_refused_with_file_and_offset(at: int) -> None:
    data = bytearray(records(PAYLOADS))
    data[at] ^= 1 << at % 8
    record = max(n for n in range(len(PAYLOADS)) if len(records(PAYLOADS[:n])) <= at)

    with pytest.raises(DamagedLog) as caught:
        read_records(bytes(data), "data/log")

    assert (caught.value.path, caught.value.offset) == ("data/log", len(records(PAYLOADS[:record])))
    assert str(caught.value).startswith(f"data/log, at byte {caught.value.offset}: ")


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.data())
def test_no_change_to_a_log_passes_for_other_records(payloads: list[bytes], data: st.DataObject) -> None:
    sound = records(payloads)
    at = data.draw(st.integers(0, len(sound) - 1))
    damaged = sound[:at] + data.draw(st.binary(max_size=8)) + sound[at + data.draw(st.integers(0, 8)) :]

    try:
        read, _ = read_records(damaged, "log")
    except DamagedLog:
        return

    assert read == payloads[: len(read)]


def test_a_tail_of_zeroes_is_a_write_that_never_came() -> None:
    assert read_records(records([b"vote"]) + b"\x00" * 4096, "log") == ([b"vote"], len(records([b"vote"])))


SECTOR = 512
batches = st.lists(
    st.lists(
        st.binary(min_size=1, max_size=1500).map(lambda data: data.replace(b"\0", b"x")),
        min_size=1,
        max_size=3,
    ),
    min_size=1,
    max_size=4,
)


def written(batches: list[list[bytes]]) -> tuple[bytes, list[int]]:
    """The contents of a log, and where each batch ends."""
    chain, data, ends = Chain(), b"", []
    for batch in batches:
        more, chain = chain.records(batch)
        data += more
        ends.append(len(data))
    return data, ends


@given(batches, st.data())
def test_a_batch_that_was_being_written_when_power_failed_is_cut_off_in_whatever_form(
    batches: list[list[bytes]], data: st.DataObject
) -> None:
    """The file may have grown, and any of the sectors of the last batch may be missing."""
    whole, ends = written(batches)
    begin = ends[-2] if len(ends) > 1 else 0
    size = data.draw(st.integers(begin, len(whole)))
    torn = bytearray(whole[:size])
    sectors = range(begin // SECTOR, (len(torn) + SECTOR - 1) // SECTOR)
    lost = data.draw(st.sets(st.sampled_from(sectors))) if sectors else set()
    for sector in lost:
        first, last = max(sector * SECTOR, begin), min((sector + 1) * SECTOR, len(torn))
        torn[first:last] = bytes(last - first)
    torn += bytes(data.draw(st.just(0) | st.integers(4, 700)))

    payloads, _ = read_records(bytes(torn), "log")

    kept = [payload for batch in batches[:-1] for payload in batch]
    assert payloads[: len(kept)] == kept
    assert payloads[len(kept) :] == batches[-1][: len(payloads) - len(kept)]


@given(batches.filter(lambda batches: len(batches) > 1), st.data())
def test_a_batch_that_others_follow_was_synced_and_is_never_taken_for_torn(
    batches: list[list[bytes]], data: st.DataObject
) -> None:
    whole, ends = written(batches)
    number = data.draw(st.integers(0, len(batches) - 2))
    begin = ends[number - 1] if number else 0
    first = data.draw(st.integers(begin, ends[number] - 1))
    last = data.draw(st.integers(first + 1, ends[number]))
    damaged = whole[:first] + bytes(last - first) + whole[last:]

    if damaged != whole:
        with pytest.raises(DamagedLog):
            read_records(damaged, "log")


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=3, max_size=6, unique=True), st.data())
def test_a_record_that_is_missing_repeated_or_elsewhere_is_noticed(
    payloads: list[bytes], data: st.DataObject
) -> None:
    chain, each = Chain(), list[bytes]()
    for payload in payloads:
        more, chain = chain.records([payload])
        each.append(more)
    at = data.draw(st.integers(0, len(each) - 2))
    changed = data.draw(
        st.sampled_from(
            (
                [*each[:at], *each[at + 1 :]],
                [*each[: at + 1], *each[at:]],
                [*each[:at], each[at + 1], each[at], *each[at + 2 :]],
            )
        )
    )

    with pytest.raises(DamagedLog, match="does not belong here"):
        read_records(b"".join(changed), "log")


def test_zeroes_at_the_end_of_the_last_record_do_not_excuse_an_earlier_record() -> None:
    chain, each = Chain(), list[bytes]()
    for payload in (b"one", b"two", bytes(4)):
        more, chain = chain.records([payload])
        each.append(more)

    with pytest.raises(DamagedLog, match="does not belong here"):
        read_records(b"".join((each[0], each[1], each[1], each[2])), "log")


def test_records_of_earlier_versions_are_read_and_added_to() -> None:
    old = b""
    for payload in (b"one", b"two"):
        head = struct.pack(">II", len(payload), crc32(payload))
        old += head + struct.pack(">I", crc32(head)) + payload

    payloads, end, chain = read_chain(old, "log")

    assert (payloads, end) == ([b"one", b"two"], len(old))
    assert read_records(old + chain.records([b"three"])[0], "log")[0] == [b"one", b"two", b"three"]


# What an instance keeps.


async def test_an_instance_finds_its_last_state_again_and_counts_its_lives() -> None:
    disk = MemoryDisk()
    first = await DecreeStorage.recover(disk, MEMBERSHIP, 2)
    await first.save(PROMISED)
    await first.save(VOTED)
    disk.lose_power()

    second = await DecreeStorage.recover(disk, MEMBERSHIP, 2)
    third = await DecreeStorage.recover(disk, MEMBERSHIP, 2)

    assert (first.state, second.state, third.state) == (Durable(), VOTED, VOTED)
    assert (first.incarnation, second.incarnation, third.incarnation) == (0, 1, 2)


@pytest.mark.parametrize("operation", range(8))
async def test_wherever_power_fails_what_was_saved_is_there(operation: int) -> None:
    disk, saved = MemoryDisk(), Durable()
    disk.dies_before = operation
    with suppress(PowerLost):
        storage = await DecreeStorage.recover(disk, MEMBERSHIP, 2)
        for state in (PROMISED, VOTED):
            await storage.save(state)
            saved = state
    disk.lose_power()

    assert (await DecreeStorage.recover(disk, MEMBERSHIP, 2)).state == saved


async def test_a_torn_tail_is_cut_and_writing_goes_on_after_it() -> None:
    disk = MemoryDisk()
    log = WriteAheadLog(disk, "log")
    await log.replace([b"whole"])
    disk.written["log"] += records([b"torn"])[:-1]

    again = WriteAheadLog(disk, "log")
    assert await again.load() == [b"whole"]
    await again.append(b"next")

    assert await WriteAheadLog(disk, "log").load() == [b"whole", b"next"]


async def test_damage_in_the_log_keeps_an_instance_from_voting() -> None:
    disk = MemoryDisk()
    await (await DecreeStorage.recover(disk, MEMBERSHIP, 2)).save(VOTED)
    disk.written["log"] = disk.written["log"][:-1] + b"!"

    with pytest.raises(DamagedLog, match=r"log, at byte \d+: .*checksum"):
        await DecreeStorage.recover(disk, MEMBERSHIP, 2)


@pytest.mark.parametrize(
    ("membership", "server_id", "why"),
    [
        (Membership(MEMBERSHIP.members, "red"), 2, "cluster 'blue', not 'red'"),
        (MEMBERSHIP, 3, "server id 2, not 3"),
        (Membership({2: Address("n2", 1)}, "blue"), 2, "members (1, 2, 3), not (2,)"),
    ],
)
async def test_a_log_of_somebody_else_is_refused(membership: Membership, server_id: int, why: str) -> None:
    disk = MemoryDisk()
    await DecreeStorage.recover(disk, MEMBERSHIP, 2)

    with pytest.raises(WrongStorage, match=re.escape(why)):
        await DecreeStorage.recover(disk, membership, server_id)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
async def test_a_disk_that_failed_once_is_not_trusted_again(code: int) -> None:
    disk = MemoryDisk()
    storage = await DecreeStorage.recover(disk, MEMBERSHIP, 2)
    disk.failing = code
    with pytest.raises(StorageFailed):
        await storage.save(VOTED)
    disk.failing = None

    with pytest.raises(StorageFailed):
        await storage.save(VOTED)


# The operating system's files.


async def test_files_are_appended_to_replaced_and_cut(tmp_path: Path) -> None:
    disk = OsDisk(tmp_path / "made")

    await disk.append("log", b"one ")
    await disk.append("log", b"two")
    await disk.sync("log")
    assert await disk.read("log") == b"one two"
    await disk.replace("log", b"anew")
    await disk.append("log", b"!")
    assert await disk.read("log") == b"anew!"
    await disk.truncate("log", 2)
    assert await disk.read("log") == b"an"

    disk.close()
    with pytest.raises(FileNotFoundError):
        await disk.read("nothing")


async def test_a_crash_while_replacing_leaves_the_old_contents(tmp_path: Path) -> None:
    disk = OsDisk(tmp_path)
    await disk.replace("log", b"old")
    (tmp_path / "log.new").write_bytes(b"half of the n")

    assert await OsDisk(tmp_path).read("log") == b"old"
    await disk.replace("log", b"new")

    assert await disk.read("log") == b"new"


def test_a_directory_is_one_process_s_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(DirectoryInUse, match=re.escape(str(tmp_path))), locked(tmp_path):
        pass

    with locked(tmp_path):
        pass


async def test_storage_works_on_real_files(tmp_path: Path) -> None:
    first = await DecreeStorage.recover(OsDisk(tmp_path), MEMBERSHIP, 1)
    await first.save(VOTED)

    second = await DecreeStorage.recover(OsDisk(tmp_path), MEMBERSHIP, 1)

    assert second.state == VOTED


async def test_nothing_is_read_from_a_gate_that_is_shut() -> None:
    """The fake holds a sync back, or the tests that rely on it would show nothing."""
    disk = MemoryDisk()
    storage = await DecreeStorage.recover(disk, MEMBERSHIP, 2)
    disk.gate = trio.Event()

    with trio.move_on_after(0) as waited:
        await storage.save(VOTED)

    assert waited.cancelled_caught
    disk.lose_power()
    disk.gate = None
    assert (await DecreeStorage.recover(disk, MEMBERSHIP, 2)).state == Durable()
