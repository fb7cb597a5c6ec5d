"""A backup gives back the state that it was taken of, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import Command, Promised, Recovered
from ostrakon.paxos_impl.kv.operation import plain
from ostrakon.paxos_impl.kv.sessions import OPENING, Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.server.replica_node import founders_of
from ostrakon.paxos_impl.storage.backup import Backup, BadBackup, GroupState, read_backup
from ostrakon.paxos_impl.storage.record import DamagedLog, records
from ostrakon.paxos_impl.storage.replica_storage import ReplicaStorage
from ostrakon.paxos_impl.wire.membership import Address, Membership
from tests.paxos_impl.kv.test_kv import guards, operations
from tests.paxos_impl.storage.memory_disk import MemoryDisk, PowerLost

NEW = Membership({n: Address("127.0.0.1", 7000 + n) for n in (0, 1, 2)}, "new")
commands = st.tuples(st.integers(0, 3), operations | guards)


def state_after(done: list[tuple[int, Any]]) -> Sessions:
    """The state after these operations, each in the session of this number; 0 opens one."""
    sessions = Sessions(Store())
    numbers: dict[int, int] = {}
    for session, operation in done:
        if session == 0:
            sessions.execute(Command("a name", OPENING, None))
        else:
            numbers[session] = number = numbers.get(session, 0) + 1
            sessions.execute(Command(f"{session}", number, plain(operation)))
    return sessions


def whole(backup: Backup) -> bytes:
    return b"".join(backup.pieces())


ONE = Backup("old", (GroupState(7, state_after([(0, None), (1, None)][:1]).snapshot()),))
WHOLE = whole(ONE)


@given(st.lists(commands, max_size=30), st.integers(0, 2**40))
async def test_any_state_comes_back_as_the_state_of_a_new_cluster(
    done: list[tuple[int, Any]], slot: int
) -> None:
    before = state_after(done)
    data = whole(Backup("old", (GroupState(slot, before.snapshot()),)))

    [group] = read_backup(data, "file").groups
    storage = await ReplicaStorage.recover(MemoryDisk(), NEW, 1, seed=group.image(founders_of(NEW)))

    image = storage.state.image
    assert image is not None
    after = Sessions(Store())
    after.restore(image.snapshot.state)
    assert after.digest() == before.digest()
    assert after.snapshot() == before.snapshot()
    assert (storage.state.commit_index, storage.state.promised) == (slot, None)
    assert [each.ids for each in image.snapshot.configurations] == [NEW.ids]


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=3))
def test_all_groups_come_back(states: list[bytes]) -> None:
    backup = Backup("old", tuple(GroupState(slot, state) for slot, state in enumerate(states)))

    assert read_backup(whole(backup), "file") == backup


@pytest.mark.parametrize("size", range(len(WHOLE)))
def test_a_backup_that_is_cut_short_is_refused(size: int) -> None:
    with pytest.raises(BadBackup, match="file"):
        read_backup(WHOLE[:size], "file")


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
@example(0, 0x80)
def test_a_changed_byte_is_noticed_wherever_it_is(at: int, change: int) -> None:
    data = bytearray(WHOLE)
    data[at] ^= change

    with pytest.raises(BadBackup, match="file"):
        read_backup(bytes(data), "file")


@pytest.mark.parametrize("rest", [b"\0", b"\0" * 600, b"more", records([b"more"])])
def test_what_follows_a_backup_is_refused(rest: bytes) -> None:
    with pytest.raises(BadBackup, match="file"):
        read_backup(WHOLE + rest, "file")


@pytest.mark.parametrize("data", [b"", b"text", records([b"\x93"]), records([b"\x93\xa1x\xa1y\x90"])])
def test_another_file_is_no_backup(data: bytes) -> None:
    with pytest.raises(BadBackup, match="file"):
        read_backup(data, "file")


async def recovered(disk: MemoryDisk) -> Recovered:
    seed = ONE.groups[0].image(founders_of(NEW))
    return (await ReplicaStorage.recover(disk, NEW, 1, seed=seed)).state


@pytest.mark.parametrize("dies_before", range(7))
async def test_a_first_start_that_was_cut_short_is_made_again(dies_before: int) -> None:
    disk = MemoryDisk()
    disk.dies_before = dies_before
    try:
        await recovered(disk)
        is_whole = True
    except PowerLost:
        is_whole = False
    disk.lose_power()

    assert (await recovered(disk)).commit_index == 7
    assert is_whole == (dies_before == 6), "vacuous"


async def test_a_replica_that_has_run_does_not_go_back_to_its_backup() -> None:
    disk = MemoryDisk()
    storage = await ReplicaStorage.recover(disk, NEW, 1, seed=ONE.groups[0].image(founders_of(NEW)))
    await storage.save([Promised(Ballot(3, 1))])

    assert (await recovered(disk)).promised == Ballot(3, 1)
    del disk.written["replica"]
    with pytest.raises(DamagedLog):
        await recovered(disk)


async def test_a_snapshot_of_an_unknown_owner_is_not_taken_for_the_backup() -> None:
    disk = MemoryDisk()
    other = GroupState(9, ONE.groups[0].state).image(founders_of(NEW))
    await ReplicaStorage.recover(disk, NEW, 1, seed=other)
    del disk.written["replica"]

    with pytest.raises(DamagedLog):
        await recovered(disk)
