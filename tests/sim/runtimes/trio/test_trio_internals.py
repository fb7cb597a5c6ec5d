"""A Trio that is built otherwise is refused with its version, not met with strange behaviour."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from ostrakon.harness.sim import UnsupportedTrio, World
from ostrakon.harness.sim.runtimes.trio import run as trio_run


@pytest.fixture
def untested() -> Iterator[None]:
    """Let the check run again, now and afterwards."""
    trio_run.check_trio.cache_clear()
    yield
    trio_run.check_trio.cache_clear()


@pytest.mark.usefixtures("untested")
def test_the_installed_trio_is_as_it_should_be() -> None:
    trio_run.check_trio()


@pytest.mark.usefixtures("untested")
@pytest.mark.parametrize("name", ["unrolled_run", "_r"])
def test_a_missing_part_is_told_with_the_version(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(trio_run._RUN, name)

    complaint = rf"trio {trio.__version__} is not built .* 0\.27 to"
    with World(1) as world, pytest.raises(UnsupportedTrio, match=complaint):
        world.run()


@pytest.mark.usefixtures("untested")
def test_a_scheduler_that_does_not_ask_for_the_order_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trio_run._TestHost, "order", lambda self, batch: None)

    with World(1) as world, pytest.raises(UnsupportedTrio, match="tasks ran in the order"):
        world.run()


def test_wait_all_tasks_blocked_works_with_and_without_a_cushion() -> None:
    import trio.testing

    steps: list[tuple[str, float]] = []

    async def busy() -> None:
        for _ in range(3):
            await trio.sleep(0.5)
        steps.append(("quiet", trio.current_time()))

    async def program() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(busy)
            await trio.testing.wait_all_tasks_blocked()
            steps.append(("blocked", trio.current_time()))
            await trio.testing.wait_all_tasks_blocked(cushion=1.0)
            steps.append(("quiet for a second", trio.current_time()))

    with World(1) as world:
        world.machine("a").start(program)
        world.run()
        assert world.crashes == []

    assert steps == [("blocked", 0.0), ("quiet", 1.5), ("quiet for a second", 2.5)]


def test_async_generators_are_finalized_by_the_run_that_they_belong_to() -> None:
    closed: list[str] = []

    async def numbers(name: str):  # type: ignore[no-untyped-def]
        try:
            while True:
                yield 1
                await trio.sleep(0.1)
        finally:
            closed.append(f"{name} at {trio.current_time():.1f}")

    left_open: list[object] = []

    async def program(name: str) -> None:
        generator = numbers(name)
        left_open.append(generator)
        await anext(generator)
        await trio.sleep(1)

    with World(1) as world:
        for name in ("a", "b"):
            world.machine(name).start(lambda name=name: program(name))  # type: ignore[misc]
        world.run()

    assert sorted(closed) == ["a at 1.0", "b at 1.0"]


def test_run_sync_soon_and_system_tasks_and_instruments_work() -> None:
    seen: list[str] = []

    class Watcher(trio.abc.Instrument):
        def task_exited(self, task: trio.lowlevel.Task) -> None:
            if "child" in task.name:
                seen.append("child exited")

    async def child() -> None:
        await trio.sleep(0)

    async def program() -> None:
        trio.lowlevel.add_instrument(Watcher())
        trio.lowlevel.current_trio_token().run_sync_soon(seen.append, "soon")
        trio.lowlevel.spawn_system_task(child)
        await trio.sleep(1)

    with World(1) as world:
        world.machine("a").start(program)
        world.run()
        assert world.crashes == []

    assert sorted(seen) == ["child exited", "soon"]
