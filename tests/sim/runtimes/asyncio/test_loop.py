from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import os
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ostrakon.harness.sim import NotSimulated, World
from tests.sim.runtimes.asyncio.alone import run_alone

HOUR_S = 3600.0
POOL = concurrent.futures.ProcessPoolExecutor.__new__(concurrent.futures.ProcessPoolExecutor)


def test_an_hour_of_sleep_passes_at_once() -> None:
    async def program() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await asyncio.sleep(HOUR_S)
        return loop.time() - began_s

    assert run_alone(program) == pytest.approx(HOUR_S)


def test_what_is_to_be_called_soon_is_called_in_order() -> None:
    async def program() -> list[int]:
        called: list[int] = []
        for number in range(20):
            asyncio.get_running_loop().call_soon(called.append, number)
        await asyncio.sleep(1)
        return called

    assert all(run_alone(program, seed=seed) == list(range(20)) for seed in range(5))


def test_timers_are_called_by_their_times_and_those_of_one_instant_in_any_order() -> None:
    async def program() -> tuple[str, ...]:
        called: list[str] = []
        loop = asyncio.get_running_loop()
        at_s = loop.time() + 1
        for name in ("b1", "b2", "b3"):
            loop.call_at(at_s + 0.001, called.append, name)
        loop.call_at(at_s, called.append, "a")
        await asyncio.sleep(2)
        return tuple(called)

    orders = {run_alone(program, seed=seed) for seed in range(60)}

    assert {order[0] for order in orders} == {"a"}
    assert len(orders) == 6


def test_a_cancelled_timer_is_not_called_and_many_are_forgotten() -> None:
    async def program() -> tuple[list[str], int]:
        loop: Any = asyncio.get_running_loop()
        called: list[str] = []
        for _ in range(1000):
            loop.call_later(50, called.append, "cancelled").cancel()
        loop.call_later(60, called.append, "kept")
        left = len(loop.timers)
        await asyncio.sleep(100)
        return called, left

    called, left = run_alone(program)

    assert called == ["kept"]
    assert left < 250


def test_a_task_group_cancels_its_tasks_in_order() -> None:
    async def program() -> list[str]:
        ended: list[str] = []

        async def wait(name: str) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name)

        async def fail() -> None:
            raise ValueError("on purpose")

        async def run() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(10):
                    group.create_task(wait(str(number)))
                group.create_task(fail())

        with pytest.raises(ExceptionGroup):
            await run()
        return ended

    assert run_alone(program) == [str(number) for number in range(10)]


def test_a_timeout_is_raised_in_time() -> None:
    async def program() -> float:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return loop.time()

    assert run_alone(program) == pytest.approx(30)


def test_all_tasks_are_cancelled_and_generators_closed_when_the_program_is_over() -> None:
    ended: list[str] = []

    async def numbers(name: str) -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    kept: list[AsyncIterator[int]] = []

    async def program() -> None:
        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(5)
                ended.append("task")

        for number in range(5):
            kept.append(numbers(f"generator {number}"))
            await anext(kept[-1])
        kept.append(asyncio.create_task(forever()))  # type: ignore[arg-type]
        await asyncio.sleep(1)

    run_alone(program)

    assert ended == ["task", *(f"generator {number}" for number in range(5))]


def test_an_exception_that_nobody_takes_goes_to_the_exception_handler() -> None:
    async def program() -> list[str]:
        seen: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append(repr(context["exception"])))

        async def fail() -> None:
            raise ValueError("on purpose")

        task: Any = asyncio.create_task(fail())
        await asyncio.sleep(1)
        del task
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)
        return seen

    assert run_alone(program) == [
        "ValueError('on purpose')",
        "ZeroDivisionError('integer division or modulo by zero')",
    ]


def test_each_task_has_the_context_in_which_it_was_made() -> None:
    variable = contextvars.ContextVar("variable", default="outside")
    variable.set("set by the harness")

    async def program() -> list[str]:
        seen = [variable.get()]

        async def child(value: str) -> None:
            variable.set(value)
            await asyncio.sleep(1)
            seen.append(variable.get())

        await asyncio.gather(child("one"), child("two"))
        seen.append(variable.get())
        seen.append(await asyncio.to_thread(variable.get))
        return seen

    assert sorted(run_alone(program)) == ["one", "outside", "outside", "outside", "two"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in Python 3.12")
def test_eager_tasks_begin_where_they_are_made() -> None:
    async def program() -> list[str]:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        seen: list[str] = []

        async def child() -> None:
            seen.append("child")

        task = asyncio.create_task(child())
        seen.append("parent")
        await task
        return seen

    assert run_alone(program) == ["child", "parent"]


def test_debug_mode_refuses_what_it_should() -> None:
    async def program() -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        await asyncio.sleep(1)

        async def coroutine() -> None:
            pass

        with pytest.raises(TypeError, match="coroutines cannot be used"):
            loop.call_soon(coroutine)
        with pytest.raises(ValueError, match="non-blocking"):
            await loop.sock_recv(socket.socket(), 10)

    before = sys.get_coroutine_origin_tracking_depth()
    run_alone(program)

    assert sys.get_coroutine_origin_tracking_depth() == before


def test_a_program_can_stop_its_loop_and_that_is_an_error() -> None:
    async def program() -> None:
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="Event loop stopped before Future completed"):
        run_alone(program)


