"""A link gets through in the end, says hello first each time, and never makes its sender wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import trio

from ostrakon.paxos_impl.server.link import QUEUED_MAX, Link
from ostrakon.paxos_impl.wire.frame import FrameReader, frame
from ostrakon.paxos_impl.wire.membership import Address
from tests.ports import LONG_S

HELLO = frame(b"hello")


@asynccontextmanager
async def listening(port: int = 0) -> AsyncIterator[trio.SocketListener]:
    (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
    async with listener:
        yield listener


@asynccontextmanager
async def link_to(address: Address, log: list[str] | None = None) -> AsyncIterator[Link]:
    lines = [] if log is None else log
    link = Link(address, HELLO, Random(1), lines.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        with trio.fail_after(LONG_S):
            yield link
        nursery.cancel_scope.cancel()


def address_of(listener: trio.SocketListener) -> Address:
    return Address(*listener.socket.getsockname())


async def hear(stream: trio.SocketStream, count: int) -> list[bytes]:
    reader, bodies = FrameReader(), list[bytes]()
    while len(bodies) < count:
        chunk = await stream.receive_some()
        assert chunk, f"the stream ended after {bodies}"
        bodies += reader.feed(chunk)
    return bodies


async def test_a_link_connects_when_there_is_something_to_send_and_says_hello_first() -> None:
    async with listening() as listener, link_to(address_of(listener)) as link:
        with trio.move_on_after(0.02) as nobody:
            await listener.accept()
        link.send(frame(b"one"))
        link.send(frame(b"two"))
        async with await listener.accept() as stream:
            assert await hear(stream, 3) == [b"hello", b"one", b"two"]

    assert nobody.cancelled_caught, "it connected although it had nothing to say"


async def test_a_link_told_that_the_other_was_restarted_says_hello_anew() -> None:
    async with listening() as listener, link_to(address_of(listener)) as link:
        link.send(frame(b"one"))
        async with await listener.accept() as before:
            await hear(before, 2)
            link.reconnect()
            link.send(frame(b"two"))
            async with await listener.accept() as after:
                assert await hear(after, 2) == [b"hello", b"two"]
            assert await before.receive_some() == b""


async def test_a_link_notices_a_broken_connection_when_it_sends() -> None:
    log: list[str] = []
    async with listening() as listener, link_to(address_of(listener), log) as link:
        link.send(frame(b"one"))
        await trio.aclose_forcefully(await listener.accept())
        heard: list[bytes] = []
        while not heard:
            link.send(frame(b"again"))
            with trio.move_on_after(0.05):
                async with await listener.accept() as stream:
                    heard = await hear(stream, 2)

    assert heard[:2] == [b"hello", b"again"]
    assert any("lost the connection" in line for line in log)


async def test_while_nobody_listens_the_newest_messages_are_kept() -> None:
    log: list[str] = []
    async with listening() as listener:
        address = address_of(listener)
    async with link_to(address, log) as link:
        for number in range(QUEUED_MAX + 10):
            link.send(frame(b"%d" % number))
        while not log:
            await trio.sleep(0.005)
        async with listening(address.port) as listener, await listener.accept() as stream:
            bodies = await hear(stream, 1 + QUEUED_MAX)

    assert bodies == [b"hello", *(b"%d" % number for number in range(10, QUEUED_MAX + 10))]
    assert len(log) == 1, "it complains at every attempt"
