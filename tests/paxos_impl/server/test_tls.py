"""With TLS who has no certificate of the cluster's authority gets nothing; members notice no difference."""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path
from random import Random

import pytest
import trio

from ostrakon.harness.sim import World
from ostrakon.paxos_impl.client import decree as paxos
from ostrakon.paxos_impl.client.connection import Connection, NoAnswer
from ostrakon.paxos_impl.client.replica import ReplicaClient
from ostrakon.paxos_impl.core import Chosen, Refused
from ostrakon.paxos_impl.registry.server import GetMembership, View, ask_registry, serve_registry
from ostrakon.paxos_impl.server.decree_node import NodeConfig, serve
from ostrakon.paxos_impl.server.replica_config import ReplicaConfig
from ostrakon.paxos_impl.server.replica_server import ReplicaServer
from ostrakon.paxos_impl.server.server import serve_node
from ostrakon.paxos_impl.wire.decree import ClientGet, read_response
from ostrakon.paxos_impl.wire.frame import BadFrame
from ostrakon.paxos_impl.wire.membership import Address, Membership
from ostrakon.paxos_impl.wire.transport import PLAIN, BadCertificate, Transport, mutual_tls
from tests.paxos_impl.server.test_node import QUICK
from tests.paxos_impl.storage.memory_disk import MemoryDisk
from tests.ports import LONG_S, free_ports

trustme = pytest.importorskip("trustme")


class Authority:
    """Signs certificates, as files, and makes transports of them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._authority = folder, trustme.CA()
        self.certificate = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.certificate)

    def transport(self, name: str, *, trusts: Authority | None = None) -> Transport:
        """One that has a certificate of this authority and trusts those of another, or of this one."""
        signed = self._authority.issue_cert(name)
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        signed.private_key_pem.write_to_path(key)
        certificate.write_bytes(b"".join(blob.bytes() for blob in signed.cert_chain_pems))
        return mutual_tls(certificate, key, (trusts or self).certificate)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "theirs")


async def serve_one(
    transport: Transport, log: list[str], task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED
) -> None:
    """An instance that is a cluster by itself."""
    membership = Membership({1: Address("127.0.0.1", 0)}, "blue")
    config = NodeConfig(1, membership, timing=QUICK, transport=transport)
    await serve(config, disk=MemoryDisk(), rng=Random(1), log=log.append, task_status=task_status)


async def test_members_and_clients_with_certificates_decide(authority: Authority) -> None:
    ports = zip((1, 2, 3), free_ports(3), strict=True)
    membership = Membership({n: Address("127.0.0.1", port) for n, port in ports}, "blue")
    with trio.fail_after(LONG_S):
        async with trio.open_nursery() as nursery:
            for n in membership.ids:
                config = NodeConfig(
                    n, membership, timing=QUICK, transport=authority.transport(f"server{n}.example")
                )
                nursery.start_soon(partial(serve, config, disk=MemoryDisk(), rng=Random(n)))
            mine = authority.transport("client.example")
            addresses = [membership.members[n] for n in membership.ids]
            while True:
                try:
                    outcome = await paxos.propose(addresses, "x", timeout_s=LONG_S, transport=mine)
                    break
                except NoAnswer:
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    assert isinstance(outcome, Chosen)


async def test_replicas_and_the_registry_speak_tls_too(authority: Authority) -> None:
    transport = authority.transport("replica.example")
    [port] = free_ports(1)
    config = ReplicaConfig(1, Membership({1: Address("127.0.0.1", port)}, "blue"), transport=transport)
    with trio.fail_after(LONG_S):
        node = await ReplicaServer.recover(config, MemoryDisk(), rng=Random(1))
        async with trio.open_nursery() as nursery:
            address = await nursery.start(partial(serve_node, node, config.address, transport=transport))
            registry = await nursery.start(
                lambda *, task_status: serve_registry(
                    Address("127.0.0.1", 0),
                    disk=MemoryDisk(),
                    new_cluster_id=lambda: "blue",
                    transport=transport,
                    task_status=task_status,
                )
            )
            async with ReplicaClient([address], "a", transport=transport) as client:
                await client.execute(["put", "x", 1], timeout_s=LONG_S)
                assert (await client.read(["get", "x"], timeout_s=LONG_S)).result == 1
            assert isinstance(await ask_registry(registry, GetMembership(), transport), View)
            with pytest.raises((OSError, trio.BrokenResourceError, BadFrame)):
                await ask_registry(registry, GetMembership())
            nursery.cancel_scope.cancel()


async def test_who_has_no_certificate_of_the_cluster_gets_nothing(
    authority: Authority, another: Authority
) -> None:
    log: list[str] = []
    strangers = {
        "no TLS": PLAIN,
        "another authority's certificate": another.transport("stranger.example", trusts=authority),
        "no certificate": Transport(dials=without_certificate(authority)),
    }
    with trio.fail_after(LONG_S):
        async with trio.open_nursery() as nursery:
            ours = authority.transport("server.example")
            address = await nursery.start(partial(serve_one, ours, log))
            for transport in strangers.values():
                with pytest.raises(NoAnswer):
                    await ask(address, transport)
            mine = authority.transport("client.example")
            known = await paxos.propose([address], "x", timeout_s=LONG_S, transport=mine)
            nursery.cancel_scope.cancel()

    assert isinstance(known, Chosen), "the strangers disturbed it"
    assert sum("closed a connection" in line and "no TLS with it" in line for line in log) == len(strangers)


async def test_a_client_does_not_talk_to_a_server_of_another_cluster(
    authority: Authority, another: Authority
) -> None:
    with trio.fail_after(LONG_S):
        async with trio.open_nursery() as nursery:
            theirs = another.transport("server.example", trusts=authority)
            address = await nursery.start(partial(serve_one, theirs, []))
            with pytest.raises(NoAnswer, match="no TLS with it: CERTIFICATE_VERIFY_FAILED"):
                await ask(address, authority.transport("client.example"))
            nursery.cancel_scope.cancel()


async def ask(address: Address, transport: Transport) -> object:
    connection = Connection(address, read_response, transport)
    try:
        await connection.open()
        return await connection.ask(ClientGet(1))
    finally:
        await connection.drop()


def without_certificate(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(authority.certificate)
    return context


def test_files_that_are_no_certificate_are_named(tmp_path: Path) -> None:
    for name in ("cert", "key", "ca"):
        (tmp_path / name).write_text("nothing")

    with pytest.raises(BadCertificate, match=r"cert with the key .*key"):
        mutual_tls(tmp_path / "cert", tmp_path / "key", tmp_path / "ca")


def test_in_simulation_instances_speak_tls_as_well(authority: Authority) -> None:
    names = ("n1", "n2", "n3")
    membership = Membership({n: Address(name, 7000) for n, name in enumerate(names, start=1)}, "blue")
    transport = authority.transport("simulated.example")
    outcomes: list[Chosen | Refused] = []

    async def ask() -> None:
        outcomes.append(
            await paxos.propose([Address("n2", 7000)], "x", timeout_s=LONG_S, transport=transport)
        )

    with World(1) as world:
        for n, name in enumerate(names, start=1):
            machine = world.machine(name)
            config = NodeConfig(n, membership, listen=Address("0.0.0.0", 7000), transport=transport)
            machine.start(partial(serve, config, disk=machine.disk, rng=Random(n)))
        world.run(until_s=0.1)
        client = world.machine("client").start(ask)
        world.run(until_s=60, stop=lambda: client.done)

    assert [getattr(outcome, "value", outcome) for outcome in outcomes] == ["x"]
