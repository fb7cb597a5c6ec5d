"""asyncio programs from the package index, with the little it takes to use them.

Run as a program with the name of a pair, it prints what became of it under every fault.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ostrakon.harness.sim import World
from ostrakon.harness.substrates.runtime import Runtime
from tests.sim.third_party import calm, kill, partition
from tests.sim.toy_redis import toy_redis

Log = list[Any]
Program = Callable[[Log], Awaitable[None]]
Faults = Callable[[World], None]


def told(pair: str, fault: str) -> tuple[Log, str]:
    """What both sides log, and the digest."""
    server, client = PAIRS[pair]
    runtime: Runtime = "trio" if server is redis_server else "asyncio"
    log: Log = []
    with World(7) as world:
        world.machine("server").start(lambda: server(log), runtime=runtime)
        process = world.machine("client").start(lambda: client(log), runtime="asyncio")
        FAULTS[fault](world)
        world.run(until_s=120, stop=lambda: process.done)
        for crash in world.crashes:
            raise crash.error
        assert process.done, world.waiting()
        return log, world.digest


def pause(world: World) -> None:
    """The server stands still for three seconds."""
    server = world.machines["server"]
    world.call_later(1, server.pause)
    world.call_later(4, server.resume)


def skew(world: World) -> None:
    """The client's clock runs half as fast again, and its wall clock is set back."""
    clock = world.machines["client"].clock
    world.call_later(1, clock.set_rate, 1.5)
    world.call_later(2, clock.step, -3600)


FAULTS: dict[str, Faults] = {"calm": calm, "partition": partition, "pause": pause, "kill": kill, "skew": skew}


def now_s() -> float:
    return asyncio.get_running_loop().time()


# HTTP: aiohttp on both sides.


async def aiohttp_server(log: Log) -> None:
    """Says hello, and remembers whom it has seen."""
    from aiohttp import web

    async def hello(request: web.Request) -> web.Response:
        await asyncio.sleep(0.01)
        return web.json_response({"path": request.path, "peer": request.remote})

    app = web.Application()
    app.router.add_get("/{number}", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 80).start()
    await asyncio.Event().wait()


async def aiohttp_client(log: Log) -> None:
    """Three requests at a time, every now and then."""
    import aiohttp

    await asyncio.sleep(0.1)
    patience = aiohttp.ClientTimeout(total=1.0)
    async with aiohttp.ClientSession(timeout=patience) as session:

        async def get(number: int) -> None:
            try:
                async with session.get(f"http://server/{number}") as answer:
                    told = await answer.json()
                    log.append((now_s(), told["path"], told["peer"], answer.headers["Date"]))
            except (aiohttp.ClientError, TimeoutError) as error:
                log.append((now_s(), type(error).__name__))

        for number in range(0, 36, 3):
            await asyncio.gather(*(get(number + more) for more in range(3)))
            await asyncio.sleep(0.4)


# A database client: redis-py's, on asyncio, against a toy that runs on Trio.


async def redis_server(log: Log) -> None:
    """Something that redis-py takes for Redis."""
    await toy_redis()


async def redis_client(log: Log) -> None:
    """Counts."""
    import redis.asyncio as redis

    await asyncio.sleep(0.1)
    client = redis.Redis(host="server", port=6379, socket_timeout=1.0)
    for _ in range(12):
        try:
            log.append((now_s(), await client.incr("count")))
        except (redis.RedisError, OSError) as error:
            log.append((now_s(), type(error).__name__))
        await asyncio.sleep(0.4)
    log.append((now_s(), await client.get("count")))
    await client.aclose()


# WebSockets: the package of that name on both sides.


async def websocket_server(log: Log) -> None:
    """Says it louder."""
    from websockets.asyncio.server import ServerConnection, serve

    async def louder(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(str(message).upper())

    async with serve(louder, "0.0.0.0", 8000) as server:
        await server.serve_forever()


async def websocket_client(log: Log) -> None:
    """Talks until the connection breaks."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    await asyncio.sleep(0.1)
    try:
        async with connect("ws://server:8000/", proxy=None) as connection:
            for number in range(20):
                await connection.send(f"message {number}")
                log.append((now_s(), await connection.recv()))
                await asyncio.sleep(0.1)
    except (ConnectionClosed, OSError) as error:
        log.append((now_s(), type(error).__name__))


# ASGI: starlette under uvicorn, and a small application under hypercorn; asked over plain streams.


async def uvicorn_server(log: Log) -> None:
    """A starlette application with a streaming answer."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    async def count(request: Request) -> StreamingResponse:
        async def lines() -> Any:
            for number in range(3):
                yield f"{request.path_params['name']} {number}\n"
                await asyncio.sleep(0.05)

        return StreamingResponse(lines())

    app = Starlette(routes=[Route("/{name}", count)])
    config = uvicorn.Config(app, host="0.0.0.0", port=80, loop="asyncio", http="h11", log_config=None)
    await uvicorn.Server(config).serve()


async def hypercorn_server(log: Log) -> None:
    """An ASGI application that counts."""
    import hypercorn.asyncio
    import hypercorn.config

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            await send({"type": "lifespan.startup.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(3):
            line = f"{scope['path'][1:]} {number}\n".encode()
            await send({"type": "http.response.body", "body": line, "more_body": number < 2})
            await asyncio.sleep(0.05)

    config = hypercorn.config.Config()
    config.bind, config.errorlog = ["0.0.0.0:80"], None
    await hypercorn.asyncio.serve(app, config)


async def plain_client(log: Log) -> None:
    """A connection for each request."""

    async def get(name: str) -> str:
        reader, writer = await asyncio.open_connection("server", 80)
        try:
            writer.write(f"GET /{name} HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n".encode())
            return (await reader.read()).decode()
        finally:
            writer.close()

    await asyncio.sleep(0.1)
    for number in range(10):
        try:
            async with asyncio.timeout(1):
                answer = await get(f"request-{number}")
            log.append((now_s(), [line for line in answer.splitlines() if line.startswith("request-")]))
        except OSError as error:
            log.append((now_s(), type(error).__name__))
        await asyncio.sleep(0.3)


PAIRS: dict[str, tuple[Program, Program]] = {
    "aiohttp": (aiohttp_server, aiohttp_client),
    "redis": (redis_server, redis_client),
    "websockets": (websocket_server, websocket_client),
    "uvicorn": (uvicorn_server, plain_client),
    "hypercorn": (hypercorn_server, plain_client),
}
NEEDS = {
    "aiohttp": ("aiohttp",),
    "redis": ("redis",),
    "websockets": ("websockets",),
    "uvicorn": ("uvicorn", "starlette"),
    "hypercorn": ("hypercorn",),
}


if __name__ == "__main__":
    for fault in FAULTS:
        log, digest = told(sys.argv[1], fault)
        print(fault, digest, hashlib.sha256(repr(log).encode()).hexdigest(), len(log))
        for entry in log:
            print("   ", entry)
