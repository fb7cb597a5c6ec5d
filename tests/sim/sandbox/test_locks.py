"""Locks of `threading` in functions of `to_thread`: they wait for each other on virtual time."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import trio

from ostrakon.harness.sim import World
from ostrakon.harness.substrates.runtime import Runtime

MADE_EARLY, REENTRANT = threading.Lock(), threading.RLock()
"""Locks that exist before any world does."""


def alone(program: Callable[[], Any], runtime: Runtime = "trio") -> None:
    """Run a program on a machine of its own, to its end; its errors are the test's."""
    with World(1) as world:
        process = world.machine("alone").start(program, runtime=runtime)
        world.run(stop=lambda: process.done)
        if process.error is not None:
            raise process.error
        assert process.done, "it did not end"


async def on_trio(*functions: Callable[[], Any]) -> None:
    async with trio.open_nursery() as nursery:
        for function in functions:
            nursery.start_soon(trio.to_thread.run_sync, function)


async def on_asyncio(*functions: Callable[[], Any]) -> None:
    await asyncio.gather(*(asyncio.to_thread(function) for function in functions))


RUNTIMES: dict[Any, Runtime] = {on_trio: "trio", on_asyncio: "asyncio"}


@pytest.mark.parametrize("run", [on_trio, on_asyncio])
@pytest.mark.parametrize("lock", [MADE_EARLY, REENTRANT, None])
def test_functions_in_threads_hold_a_lock_one_after_the_other(run: Any, lock: Any) -> None:
    spans: list[tuple[float, float]] = []

    async def program() -> None:
        own = lock or threading.Lock()

        def work() -> None:
            with own:
                begun = time.monotonic()
                time.sleep(0.1)
                spans.append((round(begun, 6), round(time.monotonic(), 6)))

        await run(work, work, work)

    alone(program, RUNTIMES[run])

    assert [begun for begun, _ in spans] == pytest.approx([0, 0.1, 0.2], abs=0.01)
    assert all(after[0] >= before[1] for before, after in pairwise(spans))


@pytest.mark.parametrize("run", [on_trio, on_asyncio])
def test_a_lock_that_is_not_freed_in_time_is_not_got(run: Any) -> None:
    told: list[tuple[str, bool, float]] = []

    async def program() -> None:
        lock = threading.Lock()

        def hold() -> None:
            with lock:
                time.sleep(1)

        def wait(timeout: float) -> None:
            got = lock.acquire(timeout=timeout)
            told.append(("waited", got, round(time.monotonic(), 3)))

        await run(hold, partial(_after, 0.1, partial(wait, 0.3)), partial(_after, 0.1, partial(wait, 5)))

    alone(program, RUNTIMES[run])

    assert [got for _, got, _ in told] == [False, True]
    assert [at for *_, at in told] == pytest.approx([0.4, 1], abs=0.01)


def test_a_reentrant_lock_counts_for_its_owner_and_keeps_others_out() -> None:
    log: list[str] = []

    async def program() -> None:
        lock = threading.RLock()

        def twice() -> None:
            with lock, lock:
                time.sleep(0.1)
            log.append("first")

        def once() -> None:
            assert not lock.acquire(blocking=False)
            with pytest.raises(RuntimeError, match="un-acquired"):
                lock.release()
            with lock:
                log.append("second")

        await on_trio(twice, partial(_after, 0.05, once))

    alone(program)

    assert log == ["first", "second"]


def test_events_conditions_semaphores_and_queues_work_between_threads() -> None:
    log: list[str] = []

    async def program() -> None:
        event, items, permits = threading.Event(), queue.Queue[str](maxsize=1), threading.Semaphore(1)

        def consume() -> None:
            assert event.wait(timeout=9)
            log.extend(items.get() for _ in range(3))

        def produce() -> None:
            event.set()
            for item in "abc":
                items.put(item)

        def guard() -> None:
            with permits:
                time.sleep(0.1)

        await on_trio(consume, partial(_after, 0.2, produce), guard, guard)
        log.append(f"{trio.current_time():.1f}")

    alone(program)

    assert log == ["a", "b", "c", "0.2"]


