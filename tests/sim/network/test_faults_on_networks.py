"""What can be done to a network, on two processes that talk, and that it ends."""

from __future__ import annotations

import pytest
import trio

from ostrakon.harness.sim import (
    Constant,
    Disturbance,
    LengthPrefixed,
    Lines,
    LinkMessage,
    MessageDeviation,
    SimulationError,
    World,
)
from tests.sim.toy import PORT, Client, echo_server, echo_world

BOTH = {"server": ["client"], "client": ["server"]}


def test_a_short_cut_is_repaired_by_retransmission_and_nobody_sees_it() -> None:
    client = Client(lines=20)
    world, _, machine = echo_world(1, client)
    with world:
        world.run(until_s=0.5)
        cut = world.network.cut(BOTH)
        world.run(until_s=1.5)
        echoed = client.echoed
        stopped = world.network.mend(cut)
        world.run(stop=lambda: not machine.is_running)

    assert stopped > 0
    assert echoed < 7
    assert client.echoed == 20
    assert client.log == []


def test_a_long_cut_shows_as_timeouts_until_it_is_mended() -> None:
    client = Client(lines=20)
    world, _, machine = echo_world(1, client)
    with world:
        world.run(until_s=0.5)
        cut = world.network.cut(BOTH)
        world.run(until_s=20)
        world.network.mend(cut)
        world.run(stop=lambda: not machine.is_running)

    assert {name for _, name in client.log} == {"TooSlowError"}
    assert client.echoed == 20


@pytest.mark.parametrize("grudge", [{"server": ["client"]}, {"client": ["server"]}], ids=["there", "back"])
def test_a_cut_in_one_direction_stops_that_direction_only(grudge: dict[str, list[str]]) -> None:
    client = Client(lines=20, timeout_s=60)
    world, _, _ = echo_world(1, client)
    with world:
        world.run(until_s=0.5)
        counts = {link.name: link.delivered for link in world.network.links}
        world.network.cut(grudge)
        world.run(until_s=3)
        delivered = {link.name: link.delivered - counts[link.name] for link in world.network.links}

    ((receiver, (sender,)),) = grudge.items()
    assert delivered[sender, receiver] == 0
    assert delivered[receiver, sender] <= 1


def test_overlapping_cuts_do_not_heal_each_other() -> None:
    client = Client(lines=20, timeout_s=3600)
    world, _, machine = echo_world(1, client)
    with world:
        world.run(until_s=0.5)
        first, second = world.network.cut(BOTH), world.network.cut({"server": ["client"]})
        world.network.mend(first)
        world.network.mend(first)
        world.run(until_s=5)
        echoed = client.echoed
        world.network.mend(second)
        world.run(stop=lambda: not machine.is_running)

    assert echoed <= 6
    assert client.echoed == 20


def test_nobody_can_connect_through_a_cut_and_trying_ends_after_two_minutes() -> None:
    client = Client(lines=1, timeout_s=3600)
    world, _, _ = echo_world(1, client)
    with world:
        cut = world.network.cut(BOTH)
        world.run(until_s=200, stop=lambda: bool(client.log))

        (failure,) = client.log
        assert failure == (127.0, "OSError")
        assert cut.messages == 7


def test_a_connection_that_cannot_send_breaks_after_fifteen_minutes() -> None:
    client = Client(lines=20, timeout_s=10_000)
    world, _, _ = echo_world(1, client)
    with world:
        world.run(until_s=0.5)
        world.network.cut(BOTH)
        world.run(until_s=3000, stop=lambda: bool(client.log))

        assert client.log[0][1] == "TimeoutError"
        assert 900 < world.now_s < 1100


def test_a_program_can_say_how_long_it_goes_unheard_before_its_connection_breaks() -> None:
    client = Client(lines=20, timeout_s=10_000, unheard_ms=2000)
    world, _, _ = echo_world(1, client)
    with world:
        world.run(until_s=0.5)
        world.network.cut(BOTH)
        world.run(until_s=100, stop=lambda: bool(client.log))

        assert client.log[0][1] == "TimeoutError"
        assert 2.5 < world.now_s < 5


def test_connections_can_be_reset() -> None:
    client = Client(lines=20)
    world, _, machine = echo_world(1, client)
    with world:
        world.run(until_s=0.5)
        assert world.network.reset_connections("client", "server") == 1
        world.run(stop=lambda: not machine.is_running)

    assert [name for _, name in client.log] == ["ConnectionResetError"]
    assert client.echoed == 20


def test_unknown_machines_are_named_with_the_known_ones() -> None:
    world, _, _ = echo_world(1, Client(lines=1))
    with world, pytest.raises(SimulationError, match=r"called 'n9'; there are: server, client"):
        world.network.cut({"n9": ["server"]})