@pytest.mark.parametrize(("code", "error"), [(0, None), (3, SystemExit)])
def test_sys_exit_in_a_task_ends_the_process_and_others_may_clean_up(code: int, error: Any) -> None:
    ended: list[str] = []

    async def program() -> None:
        async def leave() -> None:
            sys.exit(code)

        asyncio.get_running_loop().create_task(leave())
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    if error is None:
        run_alone(program)
    else:
        with pytest.raises(error):
            run_alone(program)

    assert ended == ["cleaned up"]


def test_tasks_are_numbered_by_process() -> None:
    async def program() -> list[str]:
        async def child() -> None:
            await asyncio.sleep(1)

        children = [asyncio.create_task(child()) for _ in range(3)]
        names = [task.get_name() for task in asyncio.all_tasks()]
        await asyncio.gather(*children)
        return names

    assert [run_alone(program) for _ in range(2)] == [["Task-1", "Task-2", "Task-3", "Task-4"]] * 2


def test_as_completed_starts_coroutines_in_the_order_given() -> None:
    async def program() -> list[int]:
        began: list[int] = []

        async def child(number: int) -> int:
            began.append(number)
            return number

        for ended in asyncio.as_completed([child(number) for number in range(20)]):
            await ended
        return began

    assert run_alone(program) == list(range(20))


def test_a_function_in_an_executor_runs_in_another_thread_and_outside_of_the_loop() -> None:
    def work(number: int) -> tuple[int, str]:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        assert threading.get_ident() != threading.main_thread().ident
        return number + 1, threading.current_thread().name

    async def program() -> None:
        loop = asyncio.get_running_loop()
        for executor, name in (
            (None, "asyncio_0"),
            (concurrent.futures.ThreadPoolExecutor(), "ThreadPoolExecutor-0_0"),
        ):
            assert await loop.run_in_executor(executor, work, 1) == (2, name)
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        assert asyncio.get_running_loop() is loop

    run_alone(program)


def test_a_pool_of_one_thread_calls_one_function_after_the_other_and_initializes_first() -> None:
    log: list[object] = []

    def work(number: int) -> None:
        log.append(number)
        time.sleep(1)
        log.append(number)

    async def program() -> None:
        loop = asyncio.get_running_loop()
        with concurrent.futures.ThreadPoolExecutor(1, initializer=lambda: log.append("begins")) as pool:
            await asyncio.gather(*(loop.run_in_executor(pool, work, number) for number in range(2)))
        assert loop.time() == pytest.approx(2, abs=0.01)
        with pytest.raises(RuntimeError, match="after shutdown"):
            loop.run_in_executor(pool, work, 3)

    run_alone(program)

    assert log == ["begins", 0, 0, 1, 1]


def test_the_default_pool_has_as_many_threads_as_on_a_host_with_one_processor() -> None:
    async def program() -> float:
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 1) for _ in range(6)))
        return asyncio.get_running_loop().time()

    assert run_alone(program) == pytest.approx(2, abs=0.01), "five functions, and then the sixth"


def test_a_program_ends_after_the_threads_of_its_default_pool() -> None:
    log: list[str] = []

    def work() -> None:
        time.sleep(1)
        log.append("done")

    async def program() -> None:
        asyncio.get_running_loop().run_in_executor(None, work)

    run_alone(program)

    assert log == ["done"]


def test_a_program_that_is_an_ordinary_function_waits_for_its_threads() -> None:
    log: list[object] = []

    def work() -> None:
        time.sleep(1)
        log.append("thread")

    def program() -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        log.append(threading.current_thread() is threading.main_thread())

    run_alone(program)

    assert log == ["thread", True]


def test_a_function_in_an_executor_takes_as_long_as_the_disk_it_syncs() -> None:
    def save() -> None:
        with open("log", "wb") as file:
            file.write(b"record")
            file.flush()
            os.fsync(file.fileno())

    async def program() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await asyncio.to_thread(save)
        return loop.time() - began_s

    assert 0.0002 <= run_alone(program) < 1


def test_signals_are_handled_by_the_loop() -> None:
    stopped_s: list[float] = []

    async def program() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        stopped_s.append(loop.time())
        assert loop.remove_signal_handler(signal.SIGTERM)
        assert not loop.remove_signal_handler(signal.SIGTERM)
        with pytest.raises(RuntimeError, match="cannot be caught"):
            loop.add_signal_handler(signal.SIGKILL, stop.set)

    before = signal.getsignal(signal.SIGTERM)
    with World(1) as world:
        machine = world.machine("alone")
        process = machine.start(program)
        world.call_later(7, machine.stop)
        world.run()

    assert stopped_s == [7]
    assert process.state == "ended", process.error
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_program_without_a_handler_is_cancelled_by_sigterm() -> None:
    ended: list[str] = []

    async def program() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    with World(1) as world:
        machine = world.machine("alone")
        process = machine.start(program)
        world.call_later(7, machine.stop)
        world.run()

    assert (process.state, ended) == ("ended", ["cleaned up"])


