"""Lines of streams and segments that catch up: quicker than asyncio's own and the system's, and the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.harness.sim import Constant, Latency, Machine, Uniform, World
from ostrakon.harness.sim.runtimes.asyncio import patches

CHUNKS = st.lists(st.text("ab\n", max_size=6).map(str.encode), max_size=8)


def lines(readline: Callable[..., object], chunks: list[bytes], limit: int) -> list[object]:
    """What reading gives, line by line, while chunks come one at a time."""

    async def program() -> list[object]:
        reader, seen = asyncio.StreamReader(limit=limit), []

        async def feed() -> None:
            for chunk in chunks:
                reader.feed_data(chunk)
                await asyncio.sleep(0)
            reader.feed_eof()

        feeding = asyncio.create_task(feed())
        while not reader.at_eof():
            try:
                seen.append(await readline(reader))  # type: ignore[misc]
            except ValueError as error:
                seen.append(str(error))
        await feeding
        return [*seen, bytes(reader._buffer)]  # type: ignore[attr-defined]

    return asyncio.run(program())


@settings(deadline=None, max_examples=200)
@given(CHUNKS, st.integers(1, 8))
def test_lines_are_those_of_asyncios_own_readline(chunks: list[bytes], limit: int) -> None:
    assert lines(patches.readline, chunks, limit) == lines(asyncio.StreamReader.readline, chunks, limit)


def test_a_reader_with_an_exception_raises_it() -> None:
    async def program() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(b"line\n")
        reader.set_exception(ConnectionResetError())
        await patches.readline(reader)

    with pytest.raises(ConnectionResetError):
        asyncio.run(program())


def received(latency: Latency, cut: bool) -> tuple[list[bytes], World]:
    """What a server reads of 50 lines that a client sends at once, over a link that may be cut meanwhile."""
    seen: list[bytes] = []

    async def server() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                seen.append(line)

        await asyncio.start_server(serve, "server", 4000)
        await asyncio.Event().wait()

    async def client() -> None:
        await asyncio.sleep(0.1)
        _, writer = await asyncio.open_connection("server", 4000)
        for number in range(50):
            writer.write(b"%d\n" % number)
            await writer.drain()
        await asyncio.Event().wait()

    with World(3, latency=latency) as world:
        machines: dict[str, Machine] = {name: world.machine(name) for name in ("server", "client")}
        machines["server"].start(server, runtime="asyncio")
        machines["client"].start(client, runtime="asyncio")
        world.run(until_s=0.2, stop=lambda: world.network.sent("client", "server") == 50)
        if cut:
            grudge = world.network.cut({"server": ["client"]})
            world.run(until_s=1)
            assert seen == []
            world.network.mend(grudge)
        world.run(until_s=10)
    return seen, world


@pytest.mark.parametrize(
    ("latency", "cut"),
    [(Uniform(1, 20), False), (Uniform(1, 20), True), (Constant(5), True), (Constant(0), False)],
)
def test_segments_that_catch_up_arrive_together_in_order_and_each_is_counted(
    latency: Latency, cut: bool
) -> None:
    seen, world = received(latency, cut)

    assert seen == [b"%d\n" % number for number in range(50)]
    link = world.network.link("client", "server")
    assert link.sent == 50
    assert link.delivered >= 50
