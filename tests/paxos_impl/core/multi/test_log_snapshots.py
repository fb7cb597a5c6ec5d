"""Whatever is dropped, every replica gets to the state that the whole log amounts to; and to no other."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import Compaction, Configuration, Entry, Image, Member, Received, Snapshot
from ostrakon.paxos_impl.core.multi.message import (
    Ask,
    Chunk,
    Fetch,
    Nack,
    Offer,
    Prepare,
    Promise,
    Propose,
    Tell,
)
from ostrakon.paxos_impl.core.multi.snapshot import SnapshotId, checksum
from tests.paxos_impl.core.multi.log_world import OFTEN, LogWorld, decide, disturb, heal

members = st.builds(Member, st.integers(0, 9), st.text(max_size=3), st.booleans())
configurations = st.builds(
    Configuration,
    st.integers(0, 9),
    st.lists(members, max_size=3).map(tuple),
    st.integers(0, 9),
    st.integers(1, 99),
)


def compacting() -> LogWorld:
    """Three replicas of which the third has missed more than the others still have."""
    world = LogWorld(compaction=OFTEN)
    world.elect(1)
    for number in range(10):
        world.submit(1, number)
        world.settle(without=(3,))
    return world


def catch_up(world: LogWorld) -> None:
    for _ in range(2):  # A snapshot, and what came after it.
        world.fire(1, "heartbeat")
        world.settle()


@given(seed=st.integers(0, 2**32))
@settings(max_examples=80)
def test_no_schedule_makes_replicas_that_compact_differ(seed: int) -> None:
    rng = random.Random(seed)
    world = LogWorld((1, 2, 3), compaction=OFTEN)
    disturb(world, rng, 300)
    world.require_agreement()

    heal(world, rng)
    decide(world, rng, "last")

    assert len({tuple(map(str, world.ops(member))) for member in world.members}) == 1
    world.require_agreement()


def test_the_random_schedules_have_snapshots_transferred() -> None:
    transferred = 0
    for seed in range(20):
        world = LogWorld((1, 2, 3), compaction=OFTEN)
        disturb(world, random.Random(seed), 300)
        heal(world, random.Random(seed))
        transferred += len(world.installed)

    assert transferred >= 5


def test_a_log_is_no_longer_than_what_is_kept_and_what_comes_until_the_next_snapshot() -> None:
    world = compacting()
    for number in range(100):
        world.submit(1, number)
        world.settle(without=(3,))

    ledger = world.nodes[1].replica.log

    assert ledger.top - ledger.base <= OFTEN.every + OFTEN.keep
    assert world.nodes[1].applied[0][0] == 1
    assert len(world.nodes[1].disk) <= 4 * (OFTEN.every + OFTEN.keep)


def test_who_lacks_slots_that_are_gone_takes_a_snapshot() -> None:
    world = compacting()

    catch_up(world)

    assert world.ops(3) == list(range(10))
    assert [node for node, _ in world.installed] == [3]


def test_who_lacks_few_slots_is_told_of_them() -> None:
    world = LogWorld(compaction=Compaction(every=4, keep=8))
    world.elect(1)
    for number in range(6):
        world.submit(1, number)
        world.settle(without=(3,))

    world.fire(1, "heartbeat")
    world.settle()

    assert world.ops(3) == list(range(6))
    assert world.installed == []


def test_a_transfer_goes_on_where_it_was_when_messages_are_lost() -> None:
    world = compacting()
    world.fire(1, "heartbeat")
    while len(world.sent(Fetch)) == 0 or world.sent(Fetch)[0].message.offset == 0:
        world.deliver(world.flights[0])
    [fetch] = world.sent(Fetch)
    world.drop(*world.flights)

    world.fire(1, "heartbeat")
    while not world.sent(Fetch):
        world.deliver(world.flights[0])
    [again] = world.sent(Fetch)
    catch_up(world)

    assert again.message.offset == fetch.message.offset > 0
    assert world.ops(3) == list(range(10))


def test_a_transfer_goes_on_with_another_replica_that_has_the_same_snapshot() -> None:
    world = compacting()
    world.fire(1, "heartbeat")
    while len(world.sent(Fetch)) == 0 or world.sent(Fetch)[0].message.offset == 0:
        world.deliver(world.flights[0])
    [fetch] = world.sent(Fetch)
    world.crash(1)
    world.drop(*world.flights)

    world.step(2, Received(Ask(1), 3, "n3.0.99"))
    while not world.sent(Fetch):
        world.deliver(world.flights[0])
    [again] = world.sent(Fetch)

    assert again.to == 2
    assert again.message == fetch.message


def test_a_damaged_piece_is_not_taken() -> None:
    world = compacting()
    world.fire(1, "heartbeat")
    while not world.sent(Chunk):
        world.deliver(world.flights[0])
    [flight] = world.sent(Chunk)
    chunk = flight.message
    assert isinstance(chunk, Chunk)
    world.drop(*world.flights)

    damaged = bytes([chunk.data[0] ^ 1]) + chunk.data[1:]
    world.step(3, Received(Chunk(chunk.id, chunk.offset, damaged, chunk.checksum), 1, "n1.0.98"))
    assert not world.sent(Fetch)
    world.step(3, Received(chunk, 1, "n1.0.99"))

    assert [fetch.message.offset for fetch in world.sent(Fetch)] == [len(chunk.data)]


def test_pieces_that_are_not_what_was_offered_are_not_installed() -> None:
    world = LogWorld(compaction=OFTEN)
    id = SnapshotId(9, "of something else", 4)

    world.step(3, Received(Offer(id), 1, "n1.0.1"))
    world.step(3, Received(Chunk(id, 0, b"oops", checksum(b"oops")), 1, "n1.0.2"))

    assert world.nodes[3].saving is None
    assert world.installed == []


def test_a_snapshot_is_not_installed_over_what_was_executed_since() -> None:
    world = compacting()
    world.fire(1, "heartbeat")
    while world.nodes[3].saving is None:
        world.deliver(world.flights[0], sync=False)
    world.flights.clear()
    entries = [world.nodes[1].applied[slot - 1] for slot in range(1, 11)]
    told = tuple(Entry(slot, Ballot(1, 1), batch) for slot, batch in entries)
    world.step(3, Received(Tell(told, 10), 1, "n1.0.99"), sync=False)
    before = world.ops(3)

    world.sync(3)

    assert world.ops(3) == before == list(range(10))
    assert world.installed == []


def test_nobody_promises_who_is_asked_about_slots_that_are_gone() -> None:
    """What it voted for there, it does not know any more (P2c rests on being told)."""
    world = compacting()
    world.drop(*world.flights)

    world.step(2, Received(Prepare(Ballot(9, 3), 1), 3, "n3.0.99"))

    assert not world.sent(Promise)
    assert [flight.to for flight in world.sent(Offer)] == [3]


def test_nobody_votes_in_slots_that_are_gone() -> None:
    world = compacting()
    world.drop(*world.flights)

    world.step(2, Received(Propose(Ballot(9, 3), 1, ()), 3, "n3.0.99"))

    assert [type(flight.message) for flight in world.flights] == [Offer]


def test_a_promise_outlives_the_log_that_it_was_written_in() -> None:
    world = compacting()

    world.crash(2)
    world.restart(2)
    world.step(2, Received(Prepare(Ballot(1, 0), 11), 3, "n3.0.99"))

    assert [type(flight.message) for flight in world.sent(Nack)] == [Nack]


def test_a_restarted_replica_goes_on_from_its_snapshot() -> None:
    world = compacting()

    world.crash(1)
    world.restart(1)

    assert world.ops(1)[:8] == list(range(8))
    assert [node for node, _ in world.installed] == [1]


@given(st.integers(0, 99), st.lists(configurations, max_size=2), st.binary(max_size=20))
def test_an_image_gives_back_what_it_was_made_of(slot: int, found: list[Configuration], state: bytes) -> None:
    snapshot = Snapshot(slot, tuple(found), state)

    image = Image.of(snapshot)

    assert Image.read(image.data).snapshot == snapshot
    assert Image.read(image.data).id == image.id
