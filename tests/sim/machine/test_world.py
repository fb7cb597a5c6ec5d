"""What a world is: programs run in it on virtual time, end, crash and get stuck, and leave nothing behind."""

from __future__ import annotations

import gc
import random
import sys
import time

import pytest
import trio

from ostrakon.harness.sim import SimulationError, StopReason, World
from tests.sim.toy import Client, echo_server, echo_world, run_one


def test_an_hour_of_sleep_passes_at_once() -> None:
    async def sleeper(world: World) -> None:
        await trio.sleep(3600)

    world = run_one(sleeper)

    assert world.now_s == pytest.approx(3600)


def test_unmodified_programs_talk_over_tcp_by_name() -> None:
    client = Client(lines=20)
    world, _, machine = echo_world(1, client)
    with world:
        reason = world.run(stop=lambda: not machine.is_running)

    assert reason is StopReason.STOPPED
    assert client.echoed == 20
    assert client.log == []


def test_a_run_ends_when_the_time_is_up_and_goes_on_from_there() -> None:
    client = Client(lines=10, pause_s=1.0)
    world, _, machine = echo_world(1, client)
    with world:
        assert world.run(until_s=3.5) is StopReason.TIME
        assert world.now_s == 3.5
        assert client.echoed == 4
        world.run(stop=lambda: not machine.is_running)

    assert client.echoed == 10


def test_a_world_whose_programs_have_all_ended_says_so() -> None:
    async def program() -> None:
        await trio.sleep(1)

    with World(1) as world:
        world.machine("a").start(program)

        assert world.run() is StopReason.ENDED


def test_a_deadlock_is_told_with_who_waits_where() -> None:
    async def waits_for_ever() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.Event().wait)

    with World(1) as world:
        world.machine("a").start(waits_for_ever)

        assert world.run() is StopReason.DEADLOCK
        tasks = [waiting.task for waiting in world.waiting()]
        text = "\n".join(map(str, world.waiting()))

    assert any("Event.wait" in task for task in tasks)
    assert "in waits_for_ever" in text


def test_a_livelock_is_told_apart_from_a_deadlock_and_names_the_process() -> None:
    async def spins() -> None:
        while True:
            await trio.sleep(0)

    with World(1) as world:
        world.passes_max = 1000
        world.machine("quiet").start(trio.sleep_forever)
        world.machine("busy").start(spins)

        assert world.run() is StopReason.LIVELOCK
        assert world.livelocked is world.machines["busy"].process


def test_a_program_may_end_itself_by_exiting() -> None:
    async def exits(status: int) -> None:
        sys.exit(status)

    with World(1) as world:
        good, bad = world.machine("good"), world.machine("bad")
        good.start(lambda: exits(0))
        bad.start(lambda: exits(3))
        world.run()

    assert (good.state, bad.state) == ("ended", "crashed")
    assert [crash.machine for crash in world.crashes] == ["bad"]


def test_a_program_that_crashes_is_recorded_and_the_rest_goes_on() -> None:
    async def crashes() -> None:
        await trio.sleep(1)
        raise ValueError("no such ballot")

    client = Client(lines=20)
    world, _, machine = echo_world(1, client)
    told: list[str] = []
    with world:
        world.on_crash = lambda crash: told.append(crash.machine)
        bad = world.machine("bad")
        bad.start(crashes)
        world.run(stop=lambda: not machine.is_running)

    (crash,) = world.crashes
    assert (crash.machine, crash.incarnation, crash.time_ns) == ("bad", 0, 10**9)
    assert "in crashes" in crash.traceback
    assert "ValueError: no such ballot" in crash.traceback
    assert bad.state == "crashed"
    assert told == ["bad"]
    assert client.echoed == 20


def test_a_fault_of_the_harness_is_no_crash_of_a_program() -> None:
    def broken_hook() -> None:
        raise ZeroDivisionError

    with World(1) as world:
        world.machine("a").start(echo_server)
        world.call_later(1.0, broken_hook)

        with pytest.raises(ZeroDivisionError):
            world.run()

    assert world.crashes == []


def test_every_choice_depends_on_the_seed_alone() -> None:
    def digest(seed: int) -> str:
        client = Client(lines=20)
        world, _, machine = echo_world(seed, client)
        with world:
            world.run(stop=lambda: not machine.is_running)
        return world.digest

    assert digest(1) == digest(1)
    assert len({digest(seed) for seed in range(10)}) == 10


def test_closing_unwinds_every_process_and_runs_its_finally() -> None:
    unwound: list[str] = []

    async def careful() -> None:
        try:
            await trio.sleep_forever()
        finally:
            unwound.append("careful")

    with World(1) as world:
        world.machine("a").start(careful)
        world.run()
        assert unwound == []

    assert unwound == ["careful"]


def test_a_program_that_never_ran_is_not_started_by_closing() -> None:
    ran: list[str] = []

    async def program() -> None:
        ran.append("ran")

    with World(1) as world:
        world.machine("a").start(program)

    assert ran == []


def test_cleaning_up_may_take_its_virtual_time() -> None:
    async def slow_to_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(10)

    with World(1) as world:
        world.machine("a").start(slow_to_end)
        world.run()


def test_a_program_that_will_not_end_is_named() -> None:
    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(5000)

    world = World(1)
    world.machine("mule").start(stubborn)
    world.run(until_s=1)

    with pytest.raises(SimulationError, match="mule#0"):
        world.close()
    world.close()


def test_a_world_runs_inside_a_trio_program() -> None:
    async def outer() -> float:
        async def inner(world: World) -> None:
            await trio.sleep(60)

        world = run_one(inner)
        await trio.lowlevel.checkpoint()
        return world.now_s

    assert trio.run(outer) == pytest.approx(60)


def test_a_world_within_a_world_is_refused() -> None:
    async def program() -> None:
        with World(2) as inner:
            inner.run()

    with World(1) as world:
        world.machine("a").start(program)
        world.run()

    assert "running already in this interpreter" in str(world.crashes[0].error)


def test_a_world_cannot_be_run_by_its_own_programs() -> None:
    with World(1) as world:

        async def program() -> None:
            world.run()

        world.machine("a").start(program)
        world.run()

    assert isinstance(world.crashes[0].error, SimulationError)


def test_names_of_machines_are_unique() -> None:
    with World(1) as world:
        world.machine("a")

        with pytest.raises(SimulationError, match="called 'a'"):
            world.machine("a")


def test_everything_real_is_back_after_a_run_even_a_failed_one() -> None:
    real = (time.time, time.monotonic, random.random, trio.to_thread.run_sync, sys.get_asyncgen_hooks())
    state = random.getstate()

    def broken_hook() -> None:
        raise ZeroDivisionError

    with World(1) as world:
        world.call_later(1.0, broken_hook)
        with pytest.raises(ZeroDivisionError):
            world.run()

    assert real == (
        time.time,
        time.monotonic,
        random.random,
        trio.to_thread.run_sync,
        sys.get_asyncgen_hooks(),
    )
    assert random.getstate() == state
    assert gc.isenabled()


def test_streams_of_randomness_are_independent_of_each_other_and_of_order() -> None:
    with World(5) as world, World(5) as again:
        first = [world.rng("a").random(), world.rng("b", 1).random()]
        second = [again.rng("b", 1).random(), again.rng("a").random()]

    assert first == second[::-1]
    assert first[0] != first[1]
