"""Replicas on real loopback sockets: commands are executed once, whoever dies; strangers are not believed."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import pytest
import trio
import trio.testing

from ostrakon.paxos_impl.client.connection import Connection
from ostrakon.paxos_impl.client.replica import NotDone, ReplicaClient, Unsure, status
from ostrakon.paxos_impl.core import TraceEvent
from ostrakon.paxos_impl.core.multi import Command, Compaction, Configuration
from ostrakon.paxos_impl.server.groups_server import GroupsServer
from ostrakon.paxos_impl.server.link import QUEUED_MAX
from ostrakon.paxos_impl.server.replica_config import COMMAND_BYTES_MAX, LEASE, ReplicaConfig
from ostrakon.paxos_impl.server.replica_server import ReplicaServer
from ostrakon.paxos_impl.server.server import Server, serve_node
from ostrakon.paxos_impl.server.timing import ReplicaTiming
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed
from ostrakon.paxos_impl.wire.decree import Envelope, Hello, cluster_tag, framed
from ostrakon.paxos_impl.wire.membership import Address, Membership
from ostrakon.paxos_impl.wire.replica import (
    PROTOCOL,
    Done,
    Elsewhere,
    Execute,
    OpenSession,
    Read,
    Refused,
    Status,
    read_response,
)
from tests.paxos_impl.storage.memory_disk import MemoryDisk
from tests.ports import LONG_S, free_ports

QUICK = ReplicaTiming(beat_s=0.02, election_s=0.08, soon_s=0.02)
STEADY = ReplicaTiming(beat_s=0.05, election_s=0.3, soon_s=0.1)
"""Where many replicas share a process with the test, and a core with others."""


NEVER = Compaction()
"""No test executes as many slots as it takes to have a snapshot taken."""
OFTEN = Compaction(every=8, keep=2, chunk_bytes=64)


class Cluster:
    """Replicas in one nursery; each can be killed and started again on its own disk."""

    def __init__(self, size: int, nursery: trio.Nursery, compaction: Compaction, groups: int = 1) -> None:
        self._nursery, self.compaction, self.groups = nursery, compaction, groups
        self.joined: dict[int, Address] = {}
        self.ids = tuple(range(1, size + 1))
        self.disks = {server_id: MemoryDisk() for server_id in self.ids}
        self.trace: list[TraceEvent] = []
        self.log: list[str] = []
        self._scopes: dict[int, trio.CancelScope] = {}
        ports = zip(self.ids, free_ports(size), strict=True)
        self.membership = Membership({n: Address("127.0.0.1", port) for n, port in ports}, "blue")

    @property
    def addresses(self) -> list[Address]:
        return [self.membership.members[server_id] for server_id in self.ids]

    def client(self, name: str, *, first: int = 1) -> ReplicaClient:
        at = self.ids.index(first)
        return ReplicaClient([*self.addresses[at:], *self.addresses[:at]], name, attempt_s=0.2)

    async def start(self, server_id: int) -> None:
        self._scopes[server_id] = await self._nursery.start(self._run, server_id)

    async def join(self, server_id: int) -> Address:
        """Start a replica that the others have not founded the cluster with."""
        [port] = free_ports(1)
        self.joined[server_id] = Address("127.0.0.1", port)
        self.disks[server_id] = MemoryDisk()
        await self.start(server_id)
        return self.joined[server_id]

    async def kill(self, server_id: int) -> None:
        """Like losing power, except that connections are closed."""
        self._scopes[server_id].cancel()
        await trio.testing.wait_all_tasks_blocked()
        self.disks[server_id].lose_power()

    async def configuration(self) -> Configuration:
        """The newest one that the leader knows of."""
        addresses = {**self.membership.members, **self.joined}
        told = await status(addresses[await self.leader()], timeout_s=LONG_S)
        assert isinstance(told, Status)
        assert told.configuration is not None
        return told.configuration

    async def caught_up(self, server_id: int, slot: int) -> Status:
        """What a replica says once it has executed a slot."""
        addresses = {**self.membership.members, **self.joined}
        while True:
            told = await status(addresses[server_id], timeout_s=LONG_S)
            if isinstance(told, Status) and told.executed >= slot:
                return told
            await trio.sleep(0.01)

    async def leader(self) -> int:
        """Who leads, once somebody does."""
        while True:
            addresses = {**self.membership.members, **self.joined}
            for server_id, address in addresses.items():
                if not self._scopes[server_id].cancel_called:
                    told = await status(address, timeout_s=LONG_S)
                    if isinstance(told, Status) and told.phase == "leading":
                        return server_id
            await trio.sleep(0.01)

    async def _run(self, server_id: int, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        membership, joins = self.membership, server_id in self.joined
        if joins:
            membership = Membership({server_id: self.joined[server_id]}, "blue")
        timing = QUICK if self.groups == 1 else STEADY
        config = ReplicaConfig(
            server_id, membership, joins, timing=timing, compaction=self.compaction, groups=self.groups
        )
        kind = ReplicaServer if self.groups == 1 else GroupsServer
        async with trio.open_nursery() as nursery:
            node: Server = await kind.recover(
                config,
                self.disks[server_id],
                rng=Random(server_id),
                tracer=self.trace.append,
                log=self.log.append,
            )
            await nursery.start(partial(serve_node, node, config.address, log=self.log.append))
            task_status.started(nursery.cancel_scope)


@asynccontextmanager
async def cluster(size: int = 3, compaction: Compaction = NEVER, groups: int = 1) -> AsyncIterator[Cluster]:
    async with trio.open_nursery() as nursery:
        made = Cluster(size, nursery, compaction, groups)
        for server_id in made.ids:
            await made.start(server_id)
        with trio.fail_after(LONG_S):
            yield made
        nursery.cancel_scope.cancel()


async def test_what_one_client_writes_another_reads_from_whichever_replica() -> None:
    async with cluster() as three, three.client("a") as writer:
        written = await writer.execute(["put", "x", 1], timeout_s=LONG_S)
        for first in three.ids:
            async with three.client(f"b{first}", first=first) as reader:
                assert (await reader.read(["get", "x"], timeout_s=LONG_S)).result == 1
                through_log = await reader.execute(["get", "x"], timeout_s=LONG_S)
                assert through_log.result == 1
                assert through_log.slot > written.slot


async def test_clients_side_by_side_lose_nothing_and_do_nothing_twice() -> None:
    async def add(three: Cluster, name: str) -> None:
        async with three.client(name) as client:
            for number in range(20):
                await client.execute(["append", "x", f"{name}.{number}"], timeout_s=LONG_S)

    async with cluster() as three:
        async with trio.open_nursery() as clients:
            for name in ("a", "b", "c", "d"):
                clients.start_soon(add, three, name)
        async with three.client("reader") as reader:
            elements = (await reader.read(["get", "x"], timeout_s=LONG_S)).result

    assert sorted(elements) == sorted(f"{name}.{number}" for name in "abcd" for number in range(20))


async def test_when_the_leader_dies_another_leads_and_no_write_is_lost() -> None:
    async with cluster() as three, three.client("a") as client:
        for number in range(5):
            await client.execute(["append", "x", number], timeout_s=LONG_S)
        await three.kill(await three.leader())
        for number in range(5, 10):
            await client.execute(["append", "x", number], timeout_s=LONG_S)

        assert (await client.read(["get", "x"], timeout_s=LONG_S)).result == list(range(10))


async def test_the_log_outlives_a_power_failure_of_all() -> None:
    async with cluster() as three, three.client("a") as client:
        await client.execute(["put", "x", 1], timeout_s=LONG_S)
        for server_id in three.ids:
            await three.kill(server_id)
        for server_id in three.ids:
            await three.start(server_id)

        assert (await client.read(["get", "x"], timeout_s=LONG_S)).result == 1


async def test_a_lock_whose_lease_has_run_out_is_had_by_the_next_with_a_higher_token() -> None:
    async with cluster() as three, three.client("a") as first, three.client("b") as second:
        assert (await first.execute(["acquire", "lock", "a", 60_000], timeout_s=LONG_S)).result == 1
        assert (await second.execute(["acquire", "lock", "b", 60_000], timeout_s=LONG_S)).result is None
        assert (await first.execute(["acquire", "brief", "a", 1], timeout_s=LONG_S)).result == 1
        brief = ["acquire", "brief", "b", 1]
        while (token := (await second.execute(brief, timeout_s=LONG_S)).result) is None:
            await trio.sleep(0.001)

    assert token == 2


async def test_a_command_that_is_sent_again_to_another_leader_has_its_first_result() -> None:
    async with cluster() as three:
        first = await three.leader()
        opened = await ask(three.membership.members[first], OpenSession(1, "a"))
        assert isinstance(opened, Done)
        command = Execute(1, opened.result, 1, ["append", "x", 1])
        answered = await ask(three.membership.members[first], command)
        await three.kill(first)
        again = await ask(three.membership.members[await three.leader()], command)

    assert isinstance(answered, Done)
    assert isinstance(again, Done)
    assert (answered.result, again.result) == (1, 1)


async def test_who_does_not_lead_names_the_leader() -> None:
    async with cluster() as three:
        leader = await three.leader()
        follower = next(server_id for server_id in three.ids if server_id != leader)
        while True:
            answer = await ask(three.membership.members[follower], Execute(1, "a", 1, ["get", "x"]))
            if isinstance(answer, Elsewhere) and answer.leader is not None:
                break
            await trio.sleep(0.01)

    assert answer == Elsewhere(three.membership.members[leader], maybe=False)


async def test_without_a_quorum_a_write_is_of_unknown_outcome_and_a_read_is_not_done() -> None:
    async with cluster() as three, three.client("a") as client:
        await client.execute(["put", "x", 1], timeout_s=LONG_S)
        leader = await three.leader()
        for server_id in three.ids:
            if server_id != leader:
                await three.kill(server_id)

        with pytest.raises((Unsure, NotDone)):
            await client.execute(["put", "x", 2], timeout_s=0.5)
        with pytest.raises(NotDone):
            await client.read(["get", "x"], timeout_s=0.5)


async def test_where_nobody_listens_nothing_was_done() -> None:
    async with ReplicaClient([Address("127.0.0.1", 1)], "a") as client:
        with pytest.raises(NotDone):
            await client.execute(["put", "x", 1], timeout_s=0.1)


async def test_an_address_that_is_given_twice_is_passed_like_any_other() -> None:
    nobody = Address("127.0.0.1", 1)
    async with cluster() as three, ReplicaClient([nobody, nobody, *three.addresses], "a") as client:
        assert (await client.execute(["put", "x", 1], timeout_s=LONG_S)).result is None


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (Execute(1, "a", 1, ["drop", "x"]), "no operation"),
        (Execute(1, "a", 1, ["put", "x", "v" * COMMAND_BYTES_MAX]), "too long"),
        (Execute(1, "a", 1, ["put", "x", float("nan")]), "plain data"),
        (Execute(1, "a", 1, ["put", "x", b"bytes"]), "plain data"),
        (Execute(1, "a", 1, ["acquire", "x", "a", 2**63 - 1]), "no operation"),
        (Execute(1, "a", 0, ["put", "x", 1]), "numbered from 1"),
        (Execute(1, "a" * 300, 1, ["put", "x", 1]), "256 characters"),
        (OpenSession(1, "a" * 300), "256 characters"),
        (Execute(1, "a", 1, ["put", "x", {1: 2}]), "plain data"),
        (Execute(1, "a", 2, ["put", "x", 1]), "session"),
        (Read(1, ["put", "x", 1]), "changes the state"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(
    request_: Execute | Read | OpenSession, why: str
) -> None:
    async with cluster(1) as one:
        answer = await ask(one.membership.members[await one.leader()], request_)

    assert isinstance(answer, Refused)
    assert answer.is_final
    assert why in answer.why


async def test_a_replica_that_was_away_for_long_takes_a_snapshot_and_goes_on_from_it() -> None:
    async with cluster(compaction=OFTEN) as three, three.client("a") as client:
        await three.kill(3)
        for number in range(QUEUED_MAX):  # What waits for it in queues is not all.
            done = await client.execute(["append", "x", number], timeout_s=LONG_S)
        await three.start(3)
        await three.caught_up(3, done.slot)
        await three.kill(1)
        assert (await client.read(["get", "x"], timeout_s=LONG_S)).result == list(range(QUEUED_MAX))

        installed = [event.node for event in three.trace if event.event == "snapshot_installed"]

    assert "n3" in installed


async def test_after_a_power_failure_of_all_the_log_goes_on_from_snapshots() -> None:
    async with cluster(compaction=OFTEN) as three, three.client("a") as client:
        for number in range(30):
            await client.execute(["append", "x", number], timeout_s=LONG_S)
        for server_id in three.ids:
            await three.kill(server_id)
        for server_id in three.ids:
            await three.start(server_id)

        assert (await client.execute(["append", "x", 30], timeout_s=LONG_S)).result == 31


async def test_members_come_and_go_while_clients_go_on() -> None:
    async with cluster(compaction=OFTEN) as three, three.client("a") as client, three.client("b") as admin:
        for number in range(20):
            await client.execute(["append", "x", number], timeout_s=LONG_S)
        address = await three.join(4)
        now = await three.configuration()
        done = await admin.change(now.with_learner(str(address)), timeout_s=LONG_S)
        await three.caught_up(4, done.slot)
        await admin.change((await three.configuration()).with_vote(4), timeout_s=LONG_S)
        await admin.change((await three.configuration()).without(1), timeout_s=LONG_S)
        await three.kill(1)
        await three.kill(await three.leader())
        await client.execute(["append", "x", 20], timeout_s=LONG_S)

        assert (await client.read(["get", "x"], timeout_s=LONG_S)).result == list(range(21))
        assert (await three.configuration()).voters == (2, 3, 4)


async def test_a_change_that_is_done_already_is_done() -> None:
    async with cluster() as three, three.client("a") as admin:
        members = (await three.configuration()).with_learner("127.0.0.1:1")
        await admin.change(members, timeout_s=LONG_S)

        await admin.change(members, timeout_s=LONG_S)

        assert (await three.configuration()).version == 1


async def test_an_impossible_change_is_refused_in_words() -> None:
    async with cluster() as three, three.client("a") as admin:
        with pytest.raises(NotDone, match="somebody has to vote"):
            await admin.change((), timeout_s=LONG_S)


async def test_a_removed_member_says_so_and_is_shown_out_when_it_calls() -> None:
    async with cluster() as three, three.client("a") as admin:
        first = await three.leader()
        other = next(server_id for server_id in three.ids if server_id != first)
        await admin.change((await three.configuration()).without(other), timeout_s=LONG_S)
        await admin.execute(["put", "x", 1], timeout_s=LONG_S)
        while not any(f"server {other} is no member from slot" in line for line in three.log):
            await trio.sleep(0.01)
        await three.kill(other)
        await three.start(other)
        while not any(f"server {other} is no other member" in line for line in three.log):
            await trio.sleep(0.01)

        assert (await admin.read(["get", "x"], timeout_s=LONG_S)).result == 1


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\x00\x00\x03abc",
        framed(Envelope("n9.0.1", Command("x", 1, 1), cluster_tag("blue"))),
        framed(Hello(PROTOCOL + 1, "blue", 2, 1, 0)),
        framed(Hello(PROTOCOL, "red", 2, 1, 0)),
        framed(Hello(PROTOCOL, "blue", 9, 1, 0)),
    ],
    ids=["noise", "no hello", "another protocol", "another cluster", "a stranger"],
)
async def test_odd_visitors_are_shown_out_and_nobody_is_disturbed(said: bytes) -> None:
    async with cluster() as three, three.client("a") as client:
        stream = await trio.open_tcp_stream(*three.addresses[0])
        async with stream:
            await stream.send_all(said)
            assert await stream.receive_some() == b""

        assert (await client.execute(["put", "x", 1], timeout_s=LONG_S)).result is None
        assert any(line.startswith("closed a connection") for line in three.log)


async def test_a_replica_whose_disk_fails_stops_and_says_so() -> None:
    disk = MemoryDisk()
    [port] = free_ports(1)
    config = ReplicaConfig(1, Membership({1: Address("127.0.0.1", port)}, "blue"), timing=QUICK)
    failures: list[StorageFailed] = []

    async def run(task_status: trio.TaskStatus[Address]) -> None:
        try:
            node = await ReplicaServer.recover(config, disk, rng=Random(1))
            await serve_node(node, config.address, task_status=task_status)
        except StorageFailed as error:
            failures.append(error)

    with trio.fail_after(LONG_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            disk.failing = errno.EIO

    assert "Input/output error" in str(failures)


async def ask(address: Address, request: Execute | OpenSession | Read) -> object:
    """One request to one replica; it must answer."""
    connection = Connection(address, read_response)
    try:
        await connection.open()
        return await connection.ask(request)
    finally:
        await connection.drop()


async def test_a_leader_tells_for_how_long_it_holds_its_lease_and_nobody_else_does() -> None:
    async with cluster() as three:
        leader = await three.leader()
        told: dict[int, float | None] = {}
        with trio.fail_after(LONG_S):
            while not (told.get(leader) or 0) > 0:
                for server_id in three.ids:
                    seen = await status(three.membership.members[server_id], timeout_s=LONG_S)
                    assert isinstance(seen, Status)
                    told[server_id] = seen.lease_s
                await trio.sleep(0.01)

    assert (told[leader] or 0) <= LEASE.length_s
    assert {told[server_id] for server_id in three.ids if server_id != leader} == {None}
