"""A replica's disk: what was saved is found again, whole or not at all; what is odd is not voted from."""

from __future__ import annotations

import errno

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import Chose, Command, Entry, Fact, Promised, Voted
from ostrakon.paxos_impl.storage.record import DamagedLog, read_chain
from ostrakon.paxos_impl.storage.replica_storage import ReplicaStorage
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed, WrongStorage
from ostrakon.paxos_impl.wire.membership import Address, Membership
from tests.paxos_impl.core.multi.log_world import recovered
from tests.paxos_impl.storage.memory_disk import MemoryDisk, PowerLost

THREE = Membership({n: Address("127.0.0.1", 7000 + n) for n in (1, 2, 3)}, "blue")

slots = st.integers(1, 5)
ballots = st.builds(Ballot, st.integers(1, 9), st.integers(1, 3))
batches = st.lists(st.builds(Command, st.text(max_size=3), st.integers(1, 9), st.booleans()), max_size=2)
entries = st.builds(Entry, slots, ballots, batches.map(tuple))
facts = st.one_of(
    st.builds(Promised, ballots),
    st.builds(Voted, entries),
    entries.map(lambda entry: Chose(entry.slot, entry)),
)


@given(st.lists(st.lists(facts, min_size=1, max_size=3), max_size=6))
async def test_what_was_saved_is_found_again(saved: list[list[Fact]]) -> None:
    disk = MemoryDisk()
    storage = await ReplicaStorage.recover(disk, THREE, 1)
    for each in saved:
        await storage.save(each)
    disk.lose_power()

    found = await ReplicaStorage.recover(disk, THREE, 1)

    assert found.incarnation == 1
    assert found.state == recovered([fact for each in saved for fact in each])


async def test_a_vote_that_was_learned_to_be_chosen_needs_no_second_copy() -> None:
    entry = Entry(1, Ballot(1, 1), (Command("c", 1, ["put", "x", 1]),))

    state = recovered([Voted(entry), Chose(1)])

    assert state.log[1].chosen == entry.vote
    assert state.commit_index == 1


async def test_incarnations_are_counted_over_restarts() -> None:
    disk = MemoryDisk()

    counted = [(await ReplicaStorage.recover(disk, THREE, 1)).incarnation for _ in range(4)]

    assert counted == [0, 1, 2, 3]


@pytest.mark.parametrize("dies_before", range(6))
async def test_power_may_go_at_any_moment(dies_before: int) -> None:
    """What was returned from is there; what was under way is there or not."""
    disk = MemoryDisk()
    storage = await ReplicaStorage.recover(disk, THREE, 1)
    disk.dies_before = disk.operations + dies_before
    done: list[Fact] = []
    try:
        for round in (1, 2, 3):
            await storage.save([Promised(Ballot(round, 1))])
            done.append(Promised(Ballot(round, 1)))
    except PowerLost:
        pass
    disk.lose_power()

    found = await ReplicaStorage.recover(disk, THREE, 1)

    assert found.state.promised == recovered(done).promised


async def test_damage_is_not_taken_for_an_unfinished_write() -> None:
    disk = MemoryDisk()
    storage = await ReplicaStorage.recover(disk, THREE, 1)
    await storage.save([Promised(Ballot(1, 1))])
    await storage.save([Promised(Ballot(2, 1))])
    whole = disk.durable["replica.00000001"]
    disk.written["replica.00000001"] = whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:]

    with pytest.raises(DamagedLog):
        await ReplicaStorage.recover(disk, THREE, 1)


async def test_what_a_failed_sync_left_readable_is_written_again_before_it_is_relied_on() -> None:
    """The system may show what it could not write, and drop it at the next loss of power."""
    disk = MemoryDisk()
    storage = await ReplicaStorage.recover(disk, THREE, 1)
    disk.failing = errno.EIO
    _, _, chain = read_chain(bytes(disk.written["replica.00000001"]), "replica.00000001")
    disk.written["replica.00000001"] += chain.records([msgspec.msgpack.encode([Promised(Ballot(5, 1))])])[0]
    with pytest.raises(StorageFailed):
        await storage.save([Promised(Ballot(6, 1))])
    disk.failing = None

    seen = await ReplicaStorage.recover(disk, THREE, 1)
    disk.lose_power()
    found = await ReplicaStorage.recover(disk, THREE, 1)

    assert seen.state.promised == found.state.promised == Ballot(5, 1)


async def test_the_disk_of_another_replica_is_refused() -> None:
    disk = MemoryDisk()
    await ReplicaStorage.recover(disk, THREE, 1)

    with pytest.raises(WrongStorage, match="server id"):
        await ReplicaStorage.recover(disk, THREE, 2)


async def test_after_a_failed_write_nothing_is_saved_any_more() -> None:
    disk = MemoryDisk()
    storage = await ReplicaStorage.recover(disk, THREE, 1)
    disk.failing = errno.ENOSPC
    with pytest.raises(StorageFailed):
        await storage.save([Promised(Ballot(1, 1))])
    disk.failing = None

    with pytest.raises(StorageFailed):
        await storage.save([Promised(Ballot(1, 1))])
