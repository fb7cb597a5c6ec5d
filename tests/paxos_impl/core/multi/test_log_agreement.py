"""Whatever is lost, repeated, reordered or crashed, replicas execute the same commands in the same order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.multi.phase import Leading
from tests.paxos_impl.core.multi.log_world import LogWorld, decide, disturb, heal, recovered

CLUSTERS = st.sampled_from([(1, 2, 3), (0, 1, 2, 3, 4), (1, 2), (7,)])


@given(seed=st.integers(0, 2**32), members=CLUSTERS)
@settings(max_examples=120)
def test_no_schedule_makes_two_replicas_differ(seed: int, members: tuple[int, ...]) -> None:
    world = LogWorld(members)

    disturb(world, random.Random(seed), 300)

    world.require_agreement()


@given(seed=st.integers(0, 2**32), members=CLUSTERS)
@settings(max_examples=60)
def test_once_faults_stop_commands_are_executed_everywhere(seed: int, members: tuple[int, ...]) -> None:
    rng = random.Random(seed)
    world = LogWorld(members)
    disturb(world, rng, 250)

    heal(world, rng)
    decide(world, rng, "last")

    assert all(world.ops(member)[-1] == "last" for member in members)
    world.require_agreement()


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_what_was_acknowledged_is_executed_by_everyone_in_the_end(seed: int) -> None:
    rng = random.Random(seed)
    world = LogWorld()
    disturb(world, rng, 250)

    heal(world, rng)

    done = {f"c{request}" for request in world.executed}
    for member in world.members:
        executed = {command.client for _, batch in world.nodes[member].applied for command in batch}
        assert done <= executed


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_a_disk_gives_back_what_a_replica_remembers(seed: int) -> None:
    world = LogWorld()
    disturb(world, random.Random(seed), 200)

    for member in world.up:
        world.sync(member)
        state = recovered(world.nodes[member].disk)
        replica = world.nodes[member].replica
        assert (state.promised, state.commit_index) == (replica.promised, replica.commit_index)
        assert list(state.log.votes_from(1)) == list(replica.log.votes_from(1))


@pytest.mark.parametrize("seed", range(2))
def test_the_random_schedules_are_not_vacuous(seed: int) -> None:
    rng = random.Random(seed)
    worlds = [LogWorld() for _ in range(30)]

    for world in worlds:
        disturb(world, rng, 300)

    assert sum(bool(world.executed) for world in worlds) >= 15, "hardly any schedule decides anything"
    changes = [len({entry.ballot for _, entry in world.votes}) for world in worlds]
    assert sum(count > 1 for count in changes) >= 5, "hardly any schedule has two leaders"
    assert any(isinstance(node.replica.phase, Leading) for world in worlds for node in world.nodes.values())
