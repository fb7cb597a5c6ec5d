from __future__ import annotations

import queue
import random
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.live.preamble import Connecting, Listening, decode_preamble, encode_preamble
from ostrakon.harness.live.proxy import Proxy
from ostrakon.harness.live.sockets import install
from ostrakon.harness.substrates.latency import Constant

NAMES = st.from_regex(r"[a-z0-9_]+", fullmatch=True)
PORTS = st.integers(0, 65535)


@given(st.builds(Listening, NAMES, PORTS, PORTS) | st.builds(Connecting, NAMES, NAMES, PORTS))
def test_a_preamble_is_read_as_it_was_written(preamble: Listening | Connecting) -> None:
    assert decode_preamble(encode_preamble(preamble)) == preamble


@given(st.binary(max_size=300))
def test_bytes_that_are_no_preamble_are_none(line: bytes) -> None:
    preamble = decode_preamble(line)

    assert preamble is None or encode_preamble(preamble).split()[0] == line.split()[0]


class ProxyAside:
    """A proxy in a thread of its own, for a node that blocks while it tells it where it listens."""

    def __init__(self, nodes: tuple[str, ...]) -> None:
        self.proxy = Proxy(
            nodes, latency=Constant(0.0), framing=None, rng=lambda *path: random.Random(str(path))
        )
        self._started: queue.Queue[tuple[int, trio.lowlevel.TrioToken, trio.CancelScope]] = queue.Queue()
        self._thread = threading.Thread(target=trio.run, args=(self._serve,))

    async def _serve(self) -> None:
        async with trio.open_nursery() as nursery:
            port = await nursery.start(self.proxy.serve)
            self._started.put((port, trio.lowlevel.current_trio_token(), nursery.cancel_scope))

    def __enter__(self) -> ProxyAside:
        self._thread.start()
        self.port, self._token, self._scope = self._started.get()
        return self

    def __exit__(self, *error: object) -> None:
        self._token.run_sync_soon(self._scope.cancel)
        self._thread.join()

    async def reset_connections(self, one: str, other: str) -> int:
        return await trio.to_thread.run_sync(
            lambda: trio.from_thread.run_sync(
                self.proxy.reset_connections, one, other, trio_token=self._token
            )
        )


@asynccontextmanager
async def a_node(name: str = "n1") -> AsyncIterator[ProxyAside]:
    """This run is that of a node in a cluster of its own."""
    with ProxyAside((name, "n2")) as aside:
        install(name, (name, "n2"), aside.port)
        yield aside


async def echo(stream: trio.SocketStream) -> None:
    async for chunk in stream:
        await stream.send_all(chunk)


async def test_a_node_is_reached_by_its_name_and_the_port_it_asked_for() -> None:
    async with a_node(), trio.open_nursery() as nursery:
        await nursery.start(trio.serve_tcp, echo, 7000)

        async with await trio.open_tcp_stream("n1", 7000) as stream:
            await stream.send_all(b"hello")
            assert await stream.receive_some() == b"hello"
        nursery.cancel_scope.cancel()


async def test_whatever_a_node_asks_for_it_listens_on_the_loopback_interface_only() -> None:
    async with a_node(), trio.open_nursery() as nursery:
        (listener,) = await nursery.start(trio.serve_tcp, echo, 7000)
        with socket.socket(fileno=listener.socket.fileno()) as real:
            ip, port = real.getsockname()
            real.detach()

        assert ip == "127.0.0.1"
        assert port != 7000, "a port of the machine is not the node's to choose"
        assert listener.socket.getsockname() == ("10.77.0.1", 7000)
        nursery.cancel_scope.cancel()


async def test_where_nobody_listens_a_connection_is_refused() -> None:
    async with a_node():
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream("n1", 7000)


async def test_a_host_that_is_no_node_is_unknown() -> None:
    async with a_node():
        with pytest.raises(OSError, match="no node called 'elsewhere'"):
            await trio.open_tcp_stream("elsewhere", 80)


async def test_a_connection_that_is_reset_breaks_at_both_ends() -> None:
    async with a_node() as proxy, trio.open_nursery() as nursery:
        broken = trio.Event()

        async def serve(stream: trio.SocketStream) -> None:
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()
            broken.set()

        await nursery.start(trio.serve_tcp, serve, 7000)
        async with await trio.open_tcp_stream("n1", 7000) as stream:
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert await proxy.reset_connections("n1", "n1") == 1
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()
        await broken.wait()
        nursery.cancel_scope.cancel()
