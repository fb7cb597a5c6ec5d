from __future__ import annotations

import random
from collections.abc import Sequence

import trio
import trio.testing

from ostrakon.harness.live.flow import RETRANSMISSION_S, Blockade, Flow, Link
from ostrakon.harness.substrates.framing import Lines
from ostrakon.harness.substrates.message_faults import Disturbance, Disturbed

MESSAGES = [b"%d\n" % number for number in range(50)]
MS = 1_000_000


def a_link(*disturbances: Disturbance, latency_ms: Sequence[int] = (1,)) -> Link:
    rng = random.Random(7)
    link = Link(("n1", "n2"), lambda: rng.choice(latency_ms) * MS, random.Random(8))
    link.disturbed.extend(Disturbed(disturbance) for disturbance in disturbances)
    return link


async def carried(
    link: Link, messages: Sequence[bytes] = MESSAGES, *, framed: bool = True, datagrams: bool = False
) -> list[bytes]:
    """What comes out of a flow that these messages are put into, one by one."""
    sender, source = trio.testing.memory_stream_pair()
    sink, receiver = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Flow(link, Lines() if framed else None, datagrams=datagrams).run, source, sink)
        for message in messages:
            await sender.send_all(message)
            await trio.testing.wait_all_tasks_blocked()
        await sender.send_eof()
        return b"".join([chunk async for chunk in receiver]).splitlines(keepends=True)


async def test_an_observer_is_told_of_every_message_and_of_those_that_are_lost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    told: list[tuple[bytes, float, float | None]] = []
    link = a_link(Disturbance("drop", 0.5), latency_ms=(10,))
    sender, source = trio.testing.memory_stream_pair()
    sink, receiver = trio.testing.memory_stream_pair()

    async with trio.open_nursery() as nursery:
        begun_s = trio.current_time()
        flow = Flow(link, Lines(), lambda name, message, begun, ended: told.append((message, begun, ended)))
        nursery.start_soon(flow.run, source, sink)
        await sender.send_all(b"".join(MESSAGES))
        await sender.send_eof()
        arrived = b"".join([chunk async for chunk in receiver]).splitlines(keepends=True)

    assert sorted(message for message, _, _ in told) == sorted(MESSAGES)
    assert [message for message, _, ended in told if ended is not None] == arrived
    assert 0 < len(arrived) < len(MESSAGES)
    assert {begun for _, begun, _ in told} == {begun_s}
    assert all(ended is None or ended >= begun_s + 0.01 for _, _, ended in told)


async def test_whatever_the_latencies_what_is_not_disturbed_arrives_in_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    assert await carried(a_link(latency_ms=(1, 5, 200))) == MESSAGES
    assert await carried(a_link(latency_ms=(1, 5, 200)), framed=False) == MESSAGES


async def test_delay_makes_messages_late_and_keeps_their_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    link = a_link(Disturbance("delay", 1.0, 1000))

    assert await carried(link) == MESSAGES
    assert trio.current_time() > 1
    assert link.disturbed[0].messages == len(MESSAGES)


async def test_drop_loses_whole_messages_where_they_can_be_told_apart(
    autojump_clock: trio.testing.MockClock,
) -> None:
    link = a_link(Disturbance("drop", 0.5))

    arrived = await carried(link)

    assert len(arrived) == len(MESSAGES) - link.disturbed[0].messages
    assert 0 < len(arrived) < len(MESSAGES)
    assert arrived == [message for message in MESSAGES if message in arrived]


async def test_drop_of_bytes_without_a_framing_is_what_tcp_makes_of_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    began = trio.current_time()

    assert await carried(a_link(Disturbance("drop", 1.0)), framed=False) == MESSAGES
    assert trio.current_time() - began >= RETRANSMISSION_S


async def test_duplicates_arrive_twice(autojump_clock: trio.testing.MockClock) -> None:
    arrived = await carried(a_link(Disturbance("duplicate", 1.0)))

    assert sorted(arrived) == sorted(MESSAGES * 2)


async def test_reordered_messages_are_overtaken_and_none_is_lost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    arrived = await carried(a_link(Disturbance("reorder", 0.5, 500)))

    assert arrived != MESSAGES
    assert sorted(arrived) == sorted(MESSAGES)


async def test_what_is_blocked_waits_counts_once_and_then_arrives(
    autojump_clock: trio.testing.MockClock,
) -> None:
    link = a_link()
    blockade = Blockade((link,))
    link.blockades.append(blockade)
    arrived: list[bytes] = []

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def carry() -> None:
            arrived.extend(await carried(link, MESSAGES[:3]))

        await trio.sleep(60)
        assert arrived == []
        link.lift(blockade)

    assert arrived == MESSAGES[:3]
    assert blockade.messages == 1, "only the first was held up; the others had not come so far"


async def test_a_datagram_is_overtaken_by_one_that_is_faster_and_none_is_lost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    arrived = await carried(a_link(latency_ms=(1, 5, 200)), datagrams=True)

    assert arrived != MESSAGES
    assert sorted(arrived) == sorted(MESSAGES)


async def test_a_partition_loses_datagrams_and_counts_them(autojump_clock: trio.testing.MockClock) -> None:
    link = a_link()
    blockade = Blockade((link,), loses=True)
    link.blockades.append(blockade)

    assert await carried(link, MESSAGES[:3], datagrams=True) == []
    assert blockade.messages == 3
    link.lift(blockade)
    assert await carried(link, MESSAGES[:3], datagrams=True) == MESSAGES[:3]


async def test_one_blockade_less_is_not_none(autojump_clock: trio.testing.MockClock) -> None:
    link = a_link()
    one, other = Blockade((link,)), Blockade((link,))
    link.blockades.extend((one, other))

    link.lift(one)
    with trio.move_on_after(60) as patience:
        await link.passes()

    assert patience.cancelled_caught
    link.lift(other)
    await link.passes()
