"""Our passes of a Trio run, and the shortcuts in it, do what Trio's own do, only quicker."""

from __future__ import annotations

import traceback
import types
from collections.abc import Generator
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim import SimulationError, World, _shortcuts, _trio
from tests.sim.scenario import story


def passes_by_trio(runner: Any, trio_loop: Generator[float, Any, None]) -> Generator[bool, None, None]:
    """The passes as Trio's own loop makes them, all of them."""
    yield not trio_loop.send(None)
    while True:
        try:
            yield trio_loop.send(()) > 0
        except StopIteration:
            return


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_trio_itself_tells_the_same_story(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = story(seed)

    monkeypatch.setattr(_trio, "passes", passes_by_trio)
    monkeypatch.setattr(_shortcuts, "SHORTCUTS", ())

    assert story(seed) == ours


Steps = list[tuple[str, int]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["sleep", "checkpoint", "spawn", "time out", "raise", "idle"]), st.integers(0, 3)
    ),
    max_size=8,
)


def told(seed: int, programs: list[Steps]) -> list[str]:
    """What happens when, and how it ends, where tasks do these steps and some cancel and fail others."""
    lines: list[str] = []

    async def follow(name: str, steps: Steps) -> None:
        try:
            async with trio.open_nursery() as nursery:
                for number, (what, much) in enumerate(steps):
                    lines.append(f"{trio.current_time():.3f} {name} {what} {much}")
                    match what:
                        case "sleep":
                            await trio.sleep(much)
                        case "checkpoint":
                            for _ in range(much):
                                await trio.lowlevel.checkpoint()
                        case "spawn":
                            nursery.start_soon(follow, f"{name}.{number}", steps[number + 1 :])
                        case "time out":
                            with trio.move_on_after(much / 2):
                                await trio.sleep(1)
                        case "idle":
                            await trio.testing.wait_all_tasks_blocked(much / 4)
                        case "raise":
                            raise ValueError(much)
        finally:
            lines.append(f"{trio.current_time():.3f} {name} ends")

    with World(seed) as world:
        for name, steps in zip("abc", programs, strict=True):
            world.machine(name).start(lambda name=name, steps=steps: follow(name, steps))  # type: ignore[misc]
        world.run()
        return [*lines, world.digest, *(repr(crash.error) for crash in world.crashes)]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 9), st.lists(STEPS, min_size=3, max_size=3))
def test_any_program_goes_as_in_trio_itself(seed: int, programs: list[Steps]) -> None:
    ours = told(seed, programs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_trio, "passes", passes_by_trio)
        patched.setattr(_shortcuts, "SHORTCUTS", ())
        assert told(seed, programs) == ours


def crash_of(program: Any) -> Any:
    with World(1) as world:
        world.machine("a").start(program)
        world.run()
        (crash,) = world.crashes
        return crash


def test_what_another_framework_yields_is_refused_where_it_was_yielded() -> None:
    @types.coroutine
    def foreign() -> Generator[str, None, None]:
        yield "a future"

    async def program() -> None:
        await foreign()

    crash = crash_of(program)

    assert isinstance(crash.error, TypeError)
    assert "'a future'" in str(crash.error)
    assert "foreign" in crash.traceback


def test_a_task_can_be_detached_for_good() -> None:
    ended: list[str] = []

    async def leaves() -> None:
        await trio.lowlevel.permanently_detach_coroutine_object(_trio.outcome.Value(None))

    async def program() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leaves)
        ended.append("the nursery does not wait for it")

    with World(1) as world:
        world.machine("a").start(program)
        world.run()

    assert ended


def test_a_traceback_begins_in_the_program() -> None:
    async def program() -> None:
        raise ValueError("here")

    frames = traceback.extract_tb(crash_of(program).error.__traceback__)

    assert [frame.name for frame in frames] == ["_main", "program"]


@pytest.mark.parametrize("loop", [_trio.passes, passes_by_trio])
def test_what_breaks_inside_is_told_as_trio_tells_it(loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def program() -> None:
        async def breaks() -> None:
            raise ValueError("in a system task")

        trio.lowlevel.spawn_system_task(breaks)
        await trio.sleep(1)

    monkeypatch.setattr(_trio, "passes", loop)

    with World(1) as world:
        world.machine("a").start(program)
        with pytest.raises(SimulationError, match="Trio broke inside a#0") as failure:
            world.run()
    assert isinstance(failure.value.__cause__, trio.TrioInternalError)
