"""Several groups in each server, on real loopback sockets: each has a log, and they share what they can."""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.client.connection import Connection
from ostrakon.paxos_impl.client.replica import NotDone, statuses
from ostrakon.paxos_impl.core.multi import Compaction
from ostrakon.paxos_impl.core.multi.message import Ask
from ostrakon.paxos_impl.kv.machine import BadOperation
from ostrakon.paxos_impl.kv.placement import group_of, group_of_key
from ostrakon.paxos_impl.server.dispatcher import Dispatcher
from ostrakon.paxos_impl.server.groups_server import GroupEvent, GroupsServer
from ostrakon.paxos_impl.server.metrics import rendered
from ostrakon.paxos_impl.server.metrics_endpoint import server_samples
from ostrakon.paxos_impl.server.replica_config import ReplicaConfig
from ostrakon.paxos_impl.wire.decree import Envelope, Hello, cluster_tag, framed
from ostrakon.paxos_impl.wire.replica import (
    PROTOCOL,
    Done,
    Elsewhere,
    Execute,
    Groups,
    InGroup,
    OpenSession,
    Read,
    Refused,
    Request,
    Status,
    read_response,
)
from tests.paxos_impl.server.test_replica_node import Cluster, cluster
from tests.ports import LONG_S

EIGHT = 8
FOUR = 4
KEYS = [f"k{n}" for n in range(40)]


def key_of(group: int, groups: int = FOUR) -> str:
    """A key that this group has."""
    return next(key for key in KEYS if group_of_key(key, groups) == group)


# Where keys are.


@pytest.mark.parametrize(("key", "group"), [("", 0), ("colour", 6), ("k0", 7), ("schlüssel", 6)])
def test_where_a_key_is_never_changes(key: str, group: int) -> None:
    """Clients, servers and their disks of all times have to agree."""
    assert group_of_key(key, EIGHT) == group


def test_keys_are_spread_evenly() -> None:
    counts = Counter(group_of_key(f"user/{n}", EIGHT) for n in range(8000))

    assert all(800 < counts[group] < 1200 for group in range(EIGHT))


@given(st.text(), st.text(), st.text(min_size=1).filter(lambda tag: "}" not in tag))
def test_names_with_the_same_part_in_braces_are_in_the_same_group(left: str, right: str, tag: str) -> None:
    left, right = left.replace("{", ""), right.replace("{", "")

    assert group_of_key(f"{left}{{{tag}}}{right}", EIGHT) == group_of_key(tag, EIGHT)


def test_an_operation_over_keys_of_several_groups_is_none() -> None:
    apart = ["txn", [["k0", 1]], [["put", "k1", 2]]]
    together = ["txn", [["{k}0", 1]], [["put", "{k}1", 2]]]

    assert group_of(together, EIGHT) == group_of_key("k", EIGHT)
    assert group_of(apart, 1) == 0
    with pytest.raises(BadOperation, match=r"'k0' in group 7, 'k1' in group .*\{x\}1 and \{x\}2"):
        group_of(apart, EIGHT)


# What clients and servers do.


async def fill(some: Cluster, name: str) -> None:
    async with some.client(name) as client:
        for key in KEYS:
            await client.execute(["append", key, name], timeout_s=LONG_S)


async def test_what_was_written_to_any_group_is_read_and_each_has_a_log_of_its_own() -> None:
    async with cluster(groups=FOUR) as three:
        async with trio.open_nursery() as nursery:
            for name in ("a", "b", "c"):
                nursery.start_soon(fill, three, name)
        async with three.client("reader", first=2) as client:
            for key in KEYS:
                told = await client.read(["get", key], timeout_s=LONG_S)
                assert sorted(told.result) == ["a", "b", "c"]

        applied: dict[int, set[int]] = defaultdict(set)
        seen: dict[tuple[int, int | None], object] = {}
        for event in three.trace:
            assert isinstance(event, GroupEvent)
            if event.event == "applied":
                assert event.slot is not None
                applied[event.group].add(event.slot)
                assert seen.setdefault((event.group, event.slot), event.value) == event.value
        assert len(applied) == FOUR
        assert all(slots == set(range(1, max(slots) + 1)) for slots in applied.values())


