"""A program that never waits is ended, and told where it was."""

from __future__ import annotations

import signal

import trio

from ostrakon.harness.sim import EndlessLoop, World


async def computes_for_ever() -> None:
    await trio.sleep(1)
    number = 0
    while True:
        try:
            number += 1
        except Exception:  # A program that catches everything does not get away.
            continue


async def waits_now_and_then(rounds: int) -> None:
    for _ in range(rounds):
        sum(range(20_000))
        await trio.sleep(0.1)


def test_a_program_that_computes_for_ever_is_ended_where_it_is() -> None:
    with World(1) as world:
        world.cpu_limit_s = 0.02
        world.machine("a").start(computes_for_ever)
        world.machine("b").start(lambda: waits_now_and_then(20))
        world.run()

        [crash] = world.crashes
        assert isinstance(crash.error, EndlessLoop)
        assert "a#0 has computed for 0.02 s of CPU time without waiting once" in str(crash.error)
        assert "in computes_for_ever" in crash.traceback
        assert world.now_s > 2, "the others go on"


def test_programs_that_wait_now_and_then_may_compute_as_long_as_they_like() -> None:
    with World(1) as world:
        world.cpu_limit_s = 0.02
        process = world.machine("a").start(lambda: waits_now_and_then(200))
        world.run()

        assert process.done
        assert world.crashes == []


def test_nothing_is_left_of_it_when_the_world_has_run() -> None:
    with World(1) as world:
        world.machine("a").start(lambda: waits_now_and_then(1))
        world.run()

    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)
    assert signal.getsignal(signal.SIGVTALRM) == signal.SIG_DFL
