"""A log that is executed while it is read leaves what one does that is kept and executed afterwards."""

from __future__ import annotations

import random
from contextlib import suppress
from random import Random

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import (
    Apply,
    Chose,
    Command,
    Compaction,
    Configuration,
    Entry,
    Fact,
    Image,
    Install,
    Promised,
    Recovered,
    Recovery,
    Replay,
    Replica,
    Snapshot,
    Started,
    Voted,
)
from ostrakon.paxos_impl.core.multi.configuration import change_to, founded_by
from ostrakon.paxos_impl.kv.machine import BadState, StateMachine
from ostrakon.paxos_impl.kv.sessions import Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.server.replica_config import ReplicaConfig
from ostrakon.paxos_impl.server.replica_server import ReplicaServer
from ostrakon.paxos_impl.storage.record import DamagedLog
from ostrakon.paxos_impl.storage.replica_storage import ReplicaStorage
from tests.paxos_impl.storage.memory_disk import MemoryDisk, PowerLost
from tests.paxos_impl.storage.test_replica_storage import THREE

FOUNDERS = founded_by((1, 2, 3))
EVERY = 4
SEGMENT_BYTES = 120


def log_of(slots: int, seed: int) -> list[Fact]:
    """What a replica may have written: votes, some of them twice, and what was chosen, partly out of order.

    Some slots are no-ops, some change the members, and the last few may be open.
    """
    rng = random.Random(seed)
    configuration, facts, numbers = FOUNDERS, list[Fact](), dict.fromkeys("abc", 0)
    late: list[Fact] = []
    for slot in range(1, slots + 1):
        batch = list[Command]()
        for _ in range(rng.randrange(3)):
            client = rng.choice("abc")
            numbers[client] += 1
            batch.append(Command(client, numbers[client], ["append", rng.choice("xy"), slot]))
        if rng.random() < 0.1:
            configuration = configuration.followed_by(configuration.with_learner(f"n{slot}:1"))
            batch.append(change_to(configuration, f"n{slot}"))
        entry = Entry(slot, Ballot(slot, 1), tuple(batch))
        if rng.random() < 0.1:
            facts.append(Promised(Ballot(slot, 2)))
        told = rng.random() < 0.2
        facts += [] if told else [Voted(entry)]
        (late if rng.random() < 0.3 else facts).append(Chose(slot, entry if told else None))
        if rng.random() < 0.5:
            facts += late
            late.clear()
    return facts


def recalled(facts: list[Fact], image: Image | None = None) -> tuple[Recovered, Sessions]:
    """Executed while it is read."""
    sessions = Sessions(Store())
    recovery = Recovery(Replay(sessions, FOUNDERS, EVERY))
    recovery.begin(image)
    for fact in facts:
        recovery.add([fact])
    return recovery.recovered(), sessions


def begun(state: Recovered) -> tuple[bytes, tuple[Configuration, ...], int]:
    """What a replica comes to that begins with this: the state, the members, and the last slot executed."""
    sessions = Sessions(Store())
    replica, effects = Replica.recover(1, FOUNDERS, state=state).step(Started())
    for effect in effects:
        match effect:
            case Install(image):
                sessions.restore(image.snapshot.state)
            case Apply(batch=batch):
                for command in batch:
                    sessions.execute(command)
    return sessions.snapshot(), replica.configurations, replica.applied


logs = st.builds(log_of, st.integers(0, 60), st.integers(0, 10_000))


@given(logs)
def test_executing_a_log_while_it_is_read_changes_only_where_the_snapshot_is(
    facts: list[Fact],
) -> None:
    whole = Recovered.of(facts)

    short, sessions = recalled(facts)

    assert begun(short) == begun(whole)
    if short.is_executed:
        assert short.image is not None
        assert sessions.snapshot() == short.image.snapshot.state
    assert (short.promised, short.commit_index) == (whole.promised, whole.commit_index)
    above = range(short.log.base + 1, whole.log.top + 2)
    assert [short.log[slot] for slot in above] == [whole.log[slot] for slot in above]


@given(logs, st.integers(0, 60))
def test_a_log_that_goes_on_from_a_snapshot_is_executed_from_there(facts: list[Fact], at: int) -> None:
    first, _ = recalled(facts[:at])

    state, _ = recalled(facts, first.image)

    assert begun(state) == begun(Recovered.of(facts))


