"""Nodes on real loopback sockets: what the core wants done is done, in order; strangers are not believed."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
import trio
import trio.testing

from ostrakon.paxos_impl.client.decree import Client, NoAnswer, get, propose, status
from ostrakon.paxos_impl.core import (
    Ballot,
    Chosen,
    Prepare,
    Refused,
    Rules,
    TraceEvent,
    Unknown,
)
from ostrakon.paxos_impl.server.decree_node import NodeConfig, serve
from ostrakon.paxos_impl.server.send_queue import SendQueue
from ostrakon.paxos_impl.server.timing import Timing
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed
from ostrakon.paxos_impl.wire.decree import (
    PROTOCOL,
    ClientGet,
    ClientPropose,
    Envelope,
    Hello,
    Status,
    cluster_tag,
    framed,
)
from ostrakon.paxos_impl.wire.frame import frame
from ostrakon.paxos_impl.wire.membership import Address, Membership
from tests.paxos_impl.storage.memory_disk import MemoryDisk
from tests.ports import LONG_S, free_ports

QUICK = Timing(retransmit_s=0.05, back_off_s=0.01, pull_s=0.03, max_s=0.1)


class Cluster:
    """Instances in one nursery; each can be killed and started again on its own disk."""

    def __init__(self, size: int, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.ids = tuple(range(1, size + 1))
        self.disks = {server_id: MemoryDisk() for server_id in self.ids}
        self.trace: list[TraceEvent] = []
        self.log: list[str] = []
        self._scopes: dict[int, trio.CancelScope] = {}
        ports = zip(self.ids, free_ports(size), strict=True)
        self.membership = Membership({n: Address("127.0.0.1", port) for n, port in ports}, "blue")

    async def start(self, server_id: int, rules: Rules | None = None) -> None:
        self._scopes[server_id] = await self._nursery.start(self._run, server_id, rules or Rules())

    async def kill(self, server_id: int) -> None:
        """Like losing power, except that connections are closed."""
        self._scopes[server_id].cancel()
        await trio.testing.wait_all_tasks_blocked()
        self.disks[server_id].lose_power()

    def address(self, server_id: int) -> Address:
        return self.membership.members[server_id]

    async def _run(
        self, server_id: int, rules: Rules, task_status: trio.TaskStatus[trio.CancelScope]
    ) -> None:
        config = NodeConfig(server_id, self.membership, timing=QUICK)
        async with trio.open_nursery() as nursery:
            await nursery.start(
                lambda *, task_status: serve(
                    config,
                    disk=self.disks[server_id],
                    rng=Random(server_id),
                    rules=rules,
                    tracer=self.trace.append,
                    log=self.log.append,
                    task_status=task_status,
                )
            )
            task_status.started(nursery.cancel_scope)


@asynccontextmanager
async def cluster(size: int = 3, *, up: tuple[int, ...] | None = None) -> AsyncIterator[Cluster]:
    async with trio.open_nursery() as nursery:
        made = Cluster(size, nursery)
        for server_id in made.ids if up is None else up:
            await made.start(server_id)
        with trio.fail_after(LONG_S):
            yield made
        nursery.cancel_scope.cancel()


async def known(address: Address) -> Any:
    """The decree, once this instance knows it."""
    while not isinstance(outcome := await get([address], timeout_s=LONG_S), Chosen):
        await trio.sleep(0.005)
    return outcome.value


async def test_what_one_instance_is_asked_to_propose_all_of_them_know() -> None:
    async with cluster() as three:
        before = await get([three.address(3)], timeout_s=LONG_S)
        chosen = await propose([three.address(2)], "x", timeout_s=LONG_S)

        assert before == Unknown()
        assert chosen == Chosen("x", Ballot(1, 2))
        assert [await known(three.address(n)) for n in three.ids] == ["x", "x", "x"]


async def test_duelling_clients_hear_one_and_the_same_value() -> None:
    heard: list[Any] = []

    async def ask(address: Address, value: str) -> None:
        heard.append(await propose([address], value, timeout_s=LONG_S))

    async with cluster() as three, trio.open_nursery() as clients:
        for server_id in three.ids:
            clients.start_soon(ask, three.address(server_id), f"v{server_id}")

    assert len(heard) == 3
    assert len({outcome.value for outcome in heard}) == 1


async def test_the_decree_outlives_a_power_failure_of_all() -> None:
    async with cluster() as three:
        await propose([three.address(1)], "x", timeout_s=LONG_S)
        for server_id in three.ids:
            await three.kill(server_id)
        for server_id in three.ids:
            await three.start(server_id)

        assert [await known(three.address(n)) for n in three.ids] == ["x", "x", "x"]
        assert (await status_of(three.address(1))).incarnation == 1


async def test_a_majority_is_enough_and_the_one_that_was_down_catches_up() -> None:
    async with cluster(up=(1, 2)) as three:
        await propose([three.address(1)], "x", timeout_s=LONG_S)
        await three.start(3)

        assert await known(three.address(3)) == "x"


async def test_a_minority_does_not_decide() -> None:
    async with cluster(up=(1,)) as three:
        with pytest.raises(NoAnswer, match="no answer in time"):
            await propose([three.address(1)], "x", timeout_s=0.3)

        assert await get([three.address(1)], timeout_s=LONG_S) == Unknown()
        assert not [event for event in three.trace if event.event == "learned"]


async def test_nothing_leaves_before_it_is_durable() -> None:
    async with cluster() as three:
        three.disks[2].gate = trio.Event()
        await propose([three.address(1)], "x", timeout_s=LONG_S)
        spoken = {event.event for event in three.trace if event.node == "n2"}
        three.disks[2].gate.set()
        three.disks[2].gate = None

        assert not spoken & {"promise_sent", "accept_sent", "learned", "persisted"}
        assert await known(three.address(2)) == "x"


class Hasty(Rules):
    def release(self, persists: int) -> int | None:
        return None


async def test_it_is_the_rules_that_make_a_message_wait() -> None:
    """The test above would see a promise that leaves too early."""
    async with cluster(up=(1, 3)) as three:
        await three.start(2, Hasty())
        three.disks[2].gate = trio.Event()
        await propose([three.address(1)], "x", timeout_s=LONG_S)
        while not [event for event in three.trace if (event.node, event.event) == ("n2", "promise_sent")]:
            await trio.sleep(0.005)

        assert not [event for event in three.trace if (event.node, event.event) == ("n2", "persisted")]


async def test_what_came_in_during_a_sync_is_made_durable_by_one_more() -> None:
    async with cluster(1, up=()) as one:
        disk = one.disks[1]
        await one.start(1)
        disk.gate = trio.Event()
        async with Client(one.address(1)) as client, trio.open_nursery() as clients:
            clients.start_soon(client.propose, "x")
            await trio.testing.wait_all_tasks_blocked()
            syncs = disk.syncs
            async with await trio.open_tcp_stream(*one.address(1)) as other:
                await other.send_all(b"".join(framed(ClientPropose(n, f"v{n}")) for n in range(50)))
                await trio.sleep(0.02)
            disk.gate.set()

        assert await known(one.address(1)) == "x"
        assert disk.syncs - syncs <= 3, "promise, vote and decree; not one for each client"


async def test_a_node_whose_disk_fails_stops_and_says_so() -> None:
    disk = MemoryDisk()
    config = NodeConfig(1, Membership({1: Address("127.0.0.1", 0)}, "blue"))

    async def propose_on_a_failing_disk() -> None:
        async with trio.open_nursery() as nursery:
            address = await nursery.start(
                lambda *, task_status: serve(config, disk=disk, rng=Random(1), task_status=task_status)
            )
            disk.failing = errno.EIO
            with pytest.raises(NoAnswer):
                await propose([address], "x", timeout_s=LONG_S)

    with pytest.raises(ExceptionGroup) as caught:
        await propose_on_a_failing_disk()

    (error,) = caught.value.exceptions
    assert isinstance(error, StorageFailed)
    assert "log: Input/output error" in str(error)


# Who speaks to it.


BLUE = cluster_tag("blue")
PREPARE = framed(Envelope("n9.0.1", Prepare(Ballot(99, 2)), BLUE))
STRAY = framed(Envelope("n9.0.1", Prepare(Ballot(99, 2)), cluster_tag("red")))
ASTRAY = framed(Envelope("n9.0.1", Prepare(Ballot(99, 2)), BLUE, group=1))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "a frame says it is"),
        (frame(b"nonsense"), "not a message that an instance takes"),
        (PREPARE, "did not say hello"),
        (framed(Hello(PROTOCOL, "red", 2, 1, 0)) + PREPARE, "belongs to cluster 'red'; this is 'blue'"),
        (
            framed(Hello(PROTOCOL + 1, "blue", 2, 1, 0)) + PREPARE,
            f"speaks protocol {PROTOCOL + 1}; this is {PROTOCOL}",
        ),
        (framed(Hello(PROTOCOL, "blue", 2, 3, 0)) + PREPARE, "means to talk to server 3; this is 1"),
        (framed(Hello(PROTOCOL, "blue", 9, 1, 0)) + PREPARE, "is no other member"),
        (framed(Hello(PROTOCOL, "blue", 1, 1, 0)) + PREPARE, "is no other member"),
        (framed(Hello(PROTOCOL, "blue", 2, 1, 0)) + STRAY, "server 2 sent a message of another cluster"),
        (framed(Hello(PROTOCOL, "blue", 2, 1, 0)) + ASTRAY, "sent a message to group 1; there is none"),
        (framed(Hello(PROTOCOL, "blue", 2, 1, 0)) + framed(ClientGet(1)), "sent ClientGet to a server"),
        (framed(ClientGet(1)) + framed(Hello(PROTOCOL, "blue", 2, 1, 0)), "a client sent Hello"),
    ],
)
async def test_who_makes_no_sense_is_cut_off_with_a_reason_and_nobody_else_is(said: bytes, why: str) -> None:
    async with cluster(up=(1,)) as three, await trio.open_tcp_stream(*three.address(1)) as stream:
        await stream.send_all(said)
        with trio.fail_after(LONG_S):
            while await stream.receive_some():
                pass

        assert any(why in line for line in three.log), three.log
        assert await get([three.address(1)], timeout_s=LONG_S) == Unknown()
        assert (await status_of(three.address(1))).promised is None, "it believed a stranger"


async def test_a_hello_from_before_a_restart_is_refused() -> None:
    async with cluster(up=(1,)) as three:
        async with await trio.open_tcp_stream(*three.address(1)) as new:
            await new.send_all(framed(Hello(PROTOCOL, "blue", 2, 1, 5)) + PREPARE)
            while (await status_of(three.address(1))).promised is None:
                await trio.sleep(0.005)
            async with await trio.open_tcp_stream(*three.address(1)) as old:
                await old.send_all(framed(Hello(PROTOCOL, "blue", 2, 1, 4)) + PREPARE)
                assert await old.receive_some() == b""

        assert any("has been restarted" in line for line in three.log)


async def test_a_hello_and_messages_that_come_twice_do_no_harm() -> None:
    hello = framed(Hello(PROTOCOL, "blue", 2, 1, 0))
    async with cluster(up=(1,)) as three, await trio.open_tcp_stream(*three.address(1)) as stream:
        await stream.send_all(hello + PREPARE + hello + PREPARE)
        while len([e for e in three.trace if e.event == "promise_sent"]) < 2:
            await trio.sleep(0.005)

        assert (await status_of(three.address(1))).promised == Ballot(99, 2)


@pytest.mark.parametrize(
    ("value", "why"),
    [(None, "null stands for no value"), ("x" * 300_000, "too long"), ({(): 1}, "not plain data")],
)
async def test_a_value_that_can_t_be_a_decree_is_refused(value: Any, why: str) -> None:
    async with cluster(1) as one:
        outcome = await propose([one.address(1)], value, timeout_s=LONG_S)

        assert isinstance(outcome, Refused)
        assert why in outcome.why


@pytest.mark.parametrize("value", [0, "", False, {"a": [1, None]}, "x" * 200_000])
async def test_any_other_plain_value_can_be(value: Any) -> None:
    async with cluster() as three:
        await propose([three.address(1)], value, timeout_s=LONG_S)

        assert await known(three.address(3)) == value


async def test_a_client_that_leaves_does_not_take_its_proposal_along() -> None:
    async with cluster(up=(1,)) as three:
        async with await trio.open_tcp_stream(*three.address(1)) as stream:
            await stream.send_all(framed(ClientPropose(1, "x")))
            while not [e for e in three.trace if e.event == "prepare_sent"]:
                await trio.sleep(0.005)
        await three.start(2)

        assert await known(three.address(2)) == "x"


async def test_the_client_goes_on_to_the_next_instance_when_one_is_dead() -> None:
    async with cluster(up=(2, 3)) as three:
        addresses = [three.address(n) for n in three.ids]

        assert await get(addresses, timeout_s=LONG_S) == Unknown()
        assert isinstance(await propose(addresses, "x", timeout_s=LONG_S), Chosen)
        assert (await get([addresses[0], addresses[2]], timeout_s=LONG_S)) is not None
        with pytest.raises(NoAnswer):
            await get(addresses[:1], timeout_s=LONG_S)


async def test_traces_of_a_cluster_are_in_order_and_free_of_gaps() -> None:
    async with cluster() as three:
        await propose([three.address(2)], "x", timeout_s=LONG_S)
        while not [e for e in three.trace if (e.node, e.event) == ("n2", "accept_sent")]:
            await trio.sleep(0.005)
        await three.kill(2)
        await three.start(2)
        assert await known(three.address(2)) == "x"

    for node, incarnation in {(event.node, event.incarnation) for event in three.trace}:
        life = [event for event in three.trace if (event.node, event.incarnation) == (node, incarnation)]
        assert [event.seq for event in life] == list(range(len(life)))
        assert life[0].event == "restart"
    restarted = next(e for e in three.trace if (e.node, e.incarnation, e.event) == ("n2", 1, "restart"))
    assert restarted.accepted == ((0, Ballot(1, 2), "x"),)


# The pieces.


async def test_a_full_outbox_lets_the_oldest_go() -> None:
    outbox = SendQueue(2)
    for letter in (b"a", b"b", b"c"):
        outbox.put(letter)

    await outbox.wait_filled()

    assert outbox.take() == b"bc"
    assert outbox.take() == b""


def test_waits_grow_up_to_a_limit_and_differ() -> None:
    rng = Random(1)
    waits = [QUICK.delay_s("back_off", attempt, rng) for attempt in range(30)]

    assert all(0 < wait <= QUICK.max_s for wait in waits)
    assert max(waits[:2]) < max(waits[5:])
    assert len(set(waits)) == len(waits)


async def status_of(address: Address) -> Status:
    """What an instance says of itself once it knows its peers."""
    told = await status(address, timeout_s=LONG_S)
    assert isinstance(told, Status), f"{address} still waits for its peers"
    return told
