"""The adapter for Redis with Sentinel: asynchronous replication, and fail-over by a vote of sentinels."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec.structs import replace

from ostrakon.harness.generator import Generator, phases, sleep
from ostrakon.harness.history import Op
from ostrakon.harness.hosts.system import Service, SystemPackage, system_workload
from ostrakon.harness.hosts.topology import Host
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Client, Refused, Unavailable
from ostrakon.workloads.systems.sets import adds, all_there, read_at_last

if TYPE_CHECKING:
    from redis.asyncio import Redis

_REDIS, _SENTINEL, _MASTER, _KEY = 6379, 26379, "ostrakon", "elements"
_TIMEOUT_S = 1.0
_SETTLED_S = 8.0
"""How long after the last fault clients wait before they read, in seconds. Sentinels tell each other of a new
master every 2 s, and turn a master that is none any more into a replica after 4 of these periods."""


class RedisSentinel:
    """Redis and a sentinel on each host; a majority of sentinels must agree that the master is down."""

    name: Final = "redis-sentinel"
    runtime: Final[Literal["asyncio"]] = "asyncio"
    packages: Final = (
        SystemPackage("redis-server", "redis-server", ("--version",)),
        SystemPackage("redis-sentinel", "redis-sentinel"),
    )
    libraries: Final = ("redis",)
    time_resolution_s: Final = 0.001

    @property
    def lost(self) -> tuple[type[Exception], ...]:
        """Connections that fail, and answers that do not come."""
        import redis

        return (redis.ConnectionError, redis.TimeoutError)

    def services(self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]) -> Sequence[Service]:
        """Both; the first host begins as the master."""
        store, sentinel = _configuration(host, hosts, options)
        return (
            Service("redis", ("redis-server", "redis.conf"), {"redis.conf": store}),
            Service("sentinel", ("redis-sentinel", "sentinel.conf"), {"sentinel.conf": sentinel}),
        )

    async def ready(self, host: Host, hosts: Sequence[Host]) -> None:
        """Redis is a master, or a replica that is up to date; and its sentinel knows all others."""
        async with _redis(host, _REDIS) as redis, _redis(host, _SENTINEL) as sentinel:
            state = await redis.info("replication")
            master: Any = await sentinel.sentinel_master(_MASTER)
        if state.get("master_link_status", "up") != "up" or master["num-other-sentinels"] < len(hosts) - 1:
            raise ConnectionError(f"{host.name} has not joined yet")

    @asynccontextmanager
    async def connect(
        self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]
    ) -> AsyncIterator[Client]:
        """A client that asks its own host's sentinel first who the master is."""
        async with _master_of(host, hosts) as master:
            names = {peer.address: peer.name for peer in hosts}
            yield _SetClient(master, names, int(options.get("wait", 0)))

    async def roles(self, host: Host, hosts: Sequence[Host]) -> Collection[str]:
        """Whether it takes itself for the master; two may at a time."""
        async with _redis(host, _REDIS) as redis:
            return {"master"} if (await redis.role())[0] == b"master" else set()

    async def now(self, host: Host, hosts: Sequence[Host]) -> float:
        """TIME of Redis."""
        return await _time(host)


def _configuration(host: Host, hosts: Sequence[Host], options: Mapping[str, Any]) -> tuple[str, str]:
    """The configuration files of Redis and of its sentinel."""
    first, quorum = hosts[0].address, len(hosts) // 2 + 1
    own = f"bind {host.address}\nport {{}}\nprotected-mode no\ndir {host.data}\n"
    store = own.format(_REDIS) + "appendonly yes\nrepl-diskless-sync-delay 0\nrepl-timeout 10\n"
    store += f"appendfsync {options.get('fsync', 'everysec')}\n"
    if replicas := options.get("min-replicas"):
        store += f"min-replicas-to-write {replicas}\nmin-replicas-max-lag 2\n"
    if host.address != first:
        store += f"replicaof {first} {_REDIS}\n"
    sentinel = own.format(_SENTINEL) + f"sentinel monitor {_MASTER} {first} {_REDIS} {quorum}\n"
    for name, value in (("down-after-milliseconds", 1000), ("failover-timeout", 3000)):
        sentinel += f"sentinel {name} {_MASTER} {value}\n"
    return store, sentinel


