"""Programs from the package index, with the little it takes to use them: nobody wrote them for a simulator.

Run as a program with the names of a pair and of a fault, it prints what became of it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from ostrakon.harness.sim import World
from tests.sim.toy_redis import toy_redis

Log = list[object]
Program = Callable[[Log], Awaitable[None]]
Faults = Callable[[World], None]


def told(server: Program, client: Program, faults: Faults) -> tuple[Log, str]:
    """What both sides log, and the digest."""
    log: Log = []
    with World(7) as world:
        world.machine("server").start(lambda: server(log))
        process = world.machine("client").start(lambda: client(log))
        faults(world)
        world.run(until_s=120, stop=lambda: process.done)
        for crash in world.crashes:
            raise crash.error
        assert process.done
        return log, world.digest


# What happens to them.


def calm(world: World) -> None:
    """Nothing."""


def partition(world: World) -> None:
    """For three seconds neither hears the other."""

    def begin() -> None:
        cut = world.network.cut({"server": ["client"], "client": ["server"]})
        world.call_later(3, world.network.mend, cut)

    world.call_later(1, begin)


def kill(world: World) -> None:
    """The server dies, and is started again."""
    server = world.machines["server"]
    world.call_later(1, server.kill)
    world.call_later(2.5, server.restart)


# HTTP: hypercorn's Trio worker and httpx.


async def hypercorn_server(log: Log) -> None:
    """An ASGI application that says hello."""
    import hypercorn.config
    import hypercorn.trio

    async def hello(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            await send({"type": "lifespan.startup.complete"})
            return
        body = f"hello {scope['path']} of {scope['client'][0]}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    config = hypercorn.config.Config()
    config.bind, config.errorlog = ["0.0.0.0:80"], None
    await hypercorn.trio.serve(hello, config)


async def httpx_client(log: Log) -> None:
    """A request every now and then, over one connection while it lasts."""
    import httpx

    await trio.sleep(0.1)
    async with httpx.AsyncClient(timeout=1.0, trust_env=False) as client:
        for number in range(12):
            try:
                answer = await client.get(f"http://server/{number}")
                log.append((trio.current_time(), answer.text, answer.headers["date"]))
            except httpx.HTTPError as error:
                log.append((trio.current_time(), type(error).__name__))
            await trio.sleep(0.4)


# WebSockets: trio-websocket on both sides.


async def websocket_server(log: Log) -> None:
    """Says it louder."""
    import trio_websocket

    async def serve(request: Any) -> None:
        connection = await request.accept()
        try:
            while True:
                await connection.send_message((await connection.get_message()).upper())
        except trio_websocket.ConnectionClosed:
            log.append("server: closed")

    await trio_websocket.serve_websocket(serve, "0.0.0.0", 8000, ssl_context=None)


async def websocket_client(log: Log) -> None:
    """Talks until the connection breaks."""
    import trio_websocket

    await trio.sleep(0.1)
    try:
        async with trio_websocket.open_websocket_url("ws://server:8000/") as connection:
            for number in range(20):
                await connection.send_message(f"message {number}")
                log.append((trio.current_time(), await connection.get_message()))
                await trio.sleep(0.1)
    except (trio_websocket.ConnectionClosed, trio_websocket.HandshakeError) as error:
        log.append((trio.current_time(), type(error).__name__))


# A database client: coredis, which is built on anyio, and retries by itself.


async def redis_server(log: Log) -> None:
    """Something that coredis takes for Redis."""
    await toy_redis()


async def coredis_client(log: Log) -> None:
    """Counts; what the answer to one count was lost of, it may count twice."""
    import coredis

    await trio.sleep(0.1)
    redis = coredis.Redis(host="server", decode_responses=True, stream_timeout=1, connect_timeout=1)
    async with redis:
        for _ in range(12):
            try:
                log.append((trio.current_time(), await redis.incr("hits")))
            except (coredis.exceptions.RedisError, TimeoutError) as error:
                log.append((trio.current_time(), type(error).__name__))
            await trio.sleep(0.4)
        log.append((trio.current_time(), await redis.get("hits"), await redis.get("misses")))


PAIRS: dict[str, tuple[Program, Program]] = {
    "hypercorn": (hypercorn_server, httpx_client),
    "websocket": (websocket_server, websocket_client),
    "coredis": (redis_server, coredis_client),
}
FAULTS: dict[str, Faults] = {"calm": calm, "partition": partition, "kill": kill}


def main(pair: str, fault: str) -> None:
    """Print what a pair logs under a fault, as a hash, and the digest of its world."""
    log, digest = told(*PAIRS[pair], FAULTS[fault])
    print(hashlib.sha256(repr(log).encode()).hexdigest(), digest)


if __name__ == "__main__":
    main(*sys.argv[1:])
