"""Schedules explore: what one order hides, another shows."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import permutations

import pytest
import trio

from ostrakon.harness.sim import DelayBounded, PriorityChanges, RandomSchedule, Schedule, World, draw_schedule

STRATEGIES: dict[str, Callable[[random.Random], Schedule]] = {
    "random": RandomSchedule,
    "delay-bounded": lambda rng: DelayBounded(rng, delays=2, horizon=12),
    "priorities": lambda rng: PriorityChanges(rng, depth=3, horizon=12),
    "portfolio": draw_schedule,
}


def order_of_tasks(schedule: Schedule, tasks: int = 3, steps: int = 1) -> str:
    """In which order tasks that are always ready run."""
    ran: list[str] = []

    async def task(name: str) -> None:
        for _ in range(steps):
            ran.append(name)
            await trio.lowlevel.checkpoint()

    async def program() -> None:
        async with trio.open_nursery() as nursery:
            for name in "abcdef"[:tasks]:
                nursery.start_soon(task, name)

    with World(1, schedule=schedule) as world:
        world.machine("m").start(program)
        world.run()
    return "".join(ran)


def order_of_processes(schedule: Schedule) -> str:
    """In which order three processes run that wake at the same instant."""
    ran: list[str] = []

    async def program(name: str) -> None:
        await trio.sleep(1)
        ran.append(name)

    with World(1, schedule=schedule) as world:
        for name in "abc":
            world.machine(name).start(lambda name=name: program(name))  # type: ignore[misc]
        world.run()
    return "".join(ran)


@pytest.mark.parametrize("strategy", ["random", "priorities"])
@pytest.mark.parametrize("run", [order_of_tasks, order_of_processes])
def test_every_order_of_three_is_reached(strategy: str, run: Callable[[Schedule], str]) -> None:
    orders = {run(STRATEGIES[strategy](random.Random(seed))) for seed in range(80)}

    assert orders == {"".join(order) for order in permutations("abc")}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_seed_chooses_the_same(strategy: str) -> None:
    make = STRATEGIES[strategy]

    for seed in range(5):
        assert order_of_tasks(make(random.Random(seed)), 4, 5) == order_of_tasks(
            make(random.Random(seed)), 4, 5
        )


def test_without_delays_first_come_is_first_served() -> None:
    plain = DelayBounded(random.Random(1), delays=0)

    assert order_of_tasks(plain) == "abc"
    assert order_of_processes(DelayBounded(random.Random(1), delays=0)) == "abc"


def test_few_delays_change_few_things() -> None:
    orders = {
        order_of_tasks(DelayBounded(random.Random(seed), delays=1, horizon=6), 3, 4) for seed in range(40)
    }

    assert "abcabcabcabc" in orders
    assert 3 <= len(orders) <= 6


def test_a_starved_task_is_found_by_priorities_sooner_than_by_chance() -> None:
    """One task makes all its steps before another makes its first: 1 in 2^12 by fair coins."""

    def starves(schedule: Schedule) -> bool:
        return order_of_tasks(schedule, 2, 12) in ("a" * 12 + "b" * 12, "b" * 12 + "a" * 12)

    # In Trio every ready task gets its turn in every pass, so nobody starves within one process ...
    assert not any(starves(PriorityChanges(random.Random(seed), depth=1)) for seed in range(20))
    # ... but the order within the passes is the same throughout, which chance alone hardly does.
    orders = {order_of_tasks(PriorityChanges(random.Random(seed), depth=1), 2, 12) for seed in range(20)}
    assert orders == {"ab" * 12, "ba" * 12}
