"""The adapter for PostgreSQL with streaming replication; `postgres_agent` promotes a standby.

The first host begins as the primary, and the second is the candidate. One fail-over is all that a trial has:
a primary that has been replaced accepts no more writes.
"""

from __future__ import annotations

import random
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

from ostrakon.harness.generator import Generator, phases, sleep
from ostrakon.harness.history import Op
from ostrakon.harness.hosts.system import Service, SystemPackage, system_workload
from ostrakon.harness.hosts.topology import NETWORK, Host
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Client, Refused
from ostrakon.workloads.systems.sets import adds, all_there, read_at_last

if TYPE_CHECKING:
    from asyncpg import Connection

PORT = 5432
_TIMEOUT_S = 2.0
_BIN = "/usr/lib/postgresql/15/bin"
_SETTLED_S = 3.0
_TABLE = "CREATE TABLE elements (element int PRIMARY KEY)"


class Postgres:
    """PostgreSQL 15; with commit=remote_apply the candidate must have applied what is acknowledged."""

    name: Final = "postgres"
    runtime: Final[Literal["asyncio"]] = "asyncio"
    packages: Final = (
        SystemPackage(f"{_BIN}/postgres", "postgresql-15", ("--version",)),
        SystemPackage(sys.executable, "python3", ("--version",)),
    )
    libraries: Final = ("asyncpg",)
    time_resolution_s: Final = 0.001

    @property
    def lost(self) -> tuple[type[Exception], ...]:
        """Connections that end, and servers that stop."""
        return _lost()

    def services(self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]) -> Sequence[Service]:
        """The server, and the agent that watches the others."""
        commit = options.get("commit", "on")
        conf, hba = _configuration(
            "n2" if commit == "remote_apply" else "", commit, options.get("fsync", "on")
        )
        source = f"host={hosts[0].address} user=postgres application_name={host.name}"
        data = str(host.data / "pg")
        copy = f"until rm -rf {data}; {_BIN}/pg_basebackup -D {data} -d '{source}' -Rc fast; do sleep 1; done"
        prepare = _first(data) if host == hosts[0] else (("timeout", "50", "sh", "-c", copy),)
        server = (f"{_BIN}/postgres", "-D", data, "-c", f"listen_addresses={host.address}")
        agent = (sys.executable, "-m", "ostrakon.workloads.systems.postgres_agent", host.address)
        files = {"server.conf": conf, "hba.conf": hba}
        return (
            Service("postgres", server, files, prepare, user="postgres"),
            Service("agent", (*agent, commit, *(peer.address for peer in hosts))),
        )

    async def ready(self, host: Host, hosts: Sequence[Host]) -> None:
        """It answers, and the first has a standby for each other host."""
        await _ask(host, "SELECT 1")
        count = await _ask(hosts[0], "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        if host == hosts[0] and count < len(hosts) - 1:
            raise ConnectionError("standbys have not caught up yet")

    @asynccontextmanager
    async def connect(
        self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]
    ) -> AsyncIterator[Client]:
        """A client that looks for a server that accepts writes, its own host's first."""
        connection = await _writable((host, *(peer for peer in hosts if peer != host)))
        try:
            yield _SetClient(connection)
        finally:
            connection.terminate()

    async def roles(self, host: Host, hosts: Sequence[Host]) -> Collection[str]:
        """Whether it accepts writes."""
        return set() if await _ask(host, _READ_ONLY) == "on" else {"primary"}

    async def now(self, host: Host, hosts: Sequence[Host]) -> float:
        """`clock_timestamp()`."""
        return float(await _ask(host, "SELECT extract(epoch FROM clock_timestamp())"))


def _lost() -> tuple[type[Exception], ...]:
    import asyncpg

    stopping = (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError)
    return (*stopping, asyncpg.InterfaceError, asyncpg.InternalClientError)


def _first(data: str) -> tuple[tuple[str, ...], ...]:
    """The commands that make the database of the first host."""
    return (
        (f"{_BIN}/initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"),
        ("sh", "-c", f"echo '{_TABLE}' | {_BIN}/postgres --single -D {data} postgres"),
        ("sh", "-c", f"cat server.conf >>{data}/postgresql.conf; cat hba.conf >>{data}/pg_hba.conf"),
    )


_READ_ONLY = "SHOW transaction_read_only"


def _configuration(standby: str, commit: str, fsync: str) -> tuple[str, str]:
    """What is added to `postgresql.conf` and `pg_hba.conf`."""
    conf = (
        f"port = {PORT}\nunix_socket_directories = ''\nmax_wal_senders = 10\nwal_keep_size = 256MB\n"
        f"synchronous_standby_names = '{standby}'\nsynchronous_commit = {commit}\n"
        f"fsync = {fsync}\n"
        "wal_receiver_timeout = 2s\nwal_sender_timeout = 2s\nwal_retrieve_retry_interval = 200ms\n"
    )
    hba = "".join(f"host {what} all {NETWORK}.0/24 trust\n" for what in ("all", "replication"))
    return conf, hba


async def _connection(host: Host) -> Connection:
    import asyncpg

    return await asyncpg.connect(host=host.address, port=PORT, user="postgres", timeout=_TIMEOUT_S / 2)


async def _ask(host: Host, query: str) -> Any:
    connection = await _connection(host)
    try:
        return await connection.fetchval(query)
    finally:
        connection.terminate()


async def _writable(hosts: Sequence[Host]) -> Connection:
    """A connection to the first of these hosts that accepts writes. Raises: ConnectionError."""
    for host in hosts:
        try:
            connection = await _connection(host)
        except OSError:
            continue
        if await connection.fetchval(_READ_ONLY) == "off":
            return connection
        connection.terminate()
    raise ConnectionError("no server accepts writes")


class _SetClient:
    """Adds elements to a table, and reads them all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def apply(self, op: Op) -> Op:
        """Do an `add` or a `read`. Raises: Refused; asyncpg's errors of lost connections."""
        import asyncpg

        try:
            if op.f == "read":
                rows = await self._connection.fetch("SELECT element FROM elements ORDER BY element")
                return op.ok([row["element"] for row in rows])
            await self._connection.execute("INSERT INTO elements VALUES ($1)", op.value)
        except (asyncpg.ReadOnlySQLTransactionError, asyncpg.UndefinedTableError) as error:
            raise Refused(str(error)) from error
        return op.ok()


def _final(plan: Plan, rng: random.Random) -> Generator:
    return phases(sleep(_SETTLED_S), read_at_last(plan, rng))


POSTGRES = system_workload(
    Postgres(),
    about="Whether PostgreSQL keeps what it acknowledged at a fail-over: with commit=remote_apply it does.",
    generator=adds,
    final=_final,
    check=all_there,
    roles=("primary",),
    options={
        "commit": "`on`, the default, waits for no standby; `remote_apply` waits for the candidate",
        "fsync": "`on`, the default, or `off`: nothing is made durable",
    },
    defaults={"nodes": 3, "concurrency": 10, "rate": 200.0, "time_limit_s": 20.0},
    timeout_s=_TIMEOUT_S,
    steady_s=6.0,
)
