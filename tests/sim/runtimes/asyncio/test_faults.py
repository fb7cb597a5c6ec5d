"""Whatever can be done to a process can be done to one that runs asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from ostrakon import sometimes
from ostrakon.harness.sim import ChoiceLog, DelayBounded, PriorityChanges, World, check_determinism
from ostrakon.harness.sim.kernel.watchdog import EndlessLoop
from ostrakon.harness.substrates.runtime import Runtime

PORT = 4000


async def beat(seen: list[float]) -> None:
    """Note the time of the loop ten times a second."""
    while True:
        seen.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.1)


def test_a_stopped_process_stands_still_and_then_goes_on() -> None:
    seen: list[float] = []
    with World(1) as world:
        machine = world.machine("alone")
        machine.start(lambda: beat(seen))
        world.call_later(1.05, machine.pause)
        world.call_later(8.05, machine.resume)
        world.run(until_s=10)

    assert [round(time_s, 2) for time_s in seen if 1 < time_s < 8.2] == [1.0, 8.05, 8.15]


def test_what_arrived_while_it_was_stopped_is_seen_before_time_outs_that_expired() -> None:
    async def server() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.read(10))
            writer.close()

        async with await asyncio.start_server(answer, "0.0.0.0", PORT) as serving:
            await serving.serve_forever()

    async def client() -> bytes:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("server", PORT)
        writer.write(b"hello")
        try:
            async with asyncio.timeout(1):
                return await reader.read(10)
        finally:
            writer.close()

    with World(1) as world:
        world.machine("server").start(server)
        machine = world.machine("client")
        process = machine.start(client)
        world.call_later(0.107, machine.pause)
        world.call_later(9, machine.resume)
        world.run(stop=lambda: process.done)

    assert process.value == b"hello"


def test_a_killed_process_runs_not_another_line_and_its_peers_hear_of_it() -> None:
    ended: list[str] = []
    heard: list[str] = []

    async def server() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.read()
            finally:
                ended.append("a finally ran" if not world.closing else "unwound")

        async with await asyncio.start_server(serve, "0.0.0.0", PORT) as serving:
            await serving.serve_forever()

    async def client() -> None:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("server", PORT)
        try:
            assert not await reader.read()
            heard.append("end")
        except ConnectionResetError:
            heard.append("reset")
        writer.close()
        await asyncio.sleep(1)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("server", PORT)
        heard.append("refused")

    with World(1) as world:
        machine = world.machine("server")
        killed = machine.start(server)
        process = world.machine("client").start(client)
        world.call_later(1, machine.kill)
        world.run(stop=lambda: process.done)
        assert killed.state == "killed"
        assert ended == []

    assert process.error is None
    assert heard == ["end", "refused"]
    assert ended == ["unwound"]


def test_a_program_that_clings_to_life_is_unwound_all_the_same() -> None:
    async def stubborn() -> None:
        for _ in range(5):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    with World(1) as world:
        machine = world.machine("alone")
        process = machine.start(stubborn)
        world.call_later(1, machine.kill)
        world.run(until_s=2)

    assert process.unwound


@pytest.mark.parametrize("is_synced", [False, True])
def test_what_was_synced_survives_a_power_failure(is_synced: bool) -> None:
    def save(record: bytes) -> None:
        with open("log", "ab") as file:
            file.write(record)
            file.flush()
            if is_synced:
                os.fsync(file.fileno())

    async def program() -> None:
        if not Path("log").exists():
            await asyncio.to_thread(save, b"record")
            await asyncio.Event().wait()

    survived = set()
    for seed in range(20):
        with World(seed) as world:
            machine = world.machine("alone")
            machine.start(program)
            world.run(until_s=1)
            machine.power_off()
            try:
                survived.add(bytes(machine.disk.content("log")))
            except FileNotFoundError:
                survived.add(b"")

    assert survived == {b"record"} if is_synced else b"" in survived


def test_loop_time_follows_the_clock_of_the_machine() -> None:
    seen: dict[str, list[float]] = {"fast": [], "frozen": []}

    async def program(name: str) -> None:
        for _ in range(3):
            await asyncio.sleep(10)
            seen[name].append(world.now_s)

    with World(1) as world:
        for name in seen:
            world.machine(name).start(partial(program, name))
        world.machines["fast"].clock.set_rate(2.0)
        world.call_later(15, world.machines["frozen"].clock.freeze)
        world.call_later(115, world.machines["frozen"].clock.thaw)
        world.run(until_s=200)

    assert seen["fast"] == pytest.approx([5, 10, 15])
    assert seen["frozen"] == pytest.approx([10, 120, 130])


def test_a_clock_that_is_set_back_moves_no_time_out() -> None:
    async def program() -> tuple[float, float]:
        before = time.time()
        await asyncio.sleep(10)
        return asyncio.get_running_loop().time(), time.time() - before

    with World(1) as world:
        machine = world.machine("alone")
        process = machine.start(program)
        world.call_later(5, machine.clock.step, -3600)
        world.run()

    assert process.value == (pytest.approx(10), pytest.approx(10 - 3600))


def test_it_can_die_at_every_await() -> None:
    def steps(crash_at: int | None) -> list[str]:
        done: list[str] = []

        async def step(name: str) -> None:
            for number in range(3):
                done.append(f"{name}{number}")
                await asyncio.sleep(0.1)

        async def program() -> None:
            async with asyncio.TaskGroup() as group:
                for name in "ab":
                    group.create_task(step(name))

        with World(1) as world:
            process = world.machine("alone").start(program)
            if crash_at is not None:
                process.crash_at(crash_at)
            world.run()
            assert process.state == ("ended" if crash_at is None else "killed")
            return list(done)

    whole = steps(None)
    prefixes = [steps(crash_at) for crash_at in range(1, 8)]

    assert all(prefix == whole[: len(prefix)] for prefix in prefixes)
    assert [len(prefix) for prefix in prefixes] == sorted(len(prefix) for prefix in prefixes)
    assert len({len(prefix) for prefix in prefixes}) > 2


def test_it_can_be_restarted_and_keeps_its_files() -> None:
    async def program() -> None:
        with open("starts", "a") as file:
            file.write("x")
        await asyncio.Event().wait()

    with World(1) as world:
        machine = world.machine("alone")
        machine.start(program)
        for second in (1, 2, 3):
            world.call_later(second, machine.restart)
        world.run(until_s=4)
        assert machine.disk.content("starts") == b"xxxx"


def test_rare_branches_are_taken() -> None:
    async def program() -> int:
        return sum(sometimes("branch") for _ in range(100))

    def taken(seed: int) -> int:
        with World(seed, buggify=0.5) as world:
            process = world.machine("alone").start(program, runtime="asyncio")
            world.run()
            return int(process.value)

    counts = [taken(seed) for seed in range(20)]

    assert 0 in counts
    assert any(counts)


def test_a_program_that_computes_for_ever_is_ended_where_it_is() -> None:
    async def program() -> None:
        await asyncio.sleep(1)
        while True:
            pass

    with World(1) as world:
        world.cpu_limit_s = 0.2
        process = world.machine("alone").start(program)
        world.run()

    assert isinstance(process.error, EndlessLoop)


# Schedules.


def orders(runtime: Runtime, schedule: Callable[[random.Random], Any] | None = None) -> set[str]:
    """The orders in which three tasks are seen to go on that were woken together."""

    async def program() -> str:
        order: list[str] = []
        go = asyncio.Event()

        async def step(name: str) -> None:
            await go.wait()
            order.append(name)

        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(step(name))
            await asyncio.sleep(1)
            go.set()
        return "".join(order)

    seen = set()
    for seed in range(40):
        rng = random.Random(seed)
        with World(seed, schedule=schedule(rng) if schedule is not None else None) as world:
            process = world.machine("alone").start(program, runtime=runtime)
            world.run()
            seen.add(str(process.value))
    return seen


def test_tasks_go_on_in_the_order_of_their_wake_ups() -> None:
    assert orders("asyncio") == {"abc"}


def test_shuffled_tasks_go_on_in_any_order() -> None:
    assert len(orders("asyncio-shuffle")) == 6
    assert len(orders("asyncio-shuffle", lambda rng: PriorityChanges(rng, horizon=10))) == 6
    assert len(orders("asyncio-shuffle", lambda rng: DelayBounded(rng, horizon=10))) > 1


def test_shuffling_leaves_callbacks_in_their_order() -> None:
    async def program() -> list[int]:
        called: list[int] = []

        async def task() -> None:
            for _ in range(10):
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(task())
                asyncio.get_running_loop().call_soon(called.append, number)
        return called

    for seed in range(10):
        with World(seed) as world:
            process = world.machine("alone").start(program, runtime="asyncio-shuffle")
            world.run()
            assert process.value == list(range(20))


# Determinism.


def simulate(choices: ChoiceLog, payload: Callable[[], Awaitable[bytes]]) -> None:
    async def server() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(100):
                writer.write(data)
            writer.close()

        async with await asyncio.start_server(serve, "0.0.0.0", PORT) as serving:
            await serving.serve_forever()

    async def client() -> None:
        await asyncio.sleep(0.1)
        _, writer = await asyncio.open_connection("server", PORT)
        for _ in range(3):
            writer.write(await payload())
            await asyncio.sleep(1)
        writer.close()

    with World(1, choice_log=choices) as world:
        world.machine("server").start(server)
        process = world.machine("client").start(client, runtime="asyncio")
        world.run(stop=lambda: process.done)


def test_a_program_that_is_deterministic_makes_the_same_choices() -> None:
    async def drawn() -> bytes:
        return random.randbytes(10)

    assert check_determinism(lambda choices: simulate(choices, drawn)) is None


def test_a_payload_that_differs_is_caught_where_it_is_sent() -> None:
    counter = iter(range(100))

    async def differing() -> bytes:
        return b"%d" % next(counter)

    diverged = check_determinism(lambda choices: simulate(choices, differing))

    assert diverged is not None
    assert "in client" in str(diverged)
    assert "send client server" in str(diverged)


def test_who_waits_for_whom_is_told() -> None:
    async def keep_waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(100)
        writer.close()

    async def server() -> None:
        async with await asyncio.start_server(keep_waiting, "0.0.0.0", PORT) as serving:
            await serving.serve_forever()

    async def client() -> None:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("server", PORT)
        await reader.readline()
        writer.close()

    with World(1) as world:
        world.machine("server").start(server)
        world.machine("client").start(client)
        world.run(until_s=10)
        waiting = [one for one in world.waiting() if one.machine == "client"]

    assert [(one.peer, one.frames[-1].split(" in ")[1]) for one in waiting] == [("server", "client")]


# What is left behind.


def test_nothing_of_a_world_is_left_for_the_loops_of_others() -> None:
    import sniffio

    seen: list[str] = []

    async def on_asyncio() -> None:
        seen.append(sniffio.current_async_library())
        await asyncio.sleep(1)
        with pytest.raises(RuntimeError):
            trio.lowlevel.current_task()

    async def on_trio() -> None:
        seen.append(sniffio.current_async_library())
        await trio.sleep(1)
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()

    with World(1) as world:
        for name, program in (("a", on_asyncio), ("b", on_trio)):
            world.machine(name).start(program, runtime="asyncio" if program is on_asyncio else "trio")
        world.run()
        assert not world.crashes, world.crashes[0].traceback

    assert sorted(seen) == ["asyncio", "trio"]
    with pytest.raises(sniffio.AsyncLibraryNotFoundError):
        sniffio.current_async_library()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()

    async def outside() -> str:
        await asyncio.to_thread(time.sleep, 0)
        return asyncio.current_task().get_name()[:4]  # type: ignore[union-attr]

    assert asyncio.run(outside()) == "Task"
    trio.run(trio.sleep, 0)


def test_a_world_runs_within_an_event_loop_of_asyncio() -> None:
    async def program() -> float:
        await asyncio.sleep(60)
        return asyncio.get_running_loop().time()

    async def outside() -> float:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        with World(1) as world:
            process = world.machine("alone").start(program)
            world.run()
        assert (asyncio.get_running_loop(), asyncio.current_task()) == (loop, task)
        await asyncio.sleep(0)
        return float(process.value)

    assert asyncio.run(outside()) == 60


async def test_a_world_is_closed_within_a_run_of_trio() -> None:
    async def program() -> None:
        await asyncio.Event().wait()

    with World(1) as world:
        world.machine("alone").start(program, runtime="asyncio")
        world.run(until_s=1)

    await trio.sleep(0)
    assert trio.lowlevel.current_task() is not None


def test_a_killed_process_leaves_no_complaints(capfd: pytest.CaptureFixture[str]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()

    async def server() -> None:
        async with await asyncio.start_server(serve, "0.0.0.0", PORT) as serving:
            await serving.serve_forever()

    async def client() -> None:
        await asyncio.sleep(0.1)
        streams = [await asyncio.open_connection("server", PORT) for _ in range(5)]
        asyncio.get_running_loop().create_task(asyncio.sleep(1000))
        await streams[0][0].read()
        await asyncio.Event().wait()

    with World(1) as world:
        for name, program in (("server", server), ("client", client)):
            world.machine(name).start(program)
            world.call_later(1, world.machines[name].kill)
        world.run(until_s=2)
    del world
    gc.collect()

    assert capfd.readouterr() == ("", "")


# What a workload gives its programs.


def test_the_disk_of_a_site_is_used_from_asyncio() -> None:
    async def program(disk: Any) -> tuple[bytes, float]:
        await disk.append("log", b"one")
        await disk.sync("log")
        await disk.replace("other", b"two")
        assert await disk.list() == ["log", "other"]
        sync = asyncio.create_task(disk.sync("log"))
        await asyncio.sleep(0)
        sync.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sync
        return await disk.read("log"), asyncio.get_running_loop().time()

    with World(1) as world:
        machine = world.machine("alone")
        process = machine.start(lambda: program(machine.disk))
        world.run()

    assert process.error is None
    content, time_s = process.value
    assert content == b"one"
    assert time_s > 3 * 0.0002


def test_messages_reach_the_mailbox_of_an_asyncio_process() -> None:
    async def echo(world: World) -> None:
        mailbox = world.machines["echo"].process.mailbox  # type: ignore[union-attr]
        while True:
            sender, message = await mailbox.receive()
            mailbox.send(sender, message.upper())

    async def ask(world: World) -> list[Any]:
        mailbox = world.machines["asker"].process.mailbox  # type: ignore[union-attr]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await mailbox.receive()
        for word in ("one", "two"):
            mailbox.send("echo", word)
        return sorted([await mailbox.receive() for _ in range(2)])

    with World(1) as world:
        world.machine("echo").start(lambda: echo(world), runtime="asyncio")
        process = world.machine("asker").start(lambda: ask(world), runtime="asyncio")
        world.run(stop=lambda: process.done)

    assert process.error is None
    assert process.value == [("echo", "ONE"), ("echo", "TWO")]
