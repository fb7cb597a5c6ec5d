"""The adapter for ZooKeeper. A read is answered by the server that is asked, from what it knows by then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from ostrakon.harness.history import Op
from ostrakon.harness.hosts.system import Service, SystemPackage, system_workload
from ostrakon.harness.hosts.topology import Host
from ostrakon.harness.workload import Client, Refused
from ostrakon.workloads.systems.registers import linearizable_keys, read_write_cas, write_and_read

if TYPE_CHECKING:
    from kazoo.client import KazooClient

_CLIENTS, _PEERS, _ELECTION = 2181, 2888, 3888
_TIMEOUT_S = 2.0
_JAR = "/usr/share/java/zookeeper.jar"


class ZooKeeper:
    """ZooKeeper as the distribution has it, with ticks of 200 ms instead of 2 s, so that it elects soon."""

    name: Final = "zookeeper"
    runtime: Final[Literal["asyncio"]] = "asyncio"
    packages: Final = (
        SystemPackage("java", "default-jre-headless", ("-version",)),
        SystemPackage(_JAR, "zookeeper"),
    )
    libraries: Final = ("kazoo",)

    @property
    def lost(self) -> tuple[type[Exception], ...]:
        """Connections and sessions that were lost."""
        return _lost()

    def services(self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]) -> Sequence[Service]:
        """One process."""
        members = "".join(f"server.{peer.number}={peer.address}:{_PEERS}:{_ELECTION}\n" for peer in hosts)
        conf = (
            f"tickTime=200\ninitLimit=20\nsyncLimit=10\ndataDir={host.data}\nclientPort={_CLIENTS}\n"
            f"clientPortAddress={host.address}\nadmin.enableServer=false\n{members}"
        )
        command = (
            *(
                "java",
                "-Xmx128m",
                "-Dzookeeper.root.logger=INFO,CONSOLE",
                "-cp",
                f"/etc/zookeeper/conf:{_JAR}",
            ),
            *("org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg"),
        )
        return (Service("zookeeper", command, {"zoo.cfg": conf, "data/myid": f"{host.number}\n"}),)

    async def ready(self, host: Host, hosts: Sequence[Host]) -> None:
        """It follows or leads."""
        if not await _mode(host):
            raise ConnectionError(f"{host.name} serves no requests")

    @asynccontextmanager
    async def connect(
        self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]
    ) -> AsyncIterator[Client]:
        """A client that speaks to its own server and no other."""
        async with _opened(f"{host.address}:{_CLIENTS}") as zookeeper:
            yield _RegisterClient(zookeeper, host.name, syncs=options.get("reads") == "sync")

    async def roles(self, host: Host, hosts: Sequence[Host]) -> Collection[str]:
        """Whether it leads."""
        return {"leader"} if await _mode(host) == "leader" else set()


def _lost() -> tuple[type[Exception], ...]:
    from kazoo import exceptions as kazoo
    from kazoo.handlers.threading import KazooTimeoutError

    closed = (kazoo.ConnectionLoss, kazoo.ConnectionClosedError, kazoo.SessionExpiredError)
    return (*closed, kazoo.OperationTimeoutError, KazooTimeoutError)


@asynccontextmanager
async def _opened(address: str) -> AsyncIterator[KazooClient]:
    """A session with one server. Raises: KazooTimeoutError."""
    from kazoo.client import KazooClient

    logging.getLogger("kazoo").setLevel(logging.CRITICAL)
    zookeeper = KazooClient(address, timeout=_TIMEOUT_S)
    opening = asyncio.create_task(asyncio.to_thread(zookeeper.start, _TIMEOUT_S))
    try:
        await asyncio.shield(opening)
        yield zookeeper
    finally:
        await asyncio.wait([opening])  # A thread cannot be cancelled, and must not start what is closed.
        await asyncio.to_thread(_close, zookeeper)


class _RegisterClient:
    """Reads, writes and compares and swaps nodes of the tree."""

    def __init__(self, zookeeper: KazooClient, node: str, *, syncs: bool) -> None:
        self._zookeeper, self._node, self._syncs = zookeeper, node, syncs

    async def apply(self, op: Op) -> Op:
        """Do a `read`, `write` or `cas`. Raises: Refused; kazoo's errors of lost connections."""
        key, value = op.value
        match op.f:
            case "read":
                value, _ = await self._read(f"/{key}")
            case "write":
                await self._write(f"/{key}", str(value).encode())
            case _:
                await self._swap(f"/{key}", *value)
        return op.ok([key, value], node=self._node)

    async def _read(self, path: str) -> tuple[int | None, int]:
        from kazoo.exceptions import NoNodeError

        if self._syncs:
            await _done(self._zookeeper.sync_async(path))
        try:
            data, stat = await _done(self._zookeeper.get_async(path))
        except NoNodeError:
            return None, -1
        return int(data), stat.version

    async def _write(self, path: str, data: bytes) -> None:
        from kazoo.exceptions import NodeExistsError, NoNodeError

        try:
            await _done(self._zookeeper.set_async(path, data))
        except NoNodeError:
            try:
                await _done(self._zookeeper.create_async(path, data))
            except NodeExistsError:  # Another client was first; nodes are never deleted.
                await _done(self._zookeeper.set_async(path, data))

    async def _swap(self, path: str, old: int, new: int) -> None:
        from kazoo.exceptions import BadVersionError

        found, version = await self._read(path)
        if found != old:
            raise Refused("it held another value, perhaps some time ago")
        try:
            await _done(self._zookeeper.set_async(path, str(new).encode(), version))
        except BadVersionError as error:
            raise Refused("it was written meanwhile") from error


async def _done(asked: Any) -> Any:
    """What one of kazoo's own asynchronous requests, which a thread of its own completes, ends with."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ended.done():
            ended.set_result(None)

    asked.rawlink(lambda _: loop.call_soon_threadsafe(tell))
    await ended
    return asked.get_nowait()


def _close(zookeeper: KazooClient) -> None:
    # Where its connection has failed, kazoo raises OSError, TypeError or Exception itself. There is no answer
    # left to wait for, so that none of these tells anything about the server.
    with suppress(Exception):
        zookeeper.stop()
        zookeeper.close()


async def _mode(host: Host) -> str:
    """What a server says that it is: `leader` or `follower`; empty if it does not serve."""
    reader, writer = await asyncio.open_connection(host.address, _CLIENTS)
    try:
        writer.write(b"srvr")
        told = (await reader.read()).decode()
    finally:
        writer.close()
    return next((line.split()[1] for line in told.splitlines() if line.startswith("Mode:")), "")


ZOOKEEPER = system_workload(
    ZooKeeper(),
    about="Whether ZooKeeper's nodes are linearizable: with reads=sync they are, with plain reads not.",
    generator=read_write_cas,
    final=write_and_read,
    check=linearizable_keys,
    roles=("leader",),
    options={"reads": "`plain`, the default, or `sync`, which has the server catch up with the leader first"},
    defaults={"nodes": 5, "concurrency": 10, "rate": 200.0, "time_limit_s": 30.0},
    timeout_s=2.5,
    steady_s=3.0,
)
