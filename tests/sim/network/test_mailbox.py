"""Messages without sockets meet the same network."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from ostrakon.harness.sim import Constant, Disturbance, Machine, SimulationError, World


async def keep_all(machine: Machine, received: list[Any]) -> None:
    assert machine.process is not None
    while True:
        received.append(await machine.process.mailbox.receive())


async def count_to(machine: Machine, last: int) -> None:
    assert machine.process is not None
    for number in range(last):
        machine.process.mailbox.send("b", number)
        await trio.sleep(0.01)


def exchange(prepare: Any = bool, last: int = 100) -> list[Any]:
    """What b receives of what a sends."""
    received: list[Any] = []
    with World(1, latency=Constant(1)) as world:
        a, b = world.machine("a"), world.machine("b")
        b.start(lambda: keep_all(b, received))
        a.start(lambda: count_to(a, last))
        prepare(world)
        world.run(until_s=10)
    return received


def test_messages_arrive_as_the_objects_they_are() -> None:
    assert exchange(last=5) == [("a", number) for number in range(5)]


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("drop", 50, 90), ("duplicate", 110, 150), ("reorder", 100, 100)]
)
def test_message_faults_strike_them(kind: Any, low: int, high: int) -> None:
    received = exchange(lambda world: world.network.disturb(Disturbance(kind, 0.3, ms=50)))

    assert low <= len(received) <= high
    assert (received == sorted(received)) == (kind != "reorder")


def test_a_cut_loses_them_and_a_hold_keeps_them() -> None:
    def cut(world: World) -> None:
        it = world.network.cut({"b": ["a"]})
        world.call_later(0.5, world.network.mend, it)

    def hold(world: World) -> None:
        it = world.network.hold([("a", "b")])
        world.call_later(0.5, world.network.release, it)

    assert 40 < len(exchange(cut)) < 60
    assert exchange(hold) == exchange()


def test_a_new_process_finds_its_mailbox_empty() -> None:
    received = exchange(lambda world: world.call_later(0.5, world.machines["b"].restart))

    assert 95 < len(received) <= 100


def test_an_unknown_receiver_is_named() -> None:
    with World(1) as world:
        machine = world.machine("a")
        process = machine.start(trio.sleep_forever)
        with pytest.raises(SimulationError, match="called 'nobody'"):
            process.mailbox.send("nobody", 1)
