"""The adapter for etcd, a key-value store on Raft. Clients use its gateway, which has its API as JSON."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from ostrakon.harness.history import Op
from ostrakon.harness.hosts.system import Service, SystemPackage, system_workload
from ostrakon.harness.hosts.topology import Host
from ostrakon.harness.workload import Client, Refused
from ostrakon.workloads.systems.registers import linearizable_keys, read_write_cas, write_and_read

if TYPE_CHECKING:
    from aiohttp import ClientSession

_CLIENTS, _PEERS = 2379, 2380
ETCD_PACKAGES = (SystemPackage("etcd", "etcd-server", ("--version",)),)


class Etcd:
    """etcd as the distribution has it, with its default time-outs: heartbeats of 100 ms, elections of 1 s."""

    name: Final = "etcd"
    runtime: Final[Literal["asyncio"]] = "asyncio"
    packages: Final = ETCD_PACKAGES
    libraries: Final = ("aiohttp",)
    lost: Final = ()
    time_resolution_s: Final = 1.0

    def services(self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]) -> Sequence[Service]:
        """One process."""
        members = ",".join(f"{peer.name}=http://{peer.address}:{_PEERS}" for peer in hosts)
        here = f"http://{host.address}"
        command = (
            *("etcd", "--name", host.name, "--data-dir", str(host.data), "--logger", "zap"),
            *("--listen-peer-urls", f"{here}:{_PEERS}", "--initial-advertise-peer-urls", f"{here}:{_PEERS}"),
            *("--listen-client-urls", f"{here}:{_CLIENTS}", "--advertise-client-urls", f"{here}:{_CLIENTS}"),
            *("--initial-cluster", members, "--initial-cluster-token", "ostrakon"),
        )
        return (Service("etcd", command),)

    async def ready(self, host: Host, hosts: Sequence[Host]) -> None:
        """It answers, and knows a leader."""
        if not (await _status(host)).get("leader"):
            raise ConnectionError(f"{host.name} knows no leader")

    @asynccontextmanager
    async def connect(
        self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]
    ) -> AsyncIterator[Client]:
        """A client that speaks to its own node and no other."""
        async with session_with(host) as session:
            yield EtcdClient(session, host.name, serializable=options.get("reads") == "serializable")

    async def roles(self, host: Host, hosts: Sequence[Host]) -> Collection[str]:
        """Whether it is the leader."""
        status = await _status(host)
        return {"leader"} if status.get("leader") == status["header"]["member_id"] else set()

    async def now(self, host: Host, hosts: Sequence[Host]) -> float:
        """What its answers are dated."""
        return await date_of(host)


def session_with(host: Host) -> ClientSession:
    """A connection to a host's gateway."""
    from aiohttp import ClientSession

    return ClientSession(f"http://{host.address}:{_CLIENTS}")


async def ask(session: ClientSession, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Ask a node's gateway. Raises: ConnectionError, also for any answer that is an error."""
    from aiohttp import ClientError

    try:
        async with session.post(f"/v3/{what}", json=body) as response:
            if response.status != 200:
                # Whether a request that failed took effect is not known: a leader that steps down says so,
                # too.
                raise ConnectionError(f"{response.status}: {(await response.text())[:200]}")
            answer: dict[str, Any] = await response.json(content_type=None)
            return answer
    except ClientError as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error


async def date_of(host: Host) -> float:
    """The wall clock of a host by which its answers are dated, in Unix seconds; the middle of the second."""
    async with session_with(host) as session, session.get("/version") as response:
        return parsedate_to_datetime(response.headers["Date"]).timestamp() + 0.5


def b64(text: object) -> str:
    """A text as the gateway wants bytes."""
    return b64encode(str(text).encode()).decode()


class EtcdClient:
    """Reads, writes and compares and swaps keys."""

    def __init__(self, session: ClientSession, node: str, *, serializable: bool) -> None:
        self._session, self._node, self._serializable = session, node, serializable

    async def apply(self, op: Op) -> Op:
        """Do a `read`, `write` or `cas`. Raises: Refused, ConnectionError."""
        key, value = op.value
        match op.f:
            case "read":
                value = await self._read(key)
            case "write":
                await ask(self._session, "kv/put", {"key": b64(key), "value": b64(value)})
            case _:
                await self._swap(key, *value)
        return op.ok([key, value], node=self._node)

    async def _read(self, key: str) -> int | None:
        try:
            found = await ask(
                self._session, "kv/range", {"key": b64(key), "serializable": self._serializable}
            )
        except OSError as error:
            raise Refused(f"not read: {error}") from error
        return int(b64decode(found["kvs"][0]["value"])) if found.get("kvs") else None

    async def _swap(self, key: str, old: int, new: int) -> None:
        compare = {"key": b64(key), "target": "VALUE", "result": "EQUAL", "value": b64(old)}
        put = {"requestPut": {"key": b64(key), "value": b64(new)}}
        if not (await ask(self._session, "kv/txn", {"compare": [compare], "success": [put]})).get(
            "succeeded"
        ):
            raise Refused("it held another value")


async def _status(host: Host) -> dict[str, Any]:
    async with session_with(host) as session:
        return await ask(session, "maintenance/status", {})


ETCD = system_workload(
    Etcd(),
    about="Whether etcd's keys are linearizable; with reads=serializable they are not.",
    generator=read_write_cas,
    final=write_and_read,
    check=linearizable_keys,
    roles=("leader",),
    options={"reads": "`linearizable`, the default, or `serializable`, which a node answers by itself"},
    defaults={"nodes": 5, "concurrency": 10, "rate": 200.0, "time_limit_s": 30.0},
    timeout_s=2.0,
    steady_s=3.0,
)
