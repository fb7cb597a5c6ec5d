"""Programs that nobody wrote for a simulator: they run unmodified, under faults, and alike every time.

Each test needs packages of its own and is skipped where they are not installed.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from harness.sim import World

Log = list[object]
Program = Callable[[Log], Awaitable[None]]


def told(server: Program, client: Program, faults: Callable[[World], None] | None = None) -> tuple[Log, str]:
    """What both sides log, and the digest."""
    log: Log = []
    with World(7) as world:
        world.machine("server").start(lambda: server(log))
        process = world.machine("client").start(lambda: client(log))
        if faults is not None:
            faults(world)
        world.run(until_s=120, stop=lambda: process.done)
        if process.error is not None:
            raise process.error
        assert process.done
        return log, world.digest


def partition_for_three_seconds(world: World) -> None:
    def begin() -> None:
        cut = world.network.cut({"server": ["client"], "client": ["server"]})
        world.call_later(3, world.network.mend, cut)

    world.call_later(1, begin)


def kill_and_restart(world: World) -> None:
    server = world.machines["server"]
    world.call_later(1, server.kill)
    world.call_later(2.5, server.restart)


FAULTS = [None, partition_for_three_seconds, kill_and_restart]


async def http_server(log: Log) -> None:
    h11 = pytest.importorskip("h11")

    async def serve(stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER)
        target = b""
        while True:
            match connection.next_event():
                case h11.NEED_DATA:
                    connection.receive_data(await stream.receive_some())
                case h11.Request() as request:
                    target = request.target
                case h11.EndOfMessage():
                    body = b"hello " + target
                    headers = [("content-length", str(len(body)))]
                    answer = (
                        h11.Response(status_code=200, headers=headers),
                        h11.Data(data=body),
                        h11.EndOfMessage(),
                    )
                    await stream.send_all(b"".join(connection.send(event) for event in answer))
                    if connection.our_state is h11.MUST_CLOSE:
                        return
                    connection.start_next_cycle()
                case h11.ConnectionClosed():
                    return

    async def forgiving(stream: trio.SocketStream) -> None:
        try:
            await serve(stream)
        except (trio.BrokenResourceError, h11.RemoteProtocolError) as error:
            log.append(("server", type(error).__name__))

    await trio.serve_tcp(forgiving, 80)


async def http_client(log: Log) -> None:
    httpx = pytest.importorskip("httpx")
    await trio.sleep(0.1)
    async with httpx.AsyncClient(timeout=1.0, trust_env=False) as client:
        for number in range(12):
            try:
                answer = await client.get(f"http://server/{number}")
                log.append((trio.current_time(), answer.status_code, answer.text))
            except httpx.HTTPError as error:
                log.append((trio.current_time(), type(error).__name__))
            await trio.sleep(0.4)


@pytest.mark.parametrize("faults", FAULTS, ids=["calm", "partition", "kill"])
def test_httpx_talks_to_h11(faults: Any) -> None:
    pytest.importorskip("h11")
    pytest.importorskip("httpx")

    log, digest = told(http_server, http_client, faults)

    answered = [entry for entry in log if isinstance(entry, tuple) and 200 in entry]
    assert len(answered) == 12 if faults is None else 4 < len(answered) < 12
    assert told(http_server, http_client, faults) == (log, digest)


async def websocket_server(log: Log) -> None:
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


@pytest.mark.parametrize("faults", FAULTS, ids=["calm", "partition", "kill"])
def test_trio_websocket_talks_to_itself(faults: Any) -> None:
    pytest.importorskip("trio_websocket")

    log, digest = told(websocket_server, websocket_client, faults)

    echoed = [entry for entry in log if isinstance(entry, tuple) and str(entry[1]).startswith("MESSAGE")]
    assert len(echoed) == 20 if faults is not kill_and_restart else 5 < len(echoed) < 15
    assert told(websocket_server, websocket_client, faults) == (log, digest)


def test_tls_streams_work_and_survive_a_short_cut() -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("server").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)

    async def server(log: Log) -> None:
        async def echo(stream: trio.SSLStream[trio.SocketStream]) -> None:
            async with stream:
                while chunk := await stream.receive_some():
                    await stream.send_all(chunk)

        await trio.serve_ssl_over_tcp(echo, 443, server_context)

    async def client(log: Log) -> None:
        stream = await trio.open_ssl_over_tcp_stream("server", 443, ssl_context=client_context)
        async with stream:
            for number in range(30):
                await stream.send_all(b"secret %d" % number)
                log.append(await stream.receive_some())
                await trio.sleep(0.2)

    log, _ = told(server, client, partition_for_three_seconds)

    assert log == [b"secret %d" % number for number in range(30)]
