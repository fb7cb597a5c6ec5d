"""Clients for asyncio beside a harness on Trio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
import trio

from ostrakon.harness.history import Op
from ostrakon.harness.hosts.asyncio_guest import AsyncioClient, on_asyncio, run_on_asyncio

_T = TypeVar("_T")
OP = Op(0, 0, "invoke", 0, "read")


class Lost(Exception):
    """What some client library raises."""


# Not async tests, because these would run on Trio, which is to be the guest here.
def run(main: Callable[[], Awaitable[_T]]) -> _T:
    return run_on_asyncio(main)


def test_what_a_coroutine_returns_is_returned() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    async def main() -> int:
        return await on_asyncio(answer())

    assert run(main) == 42


def test_what_a_coroutine_raises_is_raised() -> None:
    async def fail() -> None:
        raise Lost

    async def main() -> None:
        with pytest.raises(Lost):
            await on_asyncio(fail())

    run(main)


def test_a_coroutine_is_cancelled_with_what_awaits_it() -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    async def main() -> bool:
        with trio.move_on_after(0.02) as scope:
            await on_asyncio(forever())
        return scope.cancelled_caught

    assert run(main)
    assert ended == [True]


def test_an_answer_that_comes_although_it_was_cancelled_is_an_answer() -> None:
    async def stubborn() -> int:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return 1
        return 2

    async def main() -> int:
        with trio.move_on_after(0.02):
            return await on_asyncio(stubborn())
        return 3

    assert run(main) == 1


def test_several_wait_at_a_time() -> None:
    async def main() -> list[int]:
        done: list[int] = []
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def after_gate(number: int) -> None:
            async def wait() -> None:
                await gate

            await on_asyncio(wait())
            done.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(after_gate, number)
            await trio.sleep(0)
            gate.set_result(None)
        return sorted(done)

    assert run(main) == [0, 1, 2]


def test_a_lost_connection_of_the_library_is_an_oserror() -> None:
    class Client:
        async def apply(self, op: Op) -> Op:
            raise Lost("reset")

    @asynccontextmanager
    async def connect() -> AsyncIterator[Client]:
        yield Client()

    async def main() -> None:
        async with AsyncioClient(connect(), (Lost,)) as client:
            with pytest.raises(ConnectionError, match="Lost: reset"):
                await client.apply(OP)

    run(main)


def test_a_client_is_opened_used_and_closed_on_asyncio() -> None:
    told = []

    class Client:
        async def apply(self, op: Op) -> Op:
            assert asyncio.current_task() is not None
            return op.ok()

    @asynccontextmanager
    async def connect() -> AsyncIterator[Client]:
        told.append("opened")
        yield Client()
        told.append("closed")

    async def main() -> str:
        async with AsyncioClient(connect(), ()) as client:
            return (await client.apply(OP)).type

    assert run(main) == "ok"
    assert told == ["opened", "closed"]