def test_the_event_loop_lets_a_thread_go_on() -> None:
    told: list[float] = []

    async def program() -> None:
        event = threading.Event()

        def wait() -> None:
            event.wait()
            told.append(round(time.monotonic(), 3))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, wait)
            await trio.sleep(0.5)
            event.set()

    alone(program)

    assert told == [0.5]


def test_a_thread_waits_for_a_coroutine_of_the_event_loop() -> None:
    told: list[object] = []

    async def program() -> None:
        loop = asyncio.get_running_loop()
        coroutine = asyncio.sleep(1, "slept")
        told.append(
            await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(coroutine, loop).result())
        )
        told.append(loop.time())

    alone(program, "asyncio")

    assert told == ["slept", pytest.approx(1, abs=0.001)]


@pytest.mark.parametrize("runtime", ["trio", "asyncio"])
def test_the_event_loop_that_waits_for_a_thread_stands_still(runtime: Runtime) -> None:
    log: list[Any] = []

    async def program() -> None:
        lock, items, event = threading.Lock(), queue.SimpleQueue[int](), threading.Event()

        def work() -> None:
            with lock:
                time.sleep(1)
            time.sleep(1)
            items.put(7)
            time.sleep(1)
            event.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert not event.wait(0.5)
        for wait in (lock.acquire, items.get, event.wait, thread.join):
            log.append((wait(), round(time.monotonic(), 3)))

    alone(program, runtime)

    assert log == [(True, 1), (7, 2), (True, 3), (None, 3)]


def test_no_task_runs_while_the_event_loop_waits_for_a_thread() -> None:
    log: list[float] = []

    async def tick() -> None:
        while True:
            await trio.sleep(0.1)
            log.append(round(trio.current_time(), 3))

    async def program() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            await trio.sleep(0.15)
            thread = threading.Thread(target=time.sleep, args=(1,))
            thread.start()
            thread.join()
            await trio.sleep(0.15)
            nursery.cancel_scope.cancel()

    alone(program)

    assert log == [0.1, 1.15, 1.25]


def test_an_event_loop_that_waits_for_itself_hangs_as_it_would() -> None:
    async def program() -> None:
        threading.Event().wait()

    with World(1) as world:
        process = world.machine("alone").start(program)
        world.run(until_s=9)

        assert not process.done


def test_times_in_semaphores_and_conditions_are_virtual() -> None:
    log: list[Any] = []

    def work() -> None:
        log.append(threading.Semaphore(0).acquire(timeout=1))
        condition = threading.Condition()
        with condition:
            log.append(condition.wait_for(lambda: False, timeout=1))
        log.append(round(time.monotonic(), 3))

    alone(lambda: on_trio(work))

    assert log == [False, False, 2]


def test_machines_do_not_share_a_lock_and_a_killed_process_holds_none() -> None:
    log: list[str] = []

    def hold() -> None:
        with MADE_EARLY:
            log.append("held")
            time.sleep(10)

    async def program() -> None:
        await on_trio(hold)

    with World(1) as world:
        one, two = world.machine("n1"), world.machine("n2")
        one.start(program)
        two.start(program)
        world.call_later(1, one.kill)
        world.call_later(2, one.restart)
        world.run(until_s=5)

    assert log == ["held"] * 3
    assert not MADE_EARLY.locked(), "outside of the world it is as it was"


def test_after_a_world_locks_are_those_of_python() -> None:
    before = vars(type(MADE_EARLY))["acquire"]

    alone(partial(trio.sleep, 0), "trio")

    assert vars(type(MADE_EARLY))["acquire"] is before
    with MADE_EARLY, REENTRANT, REENTRANT:
        assert MADE_EARLY.locked()


def _after(seconds: float, function: Callable[[], Any]) -> Any:
    time.sleep(seconds)
    return function()