@asynccontextmanager
async def _master_of(host: Host, hosts: Sequence[Host]) -> AsyncIterator[Any]:
    """Redis on whichever host is the master by what the sentinels say, that of `host` first."""
    from redis.asyncio.sentinel import Sentinel

    others = [peer for peer in hosts if peer is not host]
    places = [(peer.address, _SENTINEL) for peer in (host, *others)]
    timeouts = {"socket_timeout": _TIMEOUT_S, "socket_connect_timeout": _TIMEOUT_S}
    sentinel: Any = Sentinel(places, sentinel_kwargs=timeouts, **timeouts)  # type: ignore[no-untyped-call]
    async with sentinel.master_for(_MASTER) as master:
        yield master
    for each in sentinel.sentinels:
        await each.aclose()


async def _time(host: Host) -> float:
    async with _redis(host, _REDIS) as redis:
        seconds, microseconds = await redis.time()
    return float(seconds) + float(microseconds) / 1e6


def _redis(host: Host, port: int) -> Redis:
    from redis.asyncio import Redis

    return Redis(host=host.address, port=port, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)


class _SetClient:
    """Adds elements to a set, and reads them all."""

    def __init__(self, master: Any, names: Mapping[str, str], wait: int) -> None:
        """`names` are those of hosts by address."""
        self._master, self._names, self._wait = master, names, wait

    async def apply(self, op: Op) -> Op:
        """Do an `add` or a `read`. Raises: Refused; whatever Redis's client raises of lost connections."""
        import redis
        from redis.asyncio.sentinel import MasterNotFoundError

        try:
            if op.f == "read":
                found = await self._master.smembers(_KEY)
                return self._done(op, sorted(int(element) for element in found))
            return await self._add(op)
        except MasterNotFoundError as error:
            raise Unavailable(str(error)) from error
        except redis.ResponseError as error:  # It is read-only, is loading, or has too few replicas.
            raise Refused(str(error)) from error

    async def _add(self, op: Op) -> Op:
        # In one pipeline, and so on one connection: WAIT is about what its own connection has written.
        pipeline = self._master.pipeline(transaction=False)
        pipeline.sadd(_KEY, op.value)
        if self._wait:
            pipeline.wait(self._wait, int(_TIMEOUT_S * 500))
        answers = await pipeline.execute()
        if self._wait and answers[1] < self._wait:
            return replace(op, type="info", error=f"only {answers[1]} replicas had it in time")
        return self._done(op, op.value)

    def _done(self, op: Op, value: Any) -> Op:
        address, _ = self._master.connection_pool.master_address
        return op.ok(value, node=self._names[address])


def _final(plan: Plan, rng: random.Random) -> Generator:
    return phases(sleep(_SETTLED_S), read_at_last(plan, rng))


REDIS_SENTINEL = system_workload(
    RedisSentinel(),
    about="Whether a write that Redis has acknowledged is there after a fail-over; with wait=3 of 5 it is.",
    generator=adds,
    final=_final,
    check=all_there,
    roles=("master",),
    options={
        "wait": "how many replicas must have a write before it counts as acknowledged (WAIT); 0, the default",
        "fsync": "when a write is made durable: `everysec`, the default, `always` or `no`",
        "min-replicas": "how many up-to-date replicas a master needs to accept writes; 0, the default",
    },
    defaults={"nodes": 5, "concurrency": 10, "rate": 200.0, "time_limit_s": 45.0},
    timeout_s=2.0,
    steady_s=6.0,
)
