"""What is left out of Trio's way of waiting and connecting shows in nothing but the order of things."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from ostrakon.harness.sim import Machine, StopReason, World, enclosed
from ostrakon.harness.sim.runtimes.trio.shortcuts import FEWER_PASSES, QUICKER, SHORTCUTS


def outcome_of(program: Callable[[], Awaitable[object]]) -> object:
    with World(1) as world:
        process = world.machine("a").start(program)
        world.run(until_s=1000)
        assert process.error is None, process.error
        return process.value


async def errors_of_connecting() -> list[str]:
    """How attempts end that Trio makes in a nursery, a task for each address."""
    seen: list[str] = []

    async def attempt(*args: object, cancelled: bool = False) -> None:
        try:
            with trio.CancelScope() as scope:
                if cancelled:
                    scope.cancel()
                await trio.open_tcp_stream(*args)  # type: ignore[arg-type]
        except BaseException as error:
            cause = error.__cause__
            group = cause.exceptions if isinstance(cause, ExceptionGroup) else ()
            inner = [type(one).__name__ for one in group]
            seen.append(f"{type(error).__name__} {inner} {error if isinstance(error, ValueError) else ''}")
        seen.append(f"caught {scope.cancelled_caught}")

    await attempt("127.0.0.1", 1)
    await attempt("localhost", 1)
    await attempt(b"127.0.0.1", 1)
    await attempt(5, 1)
    await attempt("localhost", "http")
    await attempt("localhost", 1, cancelled=True)
    return seen


def test_connecting_fails_as_in_trio_itself() -> None:
    assert outcome_of(errors_of_connecting) == trio.run(errors_of_connecting)


async def handled_cancellation() -> list[str]:
    """What a program catches that is cancelled while it connects: Trio's nursery raises a group."""
    seen: list[str] = []
    with trio.move_on_after(0.05) as scope:
        try:
            await trio.open_tcp_stream("10.0.9.9", 1)
        except BaseException as error:
            seen.append(type(error).__name__)
            raise
    return [*seen, str(scope.cancelled_caught)]


def test_a_cancelled_connect_raises_a_group_as_trios_nursery_does() -> None:
    assert outcome_of(handled_cancellation) == ["BaseExceptionGroup", "True"]


async def both_checkpoints() -> list[str]:
    seen: list[str] = []
    with trio.testing.assert_checkpoints():
        await trio.lowlevel.checkpoint()
    with trio.CancelScope() as scope:
        scope.cancel()
        await trio.lowlevel.cancel_shielded_checkpoint()
        seen.append("shielded")
        await trio.lowlevel.checkpoint()
        seen.append("not reached")
    with trio.CancelScope() as other:
        other.cancel("enough")
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
        except trio.Cancelled as error:
            seen.append(str(error).partition(" from ")[0])
            raise
    return [*seen, str(scope.cancelled_caught), str(other.cancelled_caught)]


def test_checkpoints_count_and_raise_as_in_trio_itself() -> None:
    assert outcome_of(both_checkpoints) == trio.run(both_checkpoints)


def test_at_a_checkpoint_the_schedule_chooses_among_the_tasks_that_are_ready() -> None:
    def order(seed: int) -> tuple[str, ...]:
        seen: list[str] = []

        async def other() -> None:
            seen.append("other")

        async def program() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(other)
                await trio.lowlevel.checkpoint()
                seen.append("first")

        with World(seed) as world:
            world.machine("a").start(program)
            world.run()
        return tuple(seen)

    assert {order(seed) for seed in range(20)} == {("other", "first"), ("first", "other")}


@pytest.mark.parametrize("passes", [1, 2, 3, 4, 5])
def test_a_process_can_die_at_a_checkpoint_that_nobody_else_would_use(passes: int) -> None:
    reached: list[int] = []

    async def program() -> None:
        for number in range(10):
            reached.append(number)
            await trio.lowlevel.checkpoint()

    with World(1) as world:
        process = world.machine("a").start(program)
        process.crash_at(passes + 1)
        world.run(until_s=1)

    assert reached == list(range(passes))


def test_a_program_that_stops_its_own_machine_runs_no_further_than_the_next_checkpoint() -> None:
    reached: list[str] = []

    async def program(machine: Machine) -> None:
        machine.pause()
        reached.append("before")
        await trio.lowlevel.checkpoint()
        reached.append("after")

    with World(1) as world:
        machine = world.machine("a")
        machine.start(lambda: program(machine))

        assert world.run(until_s=1) is StopReason.TIME
        assert reached == ["before"]


def test_trio_is_as_it_was_when_the_last_world_is_closed() -> None:
    before = [vars(owner)[name] for owner, name, _ in SHORTCUTS]

    with enclosed():
        with World(1) as world:
            world.machine("a").start(trio.sleep_forever)
            world.run(until_s=1)
        assert vars(QUICKER[0][0])[QUICKER[0][1]] is QUICKER[0][2]

    assert [vars(owner)[name] for owner, name, _ in SHORTCUTS] == before
    assert not {id(one) for one in before} & {id(shortcut) for _, _, shortcut in SHORTCUTS}


def test_between_worlds_that_are_enclosed_trio_works_as_ever() -> None:
    with enclosed():
        assert trio.run(both_checkpoints) == outcome_of(both_checkpoints)
        assert trio.run(errors_of_connecting)[0].startswith("OSError")
    assert len(FEWER_PASSES) > 0
