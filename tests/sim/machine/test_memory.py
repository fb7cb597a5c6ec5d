"""Worlds come and go by the thousand: nothing of them may stay."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from types import FrameType

import pytest
import trio

from ostrakon.harness.sim import World
from tests.sim.toy import PORT, echo_server


async def waits() -> None:
    await trio.sleep_forever()


async def talks() -> None:
    async with await trio.open_tcp_stream("server", PORT) as stream:
        await stream.send_all(b"hello")
        await stream.receive_some()
        with trio.move_on_after(1):
            await stream.receive_some()


async def numbers() -> AsyncIterator[int]:
    yield 1
    yield 2


async def iterates() -> None:
    async for _ in numbers():
        pass


def lived(program: Callable[[], Awaitable[object]]) -> World:
    with World(1) as world:
        world.machine("server").start(echo_server)
        world.machine("client").start(program)
        world.run(until_s=10)
        assert not world.crashes
    return world


@pytest.mark.parametrize("program", [waits, talks, iterates])
def test_a_world_that_nobody_holds_is_gone(program: Callable[[], Awaitable[object]]) -> None:
    world = weakref.ref(lived(program))
    gc.collect()

    assert world() is None


def test_a_wait_that_was_cancelled_leaves_no_frames_in_cycles() -> None:
    lived(talks)
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)

    try:
        lived(talks)
        gc.collect()
        frames = [item for item in gc.garbage if isinstance(item, FrameType)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()

    assert frames == []


def test_a_process_that_ends_leaves_the_async_generators_of_others_in_their_runs() -> None:
    closed: list[str] = []
    left_open: list[AsyncIterator[int]] = []

    async def endless() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(f"at {trio.current_time():.0f} s")  # Raises outside of a run.

    async def late() -> None:
        await trio.sleep(1)
        left_open.append(endless())
        await anext(left_open[0])
        await trio.sleep(1)

    async def ends() -> None:
        pass

    with World(1) as world:
        world.machine("first").start(ends)
        world.machine("second").start(late)
        world.run()
        assert not world.crashes

    assert closed == ["at 2 s"]


def test_collection_stands_still_as_long_as_a_world_is_open_and_no_longer() -> None:
    with World(1) as world:
        world.machine("a").start(trio.sleep_forever)
        world.run(until_s=1.0)
        assert not gc.isenabled()

    assert gc.isenabled()


def test_who_has_collection_turned_off_finds_it_turned_off() -> None:
    gc.disable()
    try:
        with World(1) as world:
            world.run()
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize("how", ["kill", "power_off"])
def test_what_a_dead_process_leaves_is_cleared_away_without_a_word(
    how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python says "Exception ignored in ..." of errors in finalizers; of the dead there is nothing to say."""

    class Careful:
        def __del__(self) -> None:
            os.remove("/gone")

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            raise RuntimeError("a generator that does not like to end")

    async def program() -> None:
        careful, file = Careful(), open("/buffered", "w")  # noqa: SIM115
        file.write("never flushed")
        async for _ in numbers():
            await trio.sleep_forever()
        del careful

    with World(1) as world:
        machine = world.machine("m")
        machine.start(program)
        world.call_later(1, getattr(machine, how))
        world.run(until_s=2)
    gc.collect()

    assert capsys.readouterr().err == ""
    assert machine.disk.files.get("buffered", b"") == b""