async def test_events_of_all_groups_make_one_trace_and_no_two_messages_share_an_id() -> None:
    async with cluster(groups=3) as three, three.client("a") as client:
        for group in range(3):
            await client.execute(["put", key_of(group, 3), 1], timeout_s=LONG_S)
        await three.kill(1)
        await three.start(1)
        await client.execute(["put", key_of(0, 3), 2], timeout_s=LONG_S)

    sent = [event.message for event in three.trace if event.message is not None]
    assert len(set(sent)) == len(sent) > 0
    assert {event.cause for event in three.trace if event.cause is not None} & set(sent)
    lives: dict[tuple[str, int], list[int]] = defaultdict(list)
    for event in three.trace:
        lives[event.node, event.incarnation].append(event.seq)
    assert all(seqs == list(range(len(seqs))) for seqs in lives.values())
    assert ("n1", 1) in lives


async def test_a_retried_command_is_executed_once_in_its_group_though_leaders_die() -> None:
    async with cluster(groups=FOUR) as three, trio.open_nursery() as nursery:

        async def add(name: str) -> None:
            async with three.client(name) as client:
                for number in range(12):
                    for group in range(FOUR):
                        await client.execute(["append", key_of(group), f"{name}.{number}"], timeout_s=LONG_S)

        for name in ("a", "b"):
            nursery.start_soon(add, name)
        for victim in three.ids:
            await trio.sleep(0.3)
            await three.kill(victim)
            await three.start(victim)
        while len(nursery.child_tasks) > 0:
            await trio.sleep(0.05)
        async with three.client("reader") as client:
            for group in range(FOUR):
                found = (await client.read(["get", key_of(group)], timeout_s=LONG_S)).result
                assert [each for each in found if each[0] == "a"] == [f"a.{n}" for n in range(12)]
                assert [each for each in found if each[0] == "b"] == [f"b.{n}" for n in range(12)]


async def test_groups_go_on_from_their_snapshots_each_from_its_own() -> None:
    often = Compaction(every=8, keep=2, chunk_bytes=64, segment_bytes=1024)
    async with cluster(groups=3, compaction=often) as three:
        await three.kill(3)
        async with three.client("a") as client:
            for number in range(40):
                for group in (0, 2):
                    await client.execute(["put", key_of(group, 3), number], timeout_s=LONG_S)
        for other in (1, 2):
            await three.kill(other)  # And with it what waits in its queues for the third.
        for each in three.ids:
            await three.start(each)
        async with three.client("b") as client:
            for group in range(3):
                slot = (await client.execute(["put", key_of(group, 3), "last"], timeout_s=LONG_S)).slot
                while True:
                    told = await statuses(three.membership.members[3], timeout_s=LONG_S)
                    assert isinstance(told, list)
                    if told[group].executed >= slot:
                        break
                    await trio.sleep(0.01)

        files = three.disks[3].durable
        assert {"group-0.snapshot", "group-2.snapshot"} <= files.keys()
        assert "group-1.snapshot" not in files, "nothing happened there"
        installed = {event.group for event in three.trace if event.event == "snapshot_installed"}  # type: ignore[attr-defined]
        assert installed == {0, 2}


async def test_a_transaction_over_keys_of_several_groups_is_refused_and_no_part_of_it_done() -> None:
    async with cluster(groups=FOUR) as three, three.client("a") as client:
        await client.execute(["put", "k0", 1], timeout_s=LONG_S)
        with pytest.raises(NotDone, match="not all in one group"):
            await client.execute(["txn", [["k0", 1]], [["put", "k0", 2], ["put", "k1", 2]]], timeout_s=LONG_S)
        done = await client.execute(["txn", [], [["put", "{k}0", 2], ["put", "{k}1", 3]]], timeout_s=LONG_S)

        assert done.result == [None, None]
        assert (await client.read(["get", "k0"], timeout_s=LONG_S)).result == 1
        assert (await client.read(["get", "k1"], timeout_s=LONG_S)).result is None


