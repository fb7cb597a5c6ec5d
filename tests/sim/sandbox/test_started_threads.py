"""Threads that a program starts itself run on virtual time, in Trio and asyncio programs."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
import trio

from ostrakon.harness.sim import World
from ostrakon.harness.substrates.runtime import Runtime
from tests.sim.sandbox.test_locks import alone


def _worker(log: list[Any], name: str, seconds: float) -> None:
    time.sleep(seconds)
    log.append((threading.current_thread().name, round(time.monotonic(), 3)))


@pytest.mark.parametrize("runtime", ["trio", "asyncio"])
def test_a_started_thread_runs_beside_the_event_loop(runtime: Runtime) -> None:
    log: list[Any] = []

    async def program() -> None:
        thread = threading.Thread(target=_worker, args=(log, "w", 1.0), name="worker")
        thread.start()
        assert thread.is_alive()
        await _sleep(runtime, 0.5)
        log.append("loop")
        await _sleep(runtime, 1)
        assert not thread.is_alive()
        thread.join()
        with pytest.raises(RuntimeError, match="once"):
            thread.start()

    alone(program, runtime)

    assert log == ["loop", ("worker", 1.0)]


async def _sleep(runtime: Runtime, seconds: float) -> None:
    await (trio.sleep(seconds) if runtime == "trio" else asyncio.sleep(seconds))


@pytest.mark.parametrize("runtime", ["trio", "asyncio"])
def test_threads_start_and_join_threads_and_hand_on_items(runtime: Runtime) -> None:
    log: list[Any] = []

    def main() -> None:
        items: queue.SimpleQueue[int] = queue.SimpleQueue()
        consumer = threading.Thread(target=lambda: log.extend(items.get() for _ in range(3)))
        consumer.start()
        for item in range(3):
            time.sleep(0.1)
            items.put(item)
        consumer.join()
        log.append(round(time.monotonic(), 3))
        with pytest.raises(queue.Empty):
            items.get(timeout=0.5)

    async def program() -> None:
        threading.Thread(target=main).start()
        await _sleep(runtime, 2)

    alone(program, runtime)

    assert log == [0, 1, 2, pytest.approx(0.3, abs=0.001)]


@pytest.mark.parametrize("runtime", ["trio", "asyncio"])
def test_a_pool_of_threads_works(runtime: Runtime) -> None:
    log: list[Any] = []

    async def program() -> None:
        pool = ThreadPoolExecutor(2)
        futures = [pool.submit(time.sleep, 0.2) for _ in range(4)]
        await _sleep(runtime, 0.3)
        log.append([future.done() for future in futures])
        await _sleep(runtime, 0.3)
        log.append([future.done() for future in futures])
        pool.shutdown(wait=False)

    alone(program, runtime)

    assert log == [[True, True, False, False], [True] * 4]


def test_a_timer_fires_and_can_be_cancelled() -> None:
    log: list[Any] = []

    async def program() -> None:
        threading.Timer(1, log.append, args=["fired"]).start()
        late = threading.Timer(2, log.append, args=["never"])
        late.start()
        await trio.sleep(1.5)
        late.cancel()
        await trio.sleep(1)

    alone(program)

    assert log == ["fired"]


def test_threads_of_anyio_on_asyncio_work() -> None:
    told: list[Any] = []

    async def program() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(anyio.to_thread.run_sync, time.sleep, 0.5)
        told.append(round(asyncio.get_running_loop().time(), 3))

    alone(program, "asyncio")

    assert told == [0.5]


def test_an_error_in_a_thread_ends_the_thread_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_type))

    async def program() -> None:
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        await trio.sleep(1)
        assert not thread.is_alive()

    alone(program)

    assert told == [ZeroDivisionError]


MADE_EARLY = threading.local()


def test_each_thread_has_its_own_local_values() -> None:
    log: list[Any] = []

    def write(held: Any, value: int) -> None:
        held.value = value
        time.sleep(1)
        log.append(held.value)

    async def program() -> None:
        for held in (MADE_EARLY, threading.local()):
            for value in (1, 2):
                threading.Thread(target=write, args=(held, value)).start()
            await trio.sleep(2)
            assert not hasattr(held, "value")

    alone(program)

    assert sorted(log[:2]) == sorted(log[2:]) == [1, 2]
    assert not hasattr(MADE_EARLY, "value")


def test_a_killed_process_runs_no_other_line_of_its_threads() -> None:
    log: list[float] = []

    def beat() -> None:
        while True:
            time.sleep(1)
            log.append(round(time.monotonic()))

    async def program() -> None:
        threading.Thread(target=beat, daemon=True).start()
        await trio.sleep_forever()

    with World(1) as world:
        machine = world.machine("n1")
        machine.start(program)
        world.call_later(2.5, machine.kill)
        world.run(until_s=9)

    assert log == [1, 2]


def test_a_daemon_ends_with_its_program() -> None:
    async def program() -> None:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        await trio.sleep(1)

    with World(1) as world:
        process = world.machine("n1").start(program)
        world.run(stop=lambda: process.done)

        assert world.now_s < 2


@pytest.mark.parametrize("runtime", ["trio", "asyncio"])
def test_a_pool_is_shut_down_in_the_event_loop(runtime: Runtime) -> None:
    async def program() -> None:
        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(time.sleep, 1) for _ in range(3)]
        assert all(future.done() for future in futures)
        assert time.monotonic() == pytest.approx(2, abs=0.01)

    alone(program, runtime)


def test_names_and_numbers_of_threads_are_those_of_the_process() -> None:
    told: list[list[Any]] = []

    def seen() -> list[Any]:
        thread = threading.current_thread()
        assert thread.ident == threading.get_ident()
        return [thread.name, thread.ident, threading.get_native_id(), repr(thread), thread.daemon]

    async def program() -> None:
        made: list[Any] = []
        thread = threading.Thread(target=lambda: made.append(seen()))
        thread.start()
        await trio.sleep(1)
        in_thread = await trio.to_thread.run_sync(seen)
        told.append([seen(), *made, in_thread, threading.active_count(), len(threading.enumerate())])

    for _ in range(2):
        alone(program)

    assert told[0] == told[1]
    assert told[0][1][0] == "Thread-1 (<lambda>)"
    assert told[0][2][0].startswith("seen from tests.sim.sandbox")
    assert len({ident for _, ident, *_ in told[0][:3]}) == 3


def test_the_main_thread_is_alive_during_and_after_a_world() -> None:
    async def program() -> None:
        assert threading.main_thread().is_alive()
        unstarted = threading.Thread(target=print)
        assert not unstarted.is_alive()
        with pytest.raises(RuntimeError, match="before it is started"):
            unstarted.join()
        with pytest.raises(RuntimeError, match="current thread"):
            threading.current_thread().join()

    alone(program)

    assert threading.main_thread().is_alive(), "the interpreter would not wait for its threads at its end"
