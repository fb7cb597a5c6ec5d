"""Whatever escapes the simulation is caught by running twice, at the first choice that differs."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable

import pytest
import trio

from ostrakon.harness.sim import ChoiceLog, Diverged, World, check_determinism
from tests.sim.toy import PORT, Client, echo_server

Program = Callable[[], Awaitable[None]]


def checked(program: Program) -> Diverged | None:
    """The program next to an echo server, run twice."""

    def simulate(log: ChoiceLog) -> None:
        with World(1, choice_log=log) as world:
            world.machine("server").start(echo_server)
            process = world.machine("suspect").start(program)
            world.run(until_s=60, stop=lambda: process.done)

    return check_determinism(simulate)


def test_a_deterministic_program_passes() -> None:
    lengths: list[int] = []

    def simulate(log: ChoiceLog) -> None:
        client = Client(lines=20)
        with World(1, choice_log=log) as world:
            world.machine("server").start(echo_server)
            process = world.machine("client").start(client)
            world.run(stop=lambda: process.done)
        lengths.append(log.length)

    assert check_determinism(simulate) is None
    assert lengths[0] == lengths[1] > 100, "vacuous: hardly anything was chosen"


def test_a_payload_that_differs_is_caught_at_the_send_with_both_stacks() -> None:
    escaped = itertools.count()

    async def sends_what_it_should_not_know() -> None:
        stream = await trio.open_tcp_stream("server", PORT)
        await stream.send_all(b"same")
        await stream.send_all(b"run %d" % next(escaped))

    diverged = checked(sends_what_it_should_not_know)

    assert diverged is not None
    assert diverged.first is not None
    assert diverged.second is not None
    assert diverged.first.what == diverged.second.what == "send"
    assert str(diverged).count("in sends_what_it_should_not_know") == 2


def test_a_timer_that_differs_is_caught() -> None:
    escaped = itertools.count(1)

    async def sleeps_as_long_as_the_real_clock_says() -> None:
        await trio.sleep(next(escaped))

    diverged = checked(sleeps_as_long_as_the_real_clock_says)

    assert diverged is not None
    assert diverged.second is not None
    assert diverged.second.what == "run"


def test_tasks_started_in_the_order_of_their_addresses_are_caught() -> None:
    orders = itertools.cycle([["a", "b", "c"], ["c", "b", "a"]])

    async def named() -> None:
        await trio.sleep(1)

    async def starts_them() -> None:
        async with trio.open_nursery() as nursery:
            for name in next(orders):
                nursery.start_soon(named, name=name)

    diverged = checked(starts_them)

    assert diverged is not None
    assert "order of tasks" in str(diverged)


def test_a_run_that_is_shorter_than_the_other_is_caught() -> None:
    escaped = itertools.count()

    async def stops_early() -> None:
        for _ in range(5 - next(escaped)):
            await trio.sleep(1)

    diverged = checked(stops_early)

    assert diverged is not None
    assert diverged.second is None or diverged.first is not None


def test_the_second_run_stops_where_it_diverges() -> None:
    reached: list[int] = []
    escaped = itertools.count(1)

    async def long_program() -> None:
        run = next(escaped)
        await trio.sleep(run)
        for second in range(100):
            await trio.sleep(1)
            reached.append(run * 1000 + second)

    assert checked(long_program) is not None
    assert len([step for step in reached if step >= 2000]) <= 1


@pytest.mark.parametrize("draws", [0, 3])
def test_draws_from_random_are_on_the_tape(draws: int) -> None:
    import random

    counts = itertools.cycle([0, draws])

    async def draws_some() -> None:
        for _ in range(next(counts)):
            random.random()
        await trio.sleep(1)

    assert (checked(draws_some) is None) == (draws == 0)


def test_a_choice_shows_the_lines_of_the_program_and_of_nothing_else() -> None:
    async def sends() -> None:
        stream = await trio.open_tcp_stream("server", PORT)
        await stream.send_all(b"hello")

    log = ChoiceLog()
    with World(1, choice_log=log) as world:
        world.machine("server").start(echo_server)
        world.machine("client").start(sends)
        world.run(until_s=1)

    sent = next(choice for choice in log.choices if choice.what == "send" and choice.process == "client#0")
    *_, line = str(sent).splitlines()
    assert len(sent.stack) == 1
    assert line.endswith(f"test_choice_log.py:{sends.__code__.co_firstlineno + 2} in sends")