async def _exec() -> None:
    await asyncio.create_subprocess_exec("true")


async def _shell() -> None:
    await asyncio.create_subprocess_shell("true")


async def _processes() -> None:
    await asyncio.get_running_loop().run_in_executor(POOL, print)


async def _second_loop() -> None:
    asyncio.new_event_loop()


async def _second_run() -> None:
    await asyncio.to_thread(lambda: asyncio.run(asyncio.sleep(1)))


async def _nested_run() -> None:
    # What nest_asyncio does first.
    hasattr(asyncio.get_running_loop(), "_nest_patched")


async def _pipe() -> None:
    await asyncio.get_running_loop().connect_read_pipe(asyncio.Protocol, sys.stdin)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize(
    ("program", "told"),
    [
        (_exec, "start another machine"),
        (_shell, "start another machine"),
        (_processes, "a pool of threads"),
        (_second_loop, "one event loop"),
        (_second_run, "one event loop"),
        (_nested_run, "nest_asyncio"),
        (_pipe, "a connection or a queue"),
    ],
)
def test_what_is_not_simulated_is_refused_with_the_way_out(program: Any, told: str) -> None:
    with pytest.raises(NotSimulated, match=told):
        run_alone(program)
    gc.collect()


@pytest.mark.parametrize(("package", "name"), [("uvloop", "install"), ("nest_asyncio", "apply")])
def test_other_loops_are_refused_by_name(package: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType(package)
    setattr(module, name, lambda: None)
    monkeypatch.setitem(sys.modules, package, module)

    async def program() -> None:
        getattr(module, name)()

    with pytest.raises(NotSimulated, match=rf"{package}\.{name}\(\)"):
        run_alone(program)


def test_a_loop_that_goes_round_and_round_is_a_livelock() -> None:
    async def program() -> None:
        while True:
            await asyncio.sleep(0)

    with World(1) as world:
        world.passes_max = 5_000
        process = world.machine("alone").start(program)
        world.run()

        assert world.livelocked is process


# Programs that are ordinary functions and run an event loop themselves.


async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return asyncio.get_running_loop().time()


def test_a_program_may_call_asyncio_run_one_time_after_another() -> None:
    def program() -> list[float]:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return [asyncio.run(nap(10)), asyncio.run(nap(5))]

    assert run_alone(program) == pytest.approx([10, 15])


def test_a_program_may_use_a_runner() -> None:
    def program() -> tuple[float, int]:
        with asyncio.Runner(debug=True) as runner:
            runner.run(nap(1))
            time.sleep(5)
            return runner.run(nap(1)), len(asyncio.all_tasks(runner.get_loop()))

    assert run_alone(program) == (pytest.approx(7), 0)


def test_a_program_may_run_a_loop_until_it_is_stopped() -> None:
    def program() -> float:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.call_later(3, loop.stop)
        loop.run_forever()
        stopped_s = loop.time()
        loop.close()
        return stopped_s

    assert run_alone(program) == pytest.approx(3)


def test_a_program_that_runs_a_loop_itself_serves_is_killed_and_restarted() -> None:
    starts: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(10))
        writer.close()

    async def main() -> None:
        starts.append(asyncio.get_running_loop().time())
        async with await asyncio.start_server(serve, "0.0.0.0", 4000) as server:
            await server.serve_forever()

    async def client() -> list[bytes]:
        answers = []
        for _ in range(2):
            await asyncio.sleep(2)
            reader, writer = await asyncio.open_connection("server", 4000)
            writer.write(b"hello")
            answers.append(await reader.read())
            writer.close()
        return answers

    with World(1) as world:
        server = world.machine("server")
        killed = server.start(lambda: asyncio.run(main()))
        process = world.machine("client").start(client)
        world.call_later(3, server.restart)
        world.run(stop=lambda: process.done)

    assert process.value == [b"hello", b"hello"]
    assert starts == [0, 3]
    assert killed.state == "killed"
    assert killed.unwound


def test_what_asyncio_run_raises_goes_through_the_program() -> None:
    async def fail() -> None:
        raise ValueError("on purpose")

    async def leave() -> None:
        sys.exit(3)

    def program() -> None:
        with pytest.raises(ValueError, match="on purpose"):
            asyncio.run(fail())
        with pytest.raises(SystemExit):
            asyncio.run(leave())
        asyncio.run(fail())

    with pytest.raises(ValueError, match="on purpose"):
        run_alone(program)


def test_a_loop_within_a_loop_is_an_error_as_ever() -> None:
    async def nested() -> None:
        coroutine = nap(1)
        with pytest.raises(RuntimeError, match=r"cannot be called from a running event loop"):
            asyncio.run(coroutine)
        with pytest.raises(RuntimeError, match="already running"):
            asyncio.get_running_loop().run_until_complete(coroutine)
        coroutine.close()

    run_alone(nested)
    run_alone(lambda: asyncio.run(nested()))
