"""Crashes at chosen moments, rare branches on purpose, and ctrl-C."""

from __future__ import annotations

import os
import signal

import pytest
import trio

from ostrakon.harness.sim import Machine, World, sometimes
from tests.sim.toy import echo_server


async def two_step_save(machine: Machine) -> None:
    """Writes a record, syncs it, and only then says so in a second file."""
    await machine.disk.append("log", b"record")
    await machine.disk.sync("log")
    await machine.disk.append("said", b"saved")
    await trio.sleep(1)
    await machine.disk.sync("said")


def test_power_can_fail_exactly_between_a_write_and_its_sync() -> None:
    outcomes: set[bytes] = set()
    for seed in range(40):
        with World(seed) as world:
            machine = world.machine("a")

            def cut_power(operation: str, path: str, machine: Machine = machine) -> None:
                if (operation, path) == ("sync", "log"):
                    machine.power_off()

            machine.disk.on_operation = cut_power
            machine.start(lambda machine=machine: two_step_save(machine))  # type: ignore[misc]
            world.run()
            assert "said" not in machine.disk.files
            outcomes.add(machine.disk.files.get("log", b""))

    assert {b"", b"record"} < outcomes, "nothing, everything, and something torn"


def test_a_process_can_be_killed_at_each_of_its_awaits_in_turn() -> None:
    def reached(passes: int) -> tuple[bool, bool]:
        with World(1) as world:
            machine = world.machine("a")
            process = machine.start(lambda: two_step_save(machine))
            process.crash_at(passes)
            world.run()
            return "log" in machine.disk.files, "said" in machine.disk.files

    outcomes = [reached(passes) for passes in range(1, 12)]

    assert sorted(set(outcomes)) == [(False, False), (True, False), (True, True)]
    assert outcomes == sorted(outcomes), "a later crash leaves no less"


def taken(seed: int, buggify: float) -> int:
    """How often a program takes its rare branch in 100 tries."""
    count = 0

    async def program() -> None:
        nonlocal count
        for _ in range(100):
            count += sometimes("take the long way")

    with World(seed, buggify=buggify) as world:
        world.machine("a").start(program)
        world.run()
        point = world.sometimes.points["take the long way"]
        assert (point.reached, point.fired) == (100, count)
    return count


def test_rare_branches_are_taken_in_some_worlds_and_then_often() -> None:
    counts = [taken(seed, buggify=0.5) for seed in range(20)]

    assert 4 < counts.count(0) < 16
    assert all(count == 0 or 10 < count < 45 for count in counts)
    assert counts == [taken(seed, buggify=0.5) for seed in range(20)]


def test_rare_branches_are_not_taken_unless_asked_for() -> None:
    assert taken(1, buggify=0.0) == 0
    assert not sometimes("outside of any simulation")


def test_ctrl_c_interrupts_between_two_ticks_and_the_world_can_still_be_closed() -> None:
    ended: list[str] = []

    async def careful() -> None:
        try:
            await echo_server()
        finally:
            ended.append("careful")

    before = signal.getsignal(signal.SIGINT)
    with World(1) as world:
        world.machine("a").start(careful)
        world.call_later(1, os.kill, os.getpid(), signal.SIGINT)
        world.call_later(2, ended.append, "ran on")
        with pytest.raises(KeyboardInterrupt):
            world.run(until_s=10)
        assert ended == []

    assert ended == ["careful"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_stops_a_program_that_never_waits() -> None:
    ctrl_c = signal.raise_signal  # The real one, which the simulation does not find here.

    async def spins() -> None:
        for _ in range(10**9):
            ctrl_c(signal.SIGINT)

    world = World(1)
    world.machine("a").start(spins)
    with pytest.raises(KeyboardInterrupt):
        world.run()
    world.close()
