"""Our passes of a Trio run, and the shortcuts in it, do what Trio's own do, only quicker."""

from __future__ import annotations

import traceback
import types
from collections.abc import AsyncGenerator, Generator
from typing import Any

import outcome
import pytest
import trio
import trio._core._run as _run
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.harness.sim import SimulationError, World
from ostrakon.harness.sim.machine.world import _Batches
from ostrakon.harness.sim.runtimes.trio import run as trio_run
from ostrakon.harness.sim.runtimes.trio import runner as trio_runner
from ostrakon.harness.sim.runtimes.trio import shortcuts
from tests.sim.scenario import story


def passes_by_trio(runner: Any, main: Any) -> Generator[bool, None, None]:
    """The passes as Trio's own loop makes them, all of them."""
    trio_loop = _run.unrolled_run(runner, main, (), host_uses_signal_set_wakeup_fd=True)
    next(trio_loop)
    while True:
        _run.GLOBAL_RUN_CONTEXT.runner = runner
        try:
            yield trio_loop.send(()) > 0  # type: ignore[arg-type]
        except StopIteration:
            return


class TriosRunner(trio_runner.Runner):
    """Begins and ends as Trio's own, with all its nurseries and a task for what is to be run soon."""

    init = _run.Runner.init  # type: ignore[assignment]
    task_exited = _run.Runner.task_exited

    def run_soon(self) -> None:
        """The task will find it when it gets to wait."""


def order_of_the_programs_own(batches: _Batches, batch: list[trio.lowlevel.Task]) -> None:
    """Draws nothing for Trio's own tasks, of which there are none in the runs that this is compared with."""
    own = [task for task in batch if "run_sync_soon" in task.name or task.name == "<init>"]
    rest = [task for task in batch if task not in own]
    shuffle(batches, rest)
    batch[:] = own + rest
    batches._kernel.current.batch = batch


shuffle = _Batches.shuffle


def leave_it_to_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trio_run, "passes", passes_by_trio)
    monkeypatch.setattr(trio_runner, "Runner", TriosRunner)
    monkeypatch.setattr(_Batches, "shuffle", order_of_the_programs_own)
    monkeypatch.setattr(shortcuts, "SHORTCUTS", shortcuts.FEWER_PASSES)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_trio_itself_tells_the_same_story(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = story(seed)

    leave_it_to_trio(monkeypatch)

    assert story(seed) == ours


Steps = list[tuple[str, int]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["sleep", "checkpoint", "spawn", "time out", "too slow", "raise", "cancel", "idle"]),
        st.integers(0, 3),
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
                        case "too slow":
                            with trio.fail_after(much / 2), trio.CancelScope(shield=much == 3):
                                await trio.sleep_until(trio.current_time() + 1)
                        case "cancel":
                            nursery.cancel_scope.cancel()
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
        leave_it_to_trio(patched)
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
        await trio.lowlevel.permanently_detach_coroutine_object(outcome.Value(None))

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


@pytest.mark.parametrize("by_trio", [False, True])
def test_what_breaks_inside_is_told_as_trio_tells_it(by_trio: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def program() -> None:
        async def breaks() -> None:
            raise ValueError("in a system task")

        trio.lowlevel.spawn_system_task(breaks)
        await trio.sleep(1)

    if by_trio:
        leave_it_to_trio(monkeypatch)

    with World(1) as world:
        world.machine("a").start(program)
        with pytest.raises(SimulationError, match="Trio broke inside a#0") as failure:
            world.run()
    assert isinstance(failure.value.__cause__, trio.TrioInternalError)


def ending(by_trio: bool) -> list[str]:
    """In what order a program, its system tasks and all that it has left behind come to their ends."""
    lines: list[str] = []
    left_open: list[object] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            lines.append("the generator ends")
            trio.lowlevel.current_trio_token().run_sync_soon(lines.append, "what the generator left")

    async def system_task() -> None:
        token = trio.lowlevel.current_trio_token()
        try:
            await trio.sleep_forever()
        finally:
            lines.append("the system task ends")
            token.run_sync_soon(lines.append, "what the system task left")

    async def program() -> None:
        token = trio.lowlevel.current_trio_token()
        trio.lowlevel.spawn_system_task(system_task)
        for _ in range(2):
            token.run_sync_soon(lines.append, "once", idempotent=True)
            token.run_sync_soon(token.run_sync_soon, lines.append, "soon, twice over")
        await trio.sleep(1)
        left_open.append(numbers())
        await anext(left_open[0])  # type: ignore[call-overload]
        lines.append("the program ends")

    with pytest.MonkeyPatch.context() as patched:
        if by_trio:
            leave_it_to_trio(patched)
        with World(1) as world:
            world.machine("a").start(program)
            world.run()
            assert world.crashes == []
    return lines


def test_a_run_ends_in_the_order_in_which_trios_own_does() -> None:
    ours = ending(by_trio=False)

    assert ours == ending(by_trio=True)
    assert ours[-1] == "what the generator left"


@pytest.mark.parametrize("by_trio", [False, True])
def test_nothing_can_be_run_soon_in_a_run_that_is_over(
    by_trio: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: list[trio.lowlevel.TrioToken] = []

    async def program() -> None:
        tokens.append(trio.lowlevel.current_trio_token())

    if by_trio:
        leave_it_to_trio(monkeypatch)
    with World(1) as world:
        world.machine("a").start(program)
        world.run()

    with pytest.raises(trio.RunFinishedError):
        tokens[0].run_sync_soon(print)
