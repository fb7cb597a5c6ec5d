"""The examples with which other simulators of asyncio introduce themselves, written anew for ours.

Their nodes use asyncio alone: detangle's orders, simloop's two clients of a counter and its audit, simloom's
counter in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from ostrakon.harness.sim import World
from ostrakon.harness.substrates.latency import Uniform
from ostrakon.harness.substrates.runtime import Runtime

PORT = 8080


def alone(program: Callable[[], Awaitable[Any]], seed: int, runtime: Runtime = "asyncio") -> Any:
    """What the program returns on a machine of its own."""
    with World(seed) as world:
        process = world.machine("alone").start(program, runtime=runtime)
        world.run(stop=lambda: process.done)
        assert process.error is None
        return process.value


def test_two_writes_that_take_equally_long_end_in_either_order() -> None:
    """An order is shipped before it is created."""

    async def lifecycle() -> str:
        events: list[str] = []

        async def write(event: str) -> None:
            await asyncio.sleep(0.005)
            events.append(event)

        await asyncio.gather(write("created"), write("shipped"))
        return events[0]

    firsts = [alone(lifecycle, seed) for seed in range(20)]

    assert 5 <= firsts.count("shipped") <= 15, "timers of one instant are in the order of the schedule"


def test_two_clients_that_read_and_then_write_a_counter_lose_an_update() -> None:
    """The second client begins 100 ms after the first, whose two calls may take longer than that."""

    def counted(seed: int) -> int:
        count = 0

        async def serve() -> None:
            async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                nonlocal count
                line = await reader.readline()
                if line == b"get\n":
                    writer.write(b"%d\n" % count)
                else:
                    count = int(line)
                    writer.write(b"ok\n")
                writer.close()

            async with await asyncio.start_server(handle, port=PORT) as server:
                await server.serve_forever()

        async def call(line: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("counter", PORT)
            writer.write(line)
            reply = await reader.readline()
            writer.close()
            return reply

        async def increment(start_s: float) -> None:
            await asyncio.sleep(start_s)
            seen = int(await call(b"get\n"))
            await call(b"%d\n" % (seen + 1))

        with World(seed, latency=Uniform(1, 50)) as world:
            world.machine("counter").start(serve)
            clients = [
                world.machine(name).start(partial(increment, start_s), runtime="asyncio")
                for name, start_s in (("a", 1.0), ("b", 1.1))
            ]
            world.run(stop=lambda: all(client.done for client in clients))
        assert all(client.error is None for client in clients)
        return count

    counts = [counted(seed) for seed in range(30)]

    assert set(counts) == {1, 2}


@pytest.mark.parametrize("runtime", ["asyncio", "asyncio-shuffle"])
def test_callbacks_of_call_soon_keep_their_order(runtime: Runtime) -> None:
    """simloop finds an audit that runs before the deposit; asyncio promises that this never happens."""

    async def audited() -> list[int]:
        loop = asyncio.get_running_loop()
        balance, seen = [0], list[int]()
        background = [asyncio.create_task(asyncio.sleep(0.001)) for _ in range(3)]
        await asyncio.sleep(0.001)
        loop.call_soon(lambda: balance.append(1))
        loop.call_soon(lambda: seen.append(balance[-1]))
        await asyncio.gather(*background)
        await asyncio.sleep(0)
        return seen

    assert all(alone(audited, seed, runtime) == [1] for seed in range(20))


def test_workers_that_wait_between_reading_and_writing_lose_updates() -> None:
    """That needs no search: it shows in the order in which asyncio runs tasks, too."""

    async def total() -> int:
        value = 0

        async def work() -> None:
            nonlocal value
            for _ in range(3):
                current = value
                await asyncio.sleep(0)
                value = current + 1

        await asyncio.gather(*(work() for _ in range(3)))
        return value

    assert [alone(total, seed) for seed in range(3)] == [3, 3, 3]
