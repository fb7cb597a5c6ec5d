"""Whatever is lost, repeated, reordered or crashed, at most one value is chosen; and then it is learned."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.paxos_impl.core import Chosen
from tests.paxos_impl.core.world import World


def disturb(world: World, rng: random.Random, steps: int) -> None:
    """Do `steps` random things to a world: deliver out of order, drop, repeat, propose, crash, restart."""
    for step in range(steps):
        roll = rng.random()
        if roll < 0.70 and world.flights:
            flight = rng.choice(world.flights)
            if rng.random() < 0.12:
                world.drop(flight)
            else:
                world.deliver(flight, keep=rng.random() < 0.1, sync=rng.random() < 0.8)
        elif roll < 0.78 and world.up:
            world.propose(rng.choice(world.up), f"v{step}")
        elif roll < 0.80 and world.up:
            world.sync(rng.choice(world.up))
        elif roll < 0.93 and world.up:
            node = rng.choice(world.up)
            world.fire(node, rng.choice(("retransmit", "back_off", "pull")))
        elif roll < 0.96 and world.up:
            world.crash(rng.choice(world.up))
        elif downs := [member for member in world.members if not world.nodes[member].up]:
            world.restart(rng.choice(downs))


def heal(world: World, rng: random.Random, rounds: int = 200) -> None:
    """Restart who is down, lose nothing more, and fire timers until everyone knows."""
    for member in world.members:
        if not world.nodes[member].up:
            world.restart(member)
    for _ in range(rounds):
        for member in world.members:
            world.sync(member)
        world.settle()
        if all(world.nodes[member].instance.learner.chosen for member in world.members):
            return
        world.fire(rng.choice(world.members), rng.choice(("retransmit", "back_off", "pull")))


@given(seed=st.integers(0, 2**32), members=st.sampled_from([(1, 2, 3), (0, 1, 2, 3, 4), (1, 2), (7,)]))
@settings(max_examples=150)
def test_no_schedule_makes_two_nodes_disagree(seed: int, members: tuple[int, ...]) -> None:
    rng = random.Random(seed)
    world = World(members)

    disturb(world, rng, 160)

    assert world.agrees()
    assert all(vote.value in world.proposed for _, vote in world.learned), "nobody proposed what was learned"
    for ballots in world.ballots.values():
        fresh = list(dict.fromkeys(ballots))
        assert fresh == sorted(fresh), "a proposer went back to a lower ballot"


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100)
def test_once_faults_stop_everyone_learns_the_same_value(seed: int) -> None:
    rng = random.Random(seed)
    world = World()
    disturb(world, rng, 120)

    heal(world, rng)
    world.propose(1, "last")
    heal(world, rng)

    assert {type(world.get(member)) for member in world.members} == {Chosen}
    assert world.agrees()


@pytest.mark.parametrize("seed", range(3))
def test_the_random_schedules_are_not_vacuous(seed: int) -> None:
    rng = random.Random(seed)
    worlds = [World() for _ in range(40)]

    for world in worlds:
        disturb(world, rng, 160)

    assert sum(bool(world.learned) for world in worlds) >= 20, "hardly any schedule decides anything"
    assert any(len({vote.ballot for _, vote in world.votes}) > 1 for world in worlds), "no duel"
