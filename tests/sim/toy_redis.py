"""A server that speaks enough of RESP3 for a client of Redis: a counter a key, durable before it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import trio

PORT = 6379
_LOG = "/var/lib/toy-redis.log"


async def toy_redis() -> None:
    """Serve for ever, from what the log holds."""
    counters = _recovered()
    async with await trio.open_file(_LOG, "ab") as log:

        async def serve(stream: trio.SocketStream) -> None:
            try:
                async with stream:
                    async for command in _commands(stream):
                        await stream.send_all(await _answer(command, counters, log))
            except trio.BrokenResourceError:
                pass

        await trio.serve_tcp(serve, PORT)


def _recovered() -> dict[bytes, int]:
    counters: dict[bytes, int] = {}
    try:
        with open(_LOG, "rb") as log:
            for key in log.read().splitlines():
                counters[key] = counters.get(key, 0) + 1
    except FileNotFoundError:
        pass
    return counters


async def _answer(command: list[bytes], counters: dict[bytes, int], log: Any) -> bytes:
    match [command[0].upper(), *command[1:]]:
        case [b"HELLO", *_]:
            told: dict[str, str | int] = {
                "server": "redis",
                "version": "7.2.0",
                "proto": 3,
                "id": 1,
                "mode": "standalone",
            }
            return b"%%%d\r\n" % len(told) + b"".join(_told(key) + _told(told[key]) for key in told)
        case [b"INCR", key] | [b"INCRBY", key, b"1"]:
            await log.write(key + b"\n")
            await log.flush()
            counters[key] = counters.get(key, 0) + 1
            return _told(counters[key])
        case [b"GET", key]:
            return _told(str(counters[key])) if key in counters else b"_\r\n"
        case [b"CLIENT" | b"SELECT", *_]:
            return b"+OK\r\n"
    return b"-ERR unknown command '%s'\r\n" % command[0]


def _told(value: str | int) -> bytes:
    return b":%d\r\n" % value if isinstance(value, int) else b"$%d\r\n%s\r\n" % (len(value), value.encode())


async def _commands(stream: trio.SocketStream) -> AsyncIterator[list[bytes]]:
    """What the client asks: arrays of bulk strings."""
    received = bytearray()

    async def line() -> bytes:
        while (end := received.find(b"\r\n")) < 0:
            if not (chunk := await stream.receive_some()):
                return b""
            received.extend(chunk)
        found = bytes(received[:end])
        del received[: end + 2]
        return found

    while head := await line():
        assert head[:1] == b"*", head
        command = []
        for _ in range(int(head[1:])):
            size = int((await line())[1:])
            while len(received) < size + 2:
                if not (chunk := await stream.receive_some()):
                    return
                received.extend(chunk)
            command.append(bytes(received[:size]))
            del received[: size + 2]
        yield command
