"""The adapter for this project's own store: `paxos kv serve` on each host, as anyone would run it."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from ostrakon.harness.history import Op
from ostrakon.harness.hosts.system import Service, SystemPackage, system_workload
from ostrakon.harness.hosts.topology import Host
from ostrakon.harness.workload import Client, Refused
from ostrakon.paxos_impl.client.decree import NoAnswer
from ostrakon.paxos_impl.client.replica import NotDone, ReplicaClient, Unsure, status
from ostrakon.paxos_impl.kv.operation import Cas, Get, Put
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import Status
from ostrakon.workloads.systems.registers import linearizable_keys, read_write_cas, write_and_read

_REGISTRY, _PORT = 7000, 7001
_TIMEOUT_S = 2.0


class PaxosKv:
    """A replica on each host, and the registry on the first: replicas need it until they know each other."""

    name: Final = "paxos-kv"
    runtime: Final[Literal["trio"]] = "trio"
    packages: Final = (SystemPackage(sys.executable, "python3"),)
    libraries: Final = ()
    lost: Final = (Unsure, NoAnswer)

    def services(self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]) -> Sequence[Service]:
        """A replica; and the registry."""
        registry = f"{hosts[0].address}:{_REGISTRY}"
        paxos = (sys.executable, "-m", "ostrakon.paxos_impl.cli")
        replica = (
            *(*paxos, "kv", "serve", "--public", "--cluster-size", str(len(hosts)), "--registry", registry),
            *("--listen", f"{host.address}:{_PORT}", "--data", str(host.data / "replica")),
        )
        services = (Service("replica", replica),)
        if host != hosts[0]:
            return services
        data = str(host.data / "registry")
        command = (*paxos, "registry", "--public", "--listen", registry, "--data", data)
        return (Service("registry", command), *services)

    async def ready(self, host: Host, hosts: Sequence[Host]) -> None:
        """It serves and knows a leader."""
        told = await status(Address(host.address, _PORT), timeout_s=_TIMEOUT_S)
        if not isinstance(told, Status) or told.leader is None:
            raise ConnectionError(f"{host.name} knows no leader")

    @asynccontextmanager
    async def connect(
        self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]
    ) -> AsyncIterator[Client]:
        """A client that asks its own host first, and is sent on to the leader."""
        others = [peer for peer in hosts if peer != host]
        addresses = [Address(peer.address, _PORT) for peer in (host, *others)]
        async with ReplicaClient(addresses, uuid.uuid4().hex) as store:
            yield _RegisterClient(store)

    async def roles(self, host: Host, hosts: Sequence[Host]) -> Collection[str]:
        """Whether it leads."""
        told = await status(Address(host.address, _PORT), timeout_s=_TIMEOUT_S)
        return {"leader"} if isinstance(told, Status) and told.phase == "leading" else set()


class _RegisterClient:
    """Reads, writes and compares and swaps keys."""

    def __init__(self, store: ReplicaClient) -> None:
        self._store = store

    async def apply(self, op: Op) -> Op:
        """Do a `read`, `write` or `cas`. Raises: Refused, ConnectionError."""
        key, value = op.value
        try:
            match op.f:
                case "read":
                    done = await self._store.read(Get(key), timeout_s=_TIMEOUT_S)
                    return op.ok([key, done.result], slot=done.slot)
                case "write":
                    done = await self._store.execute(Put(key, value), timeout_s=_TIMEOUT_S)
                case _:
                    done = await self._store.execute(Cas(key, *value), timeout_s=_TIMEOUT_S)
        except NotDone as error:
            raise Refused(str(error)) from error
        except Unsure as error:
            raise ConnectionError(str(error)) from error
        if op.f == "cas" and not done.result:
            raise Refused("it held another value")
        return op.ok(slot=done.slot)


PAXOS_KV = system_workload(
    PaxosKv(),
    about="Whether the keys of this project's own store are linearizable, on real disks and a real network.",
    generator=read_write_cas,
    final=write_and_read,
    check=linearizable_keys,
    roles=("leader",),
    defaults={"nodes": 5, "concurrency": 10, "rate": 200.0, "time_limit_s": 30.0},
    timeout_s=2.5,
    steady_s=3.0,
)
