"""Code that blocks: a process as a whole, or a function that runs as if in a thread."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

import pytest
import trio

from ostrakon.harness.sim import World
from tests.sim.toy import run_one


def test_a_process_that_sleeps_in_ordinary_code_stands_still_and_others_do_not() -> None:
    told: list[tuple[str, float]] = []

    async def sleeper() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beat, "sleeper")
            await trio.sleep(0.15)
            time.sleep(1)
            told.append(("slept", trio.current_time()))

    async def beat(name: str) -> None:
        for _ in range(3):
            told.append((name, round(trio.current_time(), 3)))
            await trio.sleep(0.1)

    with World(1) as world:
        world.machine("sleeper").start(sleeper)
        world.machine("other").start(lambda: beat("other"))
        world.run()

    assert [time_s for name, time_s in told if name == "other"] == [0, 0.1, 0.2]
    assert [time_s for name, time_s in told if name == "sleeper"] == [0, 0.1, 1.15]
    assert ("slept", 1.15) in [(name, round(time_s, 6)) for name, time_s in told]


def test_many_processes_block_at_the_same_time_and_each_again() -> None:
    ended: list[tuple[int, float]] = []

    async def program(number: int) -> None:
        for _ in range(20):
            time.sleep(0.01 * number)
        ended.append((number, round(trio.current_time(), 6)))

    with World(1) as world:
        for number in range(1, 6):
            world.machine(f"n{number}").start(partial(program, number))
        world.run()

    assert ended == [(number, round(0.2 * number, 6)) for number in range(1, 6)]


def test_a_process_killed_while_it_blocks_runs_no_other_line() -> None:
    log: list[str] = []

    async def program() -> None:
        try:
            time.sleep(10)
            log.append("slept")
        finally:
            log.append("unwound")

    with World(1) as world:
        machine = world.machine("m")
        machine.start(program)
        world.call_later(1, machine.kill)
        world.run(until_s=20)
        assert log == []

    assert log == ["unwound"]


def test_a_process_paused_while_it_blocks_goes_on_when_it_is_resumed() -> None:
    woke: list[float] = []

    async def program() -> None:
        time.sleep(1)
        woke.append(trio.current_time())

    with World(1) as world:
        machine = world.machine("m")
        machine.start(program)
        world.call_later(0.5, machine.pause)
        world.call_later(5, machine.resume)
        world.run()

    assert woke == [5]


def test_a_function_in_a_thread_blocks_alone() -> None:
    times: list[float] = []

    async def program() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, time.sleep, 1)
            await trio.sleep(0.5)
            times.append(trio.current_time())
        times.append(trio.current_time())

    run_one(lambda _: program())

    assert times == [0.5, 1]


@pytest.mark.parametrize(("abandons", "seen"), [(False, (False, 1.0)), (True, (True, 0.2))])
def test_a_cancelled_call_waits_for_its_thread_unless_it_may_abandon_it(
    abandons: bool, seen: tuple[bool, float]
) -> None:
    told: list[Any] = []

    def work() -> None:
        time.sleep(1)
        told.append(("worked", time.monotonic()))

    async def program() -> None:
        with trio.move_on_after(0.2) as scope:
            await trio.to_thread.run_sync(work, abandon_on_cancel=abandons)
        told.append((scope.cancelled_caught, trio.current_time()))
        await trio.sleep(2)

    run_one(lambda _: program())

    assert seen in told
    assert ("worked", 1.0) in told, "an abandoned thread goes on"


def test_a_thread_calls_back_into_the_event_loop() -> None:
    told: list[Any] = []

    def work() -> Any:
        now_s = trio.from_thread.run_sync(trio.current_time)
        trio.from_thread.run(trio.sleep, 1)
        trio.from_thread.check_cancelled()
        with pytest.raises(ZeroDivisionError):
            trio.from_thread.run_sync(lambda: 1 // 0)
        return now_s, trio.from_thread.run_sync(trio.current_time)

    async def program() -> None:
        told.append(await trio.to_thread.run_sync(work))
        with pytest.raises(RuntimeError, match="not a thread of"):
            trio.from_thread.run_sync(print)

    run_one(lambda _: program())

    assert told == [(0, 1)]


def test_a_thread_sees_no_event_loop_and_the_limiter_limits() -> None:
    told: list[Any] = []

    async def program() -> None:
        with pytest.raises(RuntimeError):
            await trio.to_thread.run_sync(trio.current_time)
        limiter = trio.CapacityLimiter(2)
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(lambda: trio.to_thread.run_sync(time.sleep, 1, limiter=limiter))
        told.append(trio.current_time())

    run_one(lambda _: program())

    assert told == [2]
    assert threading.active_count() < 20


def test_processes_may_block_in_turn_for_as_long_as_they_like() -> None:
    """Each time another loop goes on; none may begin deeper in the stack than the one before."""
    done: list[str] = []

    async def program(name: str, pause_s: float) -> None:
        async def blocks() -> None:
            for _ in range(400):
                time.sleep(pause_s)
                await trio.sleep(0.003)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(blocks)
        done.append(name)

    with World(1) as world:
        for number in range(1, 6):
            world.machine(f"n{number}").start(partial(program, f"n{number}", 0.001 * number))
        world.run()

    assert sorted(done) == ["n1", "n2", "n3", "n4", "n5"]
