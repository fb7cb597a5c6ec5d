"""A client without `async`, and one for asyncio: both run the Trio client in a thread of its own.

    with BlockingClient([Address("127.0.0.1", 7001)]) as client:
        client.execute(["put", "colour", "blue"])
        client.read(["get", "colour"]).result

    async with AsyncioClient([Address("127.0.0.1", 7001)]) as client:
        await client.execute(["put", "colour", "blue"])

Several operations may be in progress at once: each takes a session that is idle, and a new one if there is
none.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any

import trio

from ostrakon.paxos_impl.client.replica import ReplicaClient
from ostrakon.paxos_impl.core.multi import ReadHow
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import Done
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

TIMEOUT_S = 5.0
"""Default time limit of an operation, in seconds."""


class _Worker:
    """A thread that runs Trio, and the sessions in it."""

    def __init__(self, addresses: Sequence[Address], transport: Transport) -> None:
        self._addresses, self._transport = tuple(addresses), transport
        self._name = secrets.token_hex(8)
        self._opened = 0
        self._idle: list[ReplicaClient] = []
        self._ready = threading.Event()
        self._stop: trio.Event
        self._nursery: trio.Nursery
        self._token: trio.lowlevel.TrioToken
        self._thread = threading.Thread(target=trio.run, args=(self._run,), daemon=True)
        self._thread.start()
        self._ready.wait()

    def submit(self, work: Callable[[ReplicaClient], Awaitable[Done]]) -> Future[Done]:
        """Do work with a session that is idle. The future raises: NotDone; Unsure."""
        future: Future[Done] = Future()
        self._token.run_sync_soon(self._nursery.start_soon, self._do, work, future)
        return future

    def close(self) -> None:
        """Close all connections; operations in progress are given up."""
        self._token.run_sync_soon(self._stop.set)
        self._thread.join()

    async def _run(self) -> None:
        self._stop, self._token = trio.Event(), trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self._nursery:
            self._ready.set()
            await self._stop.wait()
            self._nursery.cancel_scope.cancel()
        for client in self._idle:
            await client.__aexit__(None, None, None)

    async def _do(self, work: Callable[[ReplicaClient], Awaitable[Done]], future: Future[Done]) -> None:
        client = self._idle.pop() if self._idle else self._new_client()
        try:
            done = await work(client)
        except Exception as error:
            future.set_exception(error)
        except trio.Cancelled:
            future.cancel()
            raise
        else:
            future.set_result(done)
        finally:
            self._idle.append(client)

    def _new_client(self) -> ReplicaClient:
        self._opened += 1
        return ReplicaClient(self._addresses, f"{self._name}.{self._opened}", transport=self._transport)


class BlockingClient:
    """A client for programs without `async`; its methods may be called by several threads at once."""

    def __init__(self, addresses: Sequence[Address], *, transport: Transport = PLAIN) -> None:
        self._worker = _Worker(addresses, transport)

    def __enter__(self) -> BlockingClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._worker.close()

    def execute(self, op: Any, *, timeout_s: float = TIMEOUT_S) -> Done:
        """Execute an operation through the log. Raises: NotDone; Unsure."""
        return self._worker.submit(lambda client: client.execute(op, timeout_s=timeout_s)).result()

    def read(self, op: Any, *, how: ReadHow = "lease", timeout_s: float = TIMEOUT_S) -> Done:
        """The result of an operation that only reads. Raises: NotDone."""
        return self._worker.submit(lambda client: client.read(op, how=how, timeout_s=timeout_s)).result()


class AsyncioClient:
    """A client for asyncio; many operations may be in progress at once."""

    def __init__(self, addresses: Sequence[Address], *, transport: Transport = PLAIN) -> None:
        self._worker = _Worker(addresses, transport)

    async def __aenter__(self) -> AsyncioClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._worker.close)

    async def execute(self, op: Any, *, timeout_s: float = TIMEOUT_S) -> Done:
        """Execute an operation through the log. Raises: NotDone; Unsure."""
        work = self._worker.submit(lambda client: client.execute(op, timeout_s=timeout_s))
        return await asyncio.wrap_future(work)

    async def read(self, op: Any, *, how: ReadHow = "lease", timeout_s: float = TIMEOUT_S) -> Done:
        """The result of an operation that only reads. Raises: NotDone."""
        work = self._worker.submit(lambda client: client.read(op, how=how, timeout_s=timeout_s))
        return await asyncio.wrap_future(work)
