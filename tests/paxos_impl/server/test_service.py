"""What people need of a service: it is bounded, says why, can be measured, and stops without harm."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.harness.sim import World
from ostrakon.paxos_impl.client.connection import Connection, NoAnswer
from ostrakon.paxos_impl.client.replica import NotDone, ReplicaClient
from ostrakon.paxos_impl.core import Refused, Unknown
from ostrakon.paxos_impl.registry.enrollment import enroll
from ostrakon.paxos_impl.server import driver
from ostrakon.paxos_impl.server.client_connection import UNANSWERED_MAX, ClientConnection
from ostrakon.paxos_impl.server.decree_handler import answer_before_cluster
from ostrakon.paxos_impl.server.decree_node import DecreeServer, NodeConfig, serve
from ostrakon.paxos_impl.server.dispatcher import Dispatcher
from ostrakon.paxos_impl.server.limits import LIMITS, Limits
from ostrakon.paxos_impl.server.log_record import LogRecord, no_log
from ostrakon.paxos_impl.server.metrics import Sample, rendered
from ostrakon.paxos_impl.server.metrics_endpoint import serve_metrics, server_samples
from ostrakon.paxos_impl.server.peers import Identity, Peers
from ostrakon.paxos_impl.server.replica_config import ReplicaConfig
from ostrakon.paxos_impl.server.replica_handler import (
    answer_before_cluster as answer_before_cluster_of_replicas,
)
from ostrakon.paxos_impl.server.replica_server import ReplicaServer
from ostrakon.paxos_impl.server.server import Server, serve_node, serve_when_complete
from ostrakon.paxos_impl.server.startup_handler import StartupHandler
from ostrakon.paxos_impl.storage.record import DamagedLog
from ostrakon.paxos_impl.wire.decree import (
    PROTOCOL,
    ClientGet,
    ClientPropose,
    ClientStatus,
    Hello,
    Waiting,
    framed,
    read_incoming,
    read_response,
)
from ostrakon.paxos_impl.wire.frame import BadFrame, FrameReader
from ostrakon.paxos_impl.wire.membership import Address, Membership
from ostrakon.paxos_impl.wire.replica import AskStatus, Elsewhere, Execute
from ostrakon.paxos_impl.wire.replica import Refused as NotTakenUp
from ostrakon.paxos_impl.wire.replica import read_incoming as read_of_replicas
from ostrakon.paxos_impl.wire.replica import read_response as read_of_clients
from ostrakon.paxos_impl.wire.transport import PLAIN, NotAuthenticated
from tests.paxos_impl.server.test_node import QUICK
from tests.paxos_impl.storage.memory_disk import MemoryDisk
from tests.paxos_impl.town import PAXOS, ROOT, Town, environment, paxos
from tests.ports import LONG_S, free_ports


@asynccontextmanager
async def instance(log: list[str], limits: Limits = LIMITS) -> AsyncIterator[Address]:
    """An instance that is a cluster by itself."""
    config = NodeConfig(1, Membership({1: Address("127.0.0.1", 0)}, "blue"), timing=QUICK)
    run = partial(serve, config, disk=MemoryDisk(), rng=Random(1), log=log.append, limits=limits)
    async with trio.open_nursery() as nursery:
        address = await nursery.start(run)
        with trio.fail_after(LONG_S):
            yield address
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[Connection[Any]]:
    connection = Connection(address, read_response)
    await connection.open()
    try:
        yield connection
    finally:
        await connection.drop()


# How much of it there is.


async def test_one_client_too_many_is_told_so_and_shown_out() -> None:
    log: list[str] = []
    async with (
        instance(log, Limits(clients=1)) as address,
        connected(address) as first,
        connected(address) as second,
    ):
        assert await first.ask(ClientGet(1)) == Unknown()
        refused = await second.ask(ClientPropose(1, "x"))
        with pytest.raises(NoAnswer):
            await second.ask(ClientGet(2))
        assert await first.ask(ClientGet(2)) == Unknown(), "what was refused was done"

    assert refused == Refused("1 clients are connected already")
    assert any("1 clients are connected already" in line for line in log)


async def test_connections_are_limited_whoever_makes_them() -> None:
    log: list[str] = []
    async with instance(log, Limits(connections=1)) as address, connected(address) as first:
        await first.ask(ClientGet(1))
        async with await trio.open_tcp_stream(*address) as another:
            assert await another.receive_some() == b""

    assert any("there are 1 connections already" in line for line in log)


def test_who_says_nothing_is_shown_out() -> None:
    log: list[str] = []
    heard: list[tuple[float, bytes]] = []

    async def keep_silent() -> None:
        async with await trio.open_tcp_stream("n1", 7000) as stream:
            begun = trio.current_time()
            chunk = await stream.receive_some()
            heard.append((trio.current_time() - begun, bytes(chunk)))

    with World(1) as world:
        node = world.machine("n1")
        config = NodeConfig(1, Membership({1: Address("n1", 7000)}, "blue"), listen=Address("0.0.0.0", 7000))
        node.start(lambda: serve(config, disk=node.disk, rng=Random(1), log=log.append))
        world.run(until_s=0.1)
        client = world.machine("client").start(keep_silent)
        world.run(until_s=60, stop=lambda: client.done)

    assert [(round(after_s), chunk) for after_s, chunk in heard] == [(LIMITS.first_request_s, b"")]
    assert "it sent no message within 10 s" in log[-1]


async def test_who_does_not_read_its_answers_is_not_listened_to_for_ever() -> None:
    taken: list[bytes] = []

    def take(client: ClientConnection, body: bytes) -> None:
        taken.append(body)
        client.answer(len(taken), "x" * 1000)

    async def ask_and_ask(stream: trio.abc.Stream) -> None:
        while True:
            await stream.send_all(framed(ClientGet(1)))

    ours, theirs = trio.testing.lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ClientConnection(take, Refused).serve, ours, FrameReader(), [])
        nursery.start_soon(ask_and_ask, theirs)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert UNANSWERED_MAX < len(taken) <= UNANSWERED_MAX + 2


async def test_who_has_too_much_to_do_says_that_nothing_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    [port] = free_ports(1)
    config = ReplicaConfig(1, Membership({1: Address("127.0.0.1", port)}, "blue"))
    async with trio.open_nursery() as nursery:
        node = await ReplicaServer.recover(config, MemoryDisk(), rng=Random(1))
        address = await nursery.start(serve_node, node, config.address)
        async with ReplicaClient([address], "a") as client:
            await client.execute(["put", "x", 1], timeout_s=LONG_S)
            monkeypatch.setattr(driver, "BACKLOG_MAX", 0)
            with pytest.raises(NotDone, match="too much to do"):
                await client.execute(["put", "x", 2], timeout_s=0.1)
            monkeypatch.undo()
            read = await client.read(["get", "x"], timeout_s=LONG_S)
        nursery.cancel_scope.cancel()

    assert read.result == 1


class RequestHandler:
    """Takes whatever can be read."""

    def read(self, body: bytes) -> object:
        return read_incoming(body)

    def serve(self, client: ClientConnection, request: Any, size: int) -> None:
        answer_before_cluster(client, request, Waiting(1, 3))

    def refuse(self, client: ClientConnection, request: Any, why: str) -> None:
        self.serve(client, request, 0)

    def refusal(self, why: str) -> object:
        return Refused(why)


class Host:
    """A backend without other members."""

    drivers = ()
    handler = RequestHandler()

    def check(self, hello: Hello) -> None:
        identity = Identity(PROTOCOL, "blue", 1, 0)
        Peers(identity, {}, rng=Random(1), log=no_log, transport=PLAIN, is_closed=True).check(hello)


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=50),
            st.sampled_from([framed(ClientGet(1)), framed(ClientStatus(2)), framed(Waiting(1, 2))]),
        ),
        max_size=6,
    )
)
def test_whatever_bytes_come_a_connection_ends_for_a_reason_that_is_known(chunks: list[bytes]) -> None:
    async def talk() -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        ended: list[Exception | None] = []

        async def receive() -> None:
            try:
                dispatching = Dispatcher(RequestHandler(), lambda line: None)
                dispatching.open(Host())
                await dispatching._receive(ours)
                ended.append(None)
            except (BadFrame, NotAuthenticated) as error:
                ended.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            for chunk in chunks:
                await theirs.send_all(chunk)
            await theirs.send_eof()
        assert len(ended) == 1

    trio.run(talk)


# Before there is a cluster, and after.


@pytest.mark.parametrize(
    ("read", "answer", "request_", "expected"),
    [
        (read_incoming, answer_before_cluster, ClientGet(1), Unknown()),
        (read_incoming, answer_before_cluster, ClientPropose(1, "x"), Waiting(2, 3)),
        (read_incoming, answer_before_cluster, ClientStatus(1), Waiting(2, 3)),
        (read_of_replicas, answer_before_cluster_of_replicas, AskStatus(1), Waiting(2, 3)),
        (
            read_of_replicas,
            answer_before_cluster_of_replicas,
            Execute(1, "a", 1, ["get", "x"]),
            NotTakenUp("waiting for members: 2 of 3 have registered", is_final=False),
        ),
    ],
)
async def test_a_server_without_a_cluster_says_how_far_it_is(
    read: Callable[[bytes], object], answer: Any, request_: Any, expected: object
) -> None:
    startup = StartupHandler(read, answer, 3)
    startup.set_registered(2)
    ours, theirs = trio.testing.memory_stream_pair()
    reader: Any = read_response if read is read_incoming else read_of_clients
    async with trio.open_nursery() as nursery:
        dispatching = Dispatcher(startup, lambda line: None)
        nursery.start_soon(dispatching._receive, ours)
        await theirs.send_all(framed(request_))
        with trio.move_on_after(0.01) as too_early:
            await theirs.receive_some()
        dispatching.serve_clients()
        (body,) = FrameReader().feed(await theirs.receive_some())
        nursery.cancel_scope.cancel()

    assert too_early.cancelled_caught, "it may have been in a cluster before, and not know that yet"
    assert reader(body).answer == expected


async def test_who_waits_when_a_server_stops_is_answered_and_who_comes_then_is_sent_elsewhere() -> None:
    [port] = free_ports(1)
    address, disk, stop = Address("127.0.0.1", port), MemoryDisk(), trio.Event()
    config = ReplicaConfig(1, Membership({1: address}, "blue"))
    dispatching = Dispatcher(
        StartupHandler(read_of_replicas, answer_before_cluster_of_replicas, 1), lambda line: None
    )
    answers: list[Any] = []

    async def join() -> ReplicaServer:
        return await ReplicaServer.recover(config, disk, rng=Random(1))

    async def ask(number: int) -> None:
        connection = Connection(address, read_of_clients)
        await connection.open()
        answers.append(await connection.ask(Execute(1, "1", number + 1, ["put", "x", number])))
        await connection.drop()

    with trio.fail_after(LONG_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve_when_complete, dispatching, join, address, stop=stop))
            async with ReplicaClient([address], "opens the first session") as client:
                await client.execute(["put", "x", 0], timeout_s=LONG_S)
            disk.gate = gate = trio.Event()
            nursery.start_soon(ask, 1)
            while gate.statistics().tasks_waiting == 0:
                await trio.sleep(0.001)
            stop.set()
            await trio.testing.wait_all_tasks_blocked()
            await ask(2)
            assert answers == [Elsewhere(None, maybe=False)]
            gate.set()

    assert [type(answer).__name__ for answer in answers] == ["Elsewhere", "Done"]


@pytest.mark.parametrize("garbage", [b"", b"\x00\x01\x02", b"not a record at all"])
async def test_a_damaged_enrolment_is_refused_by_file_and_offset_and_left_alone(
    garbage: bytes,
) -> None:
    disk = MemoryDisk({"enrolment": garbage})

    with pytest.raises(DamagedLog, match="enrolment, at byte 0"):
        await enroll(Address("127.0.0.1", 1), Address("127.0.0.1", 2), 3, disk=disk, new_token=lambda: "t")

    assert disk.written["enrolment"] == garbage


# Being measured.


def test_samples_are_written_as_prometheus_reads_them() -> None:
    text = rendered(
        [
            Sample("a_total", "counter", "As.", 3, (("kind", 'a "b"\n\\'),)),
            Sample("a_total", "counter", "As.", 4, (("kind", "c"),)),
            Sample("b_seconds", "gauge", "Bs.", 0.25),
        ]
    )

    assert text.splitlines() == [
        "# HELP a_total As.",
        "# TYPE a_total counter",
        'a_total{kind="a \\"b\\"\\n\\\\"} 3',
        'a_total{kind="c"} 4',
        "# HELP b_seconds Bs.",
        "# TYPE b_seconds gauge",
        "b_seconds 0.25",
    ]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"200 OK"),
        (b"GET / HTTP/1.0\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"\r\n\r\n", b"405"),
        (b"x" * 10_000, b""),
    ],
)
async def test_the_endpoint_of_metrics_answers_only_what_is_asked_of_it(said: bytes, status: bytes) -> None:
    samples = [Sample("up", "gauge", "Whether it is.", 1)]
    async with trio.open_nursery() as nursery:
        serve_here = partial(serve_metrics, Address("127.0.0.1", 0), lambda: samples, log=lambda line: None)
        address = await nursery.start(serve_here)
        async with await trio.open_tcp_stream(*address) as stream:
            await stream.send_all(said)
            answer = b"".join([bytes(chunk) async for chunk in stream])
        nursery.cancel_scope.cancel()

    assert status in answer.split(b"\r\n")[0]
    assert answer.endswith(b"\nup 1\n") == (status == b"200 OK")


async def test_what_is_measured_has_no_name_twice_and_knows_the_kind_of_each() -> None:
    membership = Membership({1: Address("127.0.0.1", 1), 2: Address("127.0.0.1", 2)}, "blue")
    servers: list[Server] = [
        await ReplicaServer.recover(ReplicaConfig(1, membership), MemoryDisk(), rng=Random(1)),
        await DecreeServer.recover(NodeConfig(1, membership), MemoryDisk(), rng=Random(1)),
    ]
    for server in servers:
        dispatching = Dispatcher(server.handler, lambda line: None)
        dispatching.open(server)
        dispatching.listener.closed.update({"left": 2, "broken": 1})
        lines = rendered(server_samples(dispatching, server)).splitlines()

        kinds = [line.split()[2:] for line in lines if line.startswith("# TYPE")]
        assert len({name for name, _ in kinds}) == len(kinds)
        assert all((kind == "counter") == name.endswith("_total") for name, kind in kinds)
        assert 'paxos_connections_closed_total{kind="broken"} 1' in lines
        assert 'paxos_link_connected{peer="2"} 0' in lines


# The command.


def test_a_service_speaks_json_is_measured_over_http_and_stops_when_told(tmp_path: Path) -> None:
    import urllib.request

    town = Town(tmp_path)
    town.start("registry")
    town.wait("registry", "listening")
    [metrics, listen] = free_ports(2)
    replica = subprocess.Popen(
        [
            *PAXOS, "kv", "serve", "--registry", town.registry, "--cluster-size", "1", "--log", "json",
            "--metrics", f"127.0.0.1:{metrics}", "--listen", f"127.0.0.1:{listen}", "--data", tmp_path / "1",
        ],
        stderr=subprocess.PIPE,
        env=environment(),
    )  # fmt: skip
    try:
        put = paxos("kv", "put", "x", "1", "--node", f"127.0.0.1:{listen}", "--timeout", f"{LONG_S}")
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=LONG_S) as response:
            measured = response.read().decode()
        status = paxos("kv", "status", "--node", f"127.0.0.1:{listen}")
        replica.send_signal(signal.SIGTERM)
        _, said = replica.communicate(timeout=LONG_S)
    finally:
        replica.kill()
        town.kill("registry")

    assert put.status == 0, put.said
    assert re.search(r"^paxos_leading 1$", measured, re.M)
    assert re.search(r'^paxos_answers_total{kind="done"} 2$', measured, re.M)
    assert int(re.search(r"^paxos_syncs_total (\d+)$", measured, re.M)[1]) > 0  # type: ignore[index]
    assert re.search(r"leading  leader 0  ballot \S+  executed \d+ .* lag 0 .* members 0", status.out)
    lines = [json.loads(line) for line in said.splitlines()]
    assert "stopping, as asked" in [line["line"] for line in lines]
    assert lines[-1]["line"] == "stopped as asked"
    assert {"time", "level", "line", "event", "server", "cluster"} <= next(
        line.keys() for line in lines if line.get("event") == "serving"
    )
    assert {(line["level"], line["kind"]) for line in lines if line.get("event") == "closed"} == {
        ("debug", "left")
    }
    assert replica.returncode == 0


def test_with_the_certificates_of_the_docs_a_cluster_keeps_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    make, export = _shell_block("openssl").rsplit("export ", 1)
    subprocess.run(["sh", "-euc", make], cwd=tmp_path, check=True, capture_output=True)
    files = dict(word.split("=") for word in export.split())
    secret = [arg for name, file in files.items() for arg in (f"--{name[6:].lower()}", str(tmp_path / file))]
    for name, file in files.items():
        monkeypatch.setenv(name, str(tmp_path / file))
    town = Town(tmp_path)
    town.start("registry")
    town.wait("registry", "listening")
    replica = [*PAXOS, "kv", "serve", "--registry", town.registry, "--cluster-size", "1"]
    replica += ["--listen", town.addresses["1"], "--data", str(tmp_path / "1")]
    with (tmp_path / "1.log").open("ab") as log:
        town.running["1"] = subprocess.Popen(replica, stderr=log, env=environment())
    try:
        put = paxos("kv", "put", "x", "1", "--registry", town.registry, "--timeout", f"{LONG_S}")
        for name in files:
            monkeypatch.delenv(name)
        plain = paxos("kv", "get", "x", "--node", town.addresses["1"], "--timeout", "0.5")
        got = paxos("kv", "get", "x", "--node", town.addresses["1"], *secret, "--timeout", f"{LONG_S}")
        town.wait("1", "no TLS with it")
    finally:
        ended = town.stop()

    assert put.status == 0, put.said
    assert (plain.status, plain.out) == (1, "")
    assert (got.status, got.out) == (0, "1\n"), got.said
    assert ended == [0, 0]


def _shell_block(command: str) -> str:
    """The block of docs/paxos.md that begins with this command."""
    found = re.search(rf"```sh\n({command} .*?)```", (ROOT / "docs" / "paxos.md").read_text(), re.DOTALL)
    assert found, f"docs/paxos.md has no block that begins with {command}"
    return found[1]


def test_who_is_stopped_before_its_cluster_is_complete_just_ends(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.start("registry")
    town.start("1")
    town.wait("1", "1 of 3 registered")

    assert town.stop() == [0, 0]
    assert "Traceback" not in town.said("1")


def test_a_remark_is_a_line_with_particulars() -> None:
    remark = LogRecord("it went", why="no reason", event="gone")

    assert (remark, remark.is_debug) == ("it went", False)
    assert remark.fields == {"why": "no reason", "event": "gone"}