async def asked(some: Cluster, request: Request) -> object:
    """What the leader of the first group says."""
    for address in some.addresses:
        connection = Connection(address, read_response)
        await connection.open()
        answer = await connection.ask(request)
        await connection.drop()
        if not isinstance(answer, Elsewhere):
            return answer
    return None


async def test_who_does_not_know_of_the_groups_is_told() -> None:
    put = ["put", key_of(0), 1]
    elsewhere = ["put", key_of(1), 1]
    apart = ["txn", [], [put, elsewhere]]
    async with cluster(groups=FOUR) as three, three.client("a") as client:
        await client.execute(put, timeout_s=LONG_S)

        assert await asked(three, Execute(1, "b", 1, put)) == Groups(FOUR)
        assert await asked(three, Read(1, put[:2])) == Groups(FOUR)
        assert await asked(three, InGroup(FOUR, Execute(1, "b", 1, put))) == Groups(FOUR)
        assert await asked(three, InGroup(-1, Execute(1, "b", 1, put))) == Groups(FOUR)
        opened = await asked(three, InGroup(0, OpenSession(1, "b")))
        assert isinstance(opened, Done)
        assert isinstance(await asked(three, InGroup(0, Execute(1, opened.result, 1, put))), Done)
        wrong = await asked(three, InGroup(0, Execute(1, "b", 1, elsewhere)))
        assert wrong == Refused("that is for group 1, not for group 0", is_final=True)
        refused = await asked(three, InGroup(0, Execute(1, "b", 1, apart)))
        assert isinstance(refused, Refused)
        assert "not all in one group" in refused.why
        assert (await client.read(["get", key_of(1)], timeout_s=LONG_S)).result is None
    async with cluster(1) as one, one.client("a") as client:
        await client.execute(put, timeout_s=LONG_S)
        assert await asked(one, InGroup(3, Execute(1, "b", 1, put))) == Groups(1)


async def test_every_group_tells_how_it_is_and_is_measured() -> None:
    async with cluster(groups=3) as three, three.client("a") as client:
        for group in range(3):
            await client.execute(["put", key_of(group, 3), 1], timeout_s=LONG_S)
        told = [await statuses(address, timeout_s=LONG_S) for address in three.addresses]

        for group in range(3):
            of_group = [each[group] for each in told if isinstance(each, list)]
            assert [type(each) for each in of_group] == [Status] * 3
            assert sum(each.phase == "leading" for each in of_group) == 1

    config = ReplicaConfig(1, three.membership, groups=3)
    server = await GroupsServer.recover(config, three.disks[1], rng=Random(1))
    lines = rendered(server_samples(Dispatcher(server.handler, lambda line: None), server)).splitlines()
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(set(names)) == len(names)
    assert 'paxos_slot_known{group="2"}' in "\n".join(lines)
    assert "paxos_syncs_total 0" in lines


async def test_servers_that_count_groups_differently_do_not_talk() -> None:
    async with cluster(groups=2) as three, await trio.open_tcp_stream(*three.addresses[0]) as stream:
        await stream.send_all(framed(Hello(PROTOCOL, "blue", 2, 1, 0, groups=3)))
        assert await stream.receive_some() == b""
        assert any("server 2 takes the number of groups to be 3; this is 2" in line for line in three.log)


async def test_a_message_to_a_group_that_is_not_there_closes_its_connection_and_no_other() -> None:
    async with cluster(groups=2) as three, three.client("a") as client:
        async with await trio.open_tcp_stream(*three.addresses[0]) as stream:
            hello = framed(Hello(PROTOCOL, "blue", 2, 1, 99, groups=2))
            await stream.send_all(hello + framed(Envelope("n2.0.1", Ask(1), cluster_tag("blue"), group=2)))
            assert await stream.receive_some() == b""

        assert any("sent a message to group 2; there is none" in line for line in three.log)
        assert (await client.execute(["put", "x", 1], timeout_s=LONG_S)).result is None
