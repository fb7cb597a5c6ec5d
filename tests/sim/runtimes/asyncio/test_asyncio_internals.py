from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ostrakon.harness.sim import UnsupportedAsyncio, World
from ostrakon.harness.sim.runtimes.asyncio import loop
from ostrakon.harness.sim.runtimes.asyncio.self_test import check_asyncio


@pytest.fixture(autouse=True)
def checked_anew() -> Iterator[None]:
    check_asyncio.cache_clear()
    yield
    check_asyncio.cache_clear()


async def program() -> None:
    await asyncio.sleep(1)


def test_the_asyncio_of_this_python_is_built_as_the_simulator_needs_it() -> None:
    check_asyncio()


@pytest.mark.parametrize(
    ("owner", "name", "complaint"),
    [
        (loop.SimulatedTransport, "_read_ready", "did not end"),
        (loop.SimulatedEventLoop, "drop_timer", "TypeError"),
    ],
)
def test_one_that_is_built_otherwise_is_refused_by_name(
    owner: type, name: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, lambda self: None)

    with World(1) as world, pytest.raises(UnsupportedAsyncio, match=complaint):
        world.machine("alone").start(program)


def test_the_self_test_leaves_an_event_loop_around_it_alone() -> None:
    async def outside() -> bool:
        running, task = asyncio.get_running_loop(), asyncio.current_task()
        check_asyncio()
        return (asyncio.get_running_loop(), asyncio.current_task()) == (running, task)

    assert asyncio.run(outside())