@given(logs)
def test_no_more_is_kept_than_a_snapshot_may_lag_behind(facts: list[Fact]) -> None:
    state, _ = recalled(facts)

    assert state.commit_index - state.log.base < EVERY + 1


def test_a_snapshot_that_is_of_no_use_is_not_gone_on_from() -> None:
    image = Image.of(Snapshot(0, (FOUNDERS,), b"no state"))

    with pytest.raises(BadState):
        recalled(log_of(20, seed=1), image)


# On a disk.


async def recover(disk: MemoryDisk) -> ReplicaStorage:
    replay = Replay(Sessions(Store()), FOUNDERS, EVERY)
    return await ReplicaStorage.recover(disk, THREE, 1, segment_bytes=SEGMENT_BYTES, replay=replay)


async def with_log(facts: list[Fact]) -> MemoryDisk:
    """A disk to which these were written and no snapshot ever was."""
    disk = MemoryDisk()
    storage = await ReplicaStorage.recover(disk, THREE, 1, segment_bytes=SEGMENT_BYTES)
    for fact in facts:
        await storage.save([fact])
    return disk


def segments(disk: MemoryDisk) -> list[str]:
    return sorted(name for name in disk.durable if name.startswith("replica.0"))


async def test_a_long_log_is_a_snapshot_and_a_short_log_once_it_was_read() -> None:
    facts = log_of(60, seed=3)
    disk = await with_log(facts)
    before = len(segments(disk))

    state = (await recover(disk)).state
    disk.lose_power()
    again = (await recover(disk)).state

    assert before > 10 > len(segments(disk))
    assert "replica.snapshot" in disk.durable
    assert begun(again) == begun(state) == begun(Recovered.of(facts))


@pytest.mark.parametrize("dies_after", range(0, 30, 2))
async def test_power_may_go_while_a_long_log_is_read(dies_after: int) -> None:
    facts = log_of(60, seed=3)
    disk = await with_log(facts)
    disk.dies_before = disk.operations + dies_after
    with suppress(PowerLost):
        await recover(disk)
    disk.lose_power()

    assert begun((await recover(disk)).state) == begun(Recovered.of(facts))


async def test_what_is_damaged_is_neither_executed_nor_taken_into_a_snapshot() -> None:
    disk = await with_log(log_of(60, seed=3))
    name = segments(disk)[-3]
    data = disk.written[name]
    disk.written[name] = data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]
    before = dict(disk.written)

    with pytest.raises(DamagedLog, match=name):
        await recover(disk)

    assert disk.written == before


class CountsRestores(Sessions):
    """Counts how often its state was replaced by that of a snapshot."""

    restores = 0

    def restore(self, snapshot: bytes) -> None:
        self.restores += 1
        super().restore(snapshot)


@pytest.mark.parametrize("is_replayed", [True, False])
async def test_a_server_that_executed_its_log_does_not_decode_the_snapshot_that_it_made_of_it(
    autojump_clock: trio.testing.MockClock, is_replayed: bool
) -> None:
    """The start after that one finds a short log, and has the state from the snapshot."""
    commands = [Command("a", 0, None), *(Command("1", n, ["put", f"k{n}", n]) for n in range(1, 12))]
    facts: list[Fact] = []
    for slot, command in enumerate(commands, start=1):
        facts += [Voted(Entry(slot, Ballot(1, 1), (command,))), Chose(slot)]
    disk = await with_log(facts)
    config = ReplicaConfig(1, THREE, compaction=Compaction(every=EVERY, keep=0, segment_bytes=SEGMENT_BYTES))
    if not is_replayed:
        await ReplicaServer.recover(config, disk, rng=Random(1))
    tables: list[CountsRestores] = []

    def sessions(machine: StateMachine) -> Sessions:
        tables.append(CountsRestores(machine))
        return tables[-1]

    server = await ReplicaServer.recover(config, disk, rng=Random(1), sessions=sessions)
    with trio.move_on_after(0.01):
        await server.run()

    [table] = tables
    assert table.restores == (0 if is_replayed else 1)
    assert table.snapshot() == begun(Recovered.of(facts))[0]