async def _collect(received: list[bytes]) -> None:
    listener = (await trio.open_tcp_listeners(PORT))[0]
    stream = await listener.accept()
    buffer = b""
    async for chunk in stream:
        buffer += chunk
        while len(buffer) >= 5:
            received.append(buffer[:5])
            buffer = buffer[5:]


async def _send_numbers(count: int) -> None:
    stream = await trio.open_tcp_stream("server", PORT)
    for number in range(count):
        await stream.send_all(b"\x00\x00\x00\x01" + bytes([number]))
        await trio.sleep(0.001)
    await trio.sleep(10)
    await stream.aclose()
    await trio.sleep(10)


def frames_received(
    *,
    disturbance: Disturbance | None = None,
    deviations: dict[int, MessageDeviation] | None = None,
    framed: bool = True,
) -> tuple[list[int], World]:
    """Which of 100 numbered frames arrive, in order of arrival; number 0 is the handshake."""
    received: list[bytes] = []
    with World(3, latency=Constant(1.0), framing=LengthPrefixed() if framed else None) as world:
        world.machine("server").start(lambda: _collect(received))
        client = world.machine("client").start(lambda: _send_numbers(100))
        if disturbance is not None:
            world.network.disturb(disturbance)
        world.network.deviations = deviations or {}
        world.run(stop=lambda: client.done)
    return [frame[4] for frame in received], world


def test_dropped_frames_are_missing_and_the_stream_stays_well_formed() -> None:
    received, world = frames_received(disturbance=Disturbance("drop", 0.3))

    assert received == sorted(set(received))
    assert 50 < len(received) < 90
    assert received[0] == 0, "the handshake is exempt"
    assert world.network.link("client", "server").dropped == 100 - len(received)


def test_duplicated_frames_come_twice() -> None:
    received, _ = frames_received(disturbance=Disturbance("duplicate", 0.3))

    assert set(received) == set(range(100))
    assert 110 < len(received) < 150


def test_reordered_frames_overtake_each_other_and_none_is_missing() -> None:
    received, _ = frames_received(disturbance=Disturbance("reorder", 0.3, ms=20))

    assert sorted(received) == list(range(100))
    assert received != sorted(received)


def test_delayed_frames_hold_up_those_behind_them() -> None:
    received, world = frames_received(disturbance=Disturbance("delay", 0.3, ms=20))

    assert received == list(range(100))
    assert world.network.link("client", "server").delayed > 10


@pytest.mark.parametrize("kind", ["drop", "duplicate", "reorder", "delay"])
def test_tcp_hides_all_but_delay_where_the_framing_is_unknown(kind: str) -> None:
    disturbance = Disturbance(kind, 0.3, ms=20)  # type: ignore[arg-type]
    received, _ = frames_received(disturbance=disturbance, framed=False)

    assert received == list(range(100))


def test_a_disturbance_ends_when_it_is_settled_and_tells_how_much_it_did() -> None:
    client = Client(lines=100, pause_s=0.01)
    world, _, machine = echo_world(1, client, framing=Lines())
    with world:
        disturbed = world.network.disturb(Disturbance("delay", 1.0, ms=10))
        world.run(until_s=0.5)
        struck = world.network.settle(disturbed)
        world.network.settle(disturbed)
        world.run(stop=lambda: not machine.is_running)

    assert struck > 10
    assert disturbed.messages == struck


def test_a_disturbance_strikes_the_links_it_names_only() -> None:
    client = Client(lines=20)
    world, _, machine = echo_world(1, client)
    with world:
        world.network.disturb(Disturbance("delay", 1.0, ms=10, links=[("client", "server")]))
        world.run(stop=lambda: not machine.is_running)

        assert world.network.link("client", "server").delayed == 20
        assert world.network.link("server", "client").delayed == 0


def test_connections_of_an_observer_are_neither_numbered_nor_disturbed() -> None:
    client = Client(lines=20)
    with World(1) as world:
        world.machine("server").start(echo_server)
        machine = world.machine("client", is_node=False)
        machine.start(client)
        world.network.disturb(Disturbance("drop", 1.0))
        world.run(stop=lambda: not machine.is_running)

        assert client.echoed == 20
        assert world.network.messages == 0


def test_single_messages_deviate_by_their_number() -> None:
    deviations = {
        0: MessageDeviation("drop"),
        5: MessageDeviation("duplicate"),
        10: MessageDeviation("delay", ms=5.5),
    }
    received, _ = frames_received(deviations=deviations)

    assert 1 not in received, "message 0 is the first after the handshake"
    assert received.count(6) == 2
    assert received.index(11) > received.index(15)


def test_every_message_is_told_with_its_times() -> None:
    told: list[LinkMessage] = []
    client = Client(lines=3)
    world, _, machine = echo_world(1, client, framing=Lines())
    with world:
        world.network.on_message = told.append
        world.network.deviations = {3: MessageDeviation("drop")}
        world.run(until_s=60, stop=lambda: not machine.is_running or len(told) >= 4)

    assert [message.number for message in told] == [0, 1, 2, 3]
    assert told[0].payload == b"1\n"
    assert (told[0].sender, told[0].receiver) == ("client", "server")
    assert all(m.received_ns is not None and m.sent_ns < m.received_ns for m in told[:3])
    assert told[3].received_ns is None


