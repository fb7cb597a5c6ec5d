"""Locks of etcd, taken as its documentation shows: a lease that is kept alive, and no fencing.

A client takes itself for the holder until it gives the lock back. It does not notice that its lease ran out
meanwhile, because its keep-alives were slow or lost; then two clients hold the lock.
"""

from __future__ import annotations

import asyncio
import random
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from ostrakon.checkers.coordination.leases import client_leases
from ostrakon.checkers.run.stats import stats
from ostrakon.checkers.verdict import Verdict, guarded
from ostrakon.harness.generator import Generator, OpRequest, cycle, each_thread, sequence, sleep, stagger
from ostrakon.harness.history import History, Op, Trace
from ostrakon.harness.hosts.system import system_workload
from ostrakon.harness.hosts.topology import Host
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Client, Refused
from ostrakon.workloads.systems.etcd import Etcd, ask, b64, session_with

if TYPE_CHECKING:
    from aiohttp import ClientSession

_LOCK, _LEASE_S, _KEEP_ALIVE_S = "lock", 2, 0.5
_HELD_S = 0.5
"""How long a client does something under the lock, in seconds."""


class EtcdLock(Etcd):
    """etcd, for clients that want a lock."""

    name = "etcd-lock"  # type: ignore[misc]

    @asynccontextmanager
    async def connect(
        self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]
    ) -> AsyncIterator[Client]:
        """A client that speaks to its own node and no other."""
        async with session_with(host) as session:
            client = _LockClient(session, host.name)
            yield client
            client.stop()


class _LockClient:
    """Acquires and releases a lock; keeps its lease alive in between."""

    def __init__(self, session: ClientSession, node: str) -> None:
        self._session, self._node = session, node
        self._held: tuple[bytes, str, asyncio.Task[None]] | None = None
        """The key that stands for the lock, the lease, and what keeps that alive."""

    async def apply(self, op: Op) -> Op:
        """Do an `acquire` or a `release`. Raises: Refused, ConnectionError."""
        if op.f == "acquire":
            await self._acquire()
        else:
            await self._release()
        return op.ok(node=self._node)

    def stop(self) -> None:
        """Keep no lease alive any more."""
        if self._held is not None:
            self._held[2].cancel()

    async def _acquire(self) -> None:
        if self._held is not None:
            raise Refused("it has the lock")
        lease = (await ask(self._session, "lease/grant", {"TTL": _LEASE_S}))["ID"]
        # It keeps the lease alive while it waits in line, as it must: others may hold the lock for long.
        keeping = asyncio.get_running_loop().create_task(self._keep_alive(lease))
        try:
            locked = await ask(self._session, "lock/lock", {"name": b64(_LOCK), "lease": lease})
        except BaseException:
            keeping.cancel()
            raise
        self._held = b64decode(locked["key"]), lease, keeping

    async def _release(self) -> None:
        if self._held is None:
            raise Refused("it does not have the lock")
        key, _, keeping = self._held
        self._held = None
        keeping.cancel()
        await ask(self._session, "lock/unlock", {"key": b64(key.decode())})

    async def _keep_alive(self, lease: str) -> None:
        while True:
            with suppress(OSError):
                await ask(self._session, "lease/keepalive", {"ID": lease})
            await asyncio.sleep(_KEEP_ALIVE_S)


def _acquire_and_release(plan: Plan, rng: random.Random) -> Generator:
    """Every client acquires the lock, holds it for a while and gives it back, again and again."""
    turn = sequence(OpRequest("acquire", _LOCK), sleep(_HELD_S), OpRequest("release", _LOCK))
    return each_thread(stagger(plan.concurrency / plan.rate, cycle(turn), rng=rng))


def _never_two(plan: Plan, history: History, trace: Trace) -> Verdict:
    """No two clients hold the lock at a time."""
    parts = {"leases": lambda: client_leases(history), "stats": lambda: stats(history)}
    return Verdict.compose({part: guarded(part, of) for part, of in parts.items()})


ETCD_LOCK = system_workload(
    EtcdLock(),
    about="Whether two clients ever hold a lock of etcd at a time; without fencing they do.",
    generator=_acquire_and_release,
    check=_never_two,
    roles=("leader",),
    defaults={"nodes": 5, "concurrency": 5, "rate": 10.0, "time_limit_s": 45.0},
    timeout_s=5.0,
    steady_s=4.0,
)