def test_a_link_of_its_own_latency_leaves_the_draws_of_others_alone() -> None:
    def arrivals(slow: bool) -> list[int]:
        told: list[LinkMessage] = []
        world, _, machine = echo_world(1, Client(lines=10, pause_s=1.0), framing=Lines())
        with world:
            world.network.on_message = told.append
            if slow:
                world.network.set_latency("server", "client", Constant(100))
            world.run(stop=lambda: not machine.is_running)
        there = [message for message in told if message.receiver == "server"]
        return [(message.received_ns or 0) - message.sent_ns for message in there]

    assert arrivals(slow=False) == arrivals(slow=True)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"kind": "vanish", "probability": 0.1}, "there are delay, reorder, drop, duplicate, throttle"),
        ({"kind": "drop", "probability": 2}, "the probability is 2, expected 0 to 1"),
        ({"kind": "delay", "probability": 0.1, "ms": -1}, "the delay is -1 ms, expected 0 or more"),
    ],
)
def test_a_disturbance_that_makes_no_sense_is_refused(bad: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Disturbance(**bad)  # type: ignore[arg-type]


def test_held_messages_are_looked_at_delivered_and_dropped_one_by_one() -> None:
    received: list[bytes] = []
    with World(3, latency=Constant(1.0), framing=LengthPrefixed()) as world:
        world.machine("server").start(lambda: _collect(received))
        world.machine("client").start(lambda: _send_numbers(6))
        world.run(until_s=0.0035)  # The handshake is through, and message 0 is there.
        hold = world.network.hold([("client", "server")])
        world.run(until_s=5)
        numbers = [message.payload[4] for message in hold.waiting]
        before = len(received)

        hold.deliver(hold.waiting[-1])
        hold.drop(hold.waiting[0])
        world.run(until_s=6)
        after_one = [frame[4] for frame in received[before:]]
        held_back = world.network.release(hold)
        world.network.release(hold)
        world.run(until_s=7)

    assert numbers == list(range(before, 6))
    assert after_one == [5]
    assert held_back == len(numbers)
    assert [frame[4] for frame in received[before:]] == [5, *range(before + 1, 5)]


def test_part_of_an_unframed_stream_cannot_be_taken_out() -> None:
    world, _, machine = echo_world(1, Client(lines=5))
    with world:
        hold = world.network.hold([("client", "server")])
        world.run(until_s=1)
        with pytest.raises(SimulationError, match="give the world a framing"):
            hold.drop(hold.waiting[0])
        world.network.release(hold)
        world.run(stop=lambda: not machine.is_running)

        assert machine.state == "ended"


def test_a_clogged_link_lets_everything_through_in_order_when_it_is_released() -> None:
    client = Client(lines=20)
    world, _, machine = echo_world(1, client)
    with world:
        world.run(until_s=0.5)
        hold = world.network.hold([("server", "client"), ("client", "server")])
        world.run(until_s=2)
        echoed = client.echoed
        assert world.network.release(hold) > 0
        world.run(stop=lambda: not machine.is_running)

    assert echoed < 7
    assert client.echoed == 20
    assert client.log == []


def test_bandwidth_makes_much_data_slow_and_little_data_wait_behind_it() -> None:
    def took(bytes_per_s: float | None) -> float:
        async def sends() -> None:
            stream = await trio.open_tcp_stream("server", PORT)
            await stream.send_all(bytes(50_000))
            await stream.send_all(b"end")
            assert await stream.receive_some() == b"end"

        async def waits_for_the_end() -> None:
            (listener,) = await trio.open_tcp_listeners(PORT)
            stream = await listener.accept()
            while not (await stream.receive_some()).endswith(b"end"):
                pass
            await stream.send_all(b"end")

        with World(1, latency=Constant(1)) as world:
            world.machine("server").start(waits_for_the_end)
            client = world.machine("client").start(sends)
            world.network.set_bandwidth("client", "server", bytes_per_s)
            world.run(stop=lambda: client.done)
            return world.now_s

    assert took(None) < 0.02
    assert took(100_000) == pytest.approx(0.5, abs=0.02)


def test_a_message_to_a_process_that_died_meanwhile_is_told_as_lost() -> None:
    told: list[LinkMessage] = []
    world, server, _ = echo_world(1, Client(lines=5), latency=Constant(10), framing=Lines())
    with world:
        world.network.on_message = told.append
        world.run(stop=lambda: world.network.messages == 3)
        server.kill()
        world.run(until_s=world.now_s + 0.05)

    assert [message.received_ns is None for message in told] == [False, False, True]
