"""A client for many operations at once, on Trio and on asyncio.

    async with AsyncClient([Address("127.0.0.1", 7001)]) as store:
        await store.put("colour", "blue")
        await store.get("colour")

There are three outcomes: a result, definitely not done (`NotDone`), and unknown (`Unsure`).
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from types import TracebackType
from typing import Any

import anyio
import msgspec

from ostrakon.paxos_impl.client import watching
from ostrakon.paxos_impl.client.lease import held_lease
from ostrakon.paxos_impl.client.replica import ReplicaClient
from ostrakon.paxos_impl.client.session import NotDone, Unsure
from ostrakon.paxos_impl.client.shared_connections import SharedConnections
from ostrakon.paxos_impl.core.multi import ReadHow
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import Answer, Done, Watched, read_response
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

TIMEOUT_S = 5.0
"""Default time limit of an operation, in seconds."""
IN_PROGRESS_MAX = 256
"""Default number of operations of one client that are in progress at once; others wait for their turn."""
LEASE_S = 10.0
"""Default time after which a lock becomes free, or a key vanishes, if its holder is gone, in seconds."""
_LOCK_PAUSE_S_FIRST, _LOCK_PAUSE_S_MAX = 0.02, 0.5


class LockLost(Exception):
    """The lock was granted to another holder, or was free for a while: the operation was not done."""


class AsyncClient:
    """A client of a replicated state machine; use it with `async with`, on Trio or on asyncio.

    Any number of tasks may call its methods at once. They share one connection to each replica that they ask,
    and each operation in progress has a session of its own, so that it is executed at most once, whatever the
    network does. Sessions are kept and used again.

    `execute` and `read` are for any state machine; the methods after them are those of the key-value store,
    whose values are any data that JSON can carry. All raise NotDone if the operation was not executed and
    never will be; those that change something raise Unsure if nobody can tell. `timeout_s` of an operation is
    the time in which it has an outcome, waiting for its turn included.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        name: str | None = None,
        timeout_s: float = TIMEOUT_S,
        attempt_s: float = 0.5,
        in_progress_max: int = IN_PROGRESS_MAX,
        transport: Transport = PLAIN,
    ) -> None:
        """`addresses` are those of one replica or more; the leader is found from any of them.

        `name` must differ from the names of all other clients, past and future; it is random if not given.
        `attempt_s` is the time that a replica has to answer before another one is asked, at first.
        """
        assert addresses, "there is no replica to ask"
        self._addresses, self._transport = tuple(addresses), transport
        self._name = secrets.token_hex(8) if name is None else name
        self._timeout_s, self._attempt_s = timeout_s, attempt_s
        self._in_progress_max = in_progress_max
        self._opened = self._grants = 0
        self._idle: list[ReplicaClient] = []
        self._open = AsyncExitStack()
        self._channels: SharedConnections[Answer] | None = None

    async def __aenter__(self) -> AsyncClient:
        self._tasks = await self._open.enter_async_context(anyio.create_task_group())
        self._turns = anyio.Semaphore(self._in_progress_max, fast_acquire=True)
        self._channels = SharedConnections(self._tasks, read_response, self._transport)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._channels is not None, "it was entered"
        self._channels.close()
        self._tasks.cancel_scope.cancel()
        # The error of the body is not for the task group, which would wrap it in a group of its own.
        await self._open.__aexit__(None, None, None)

    # Any state machine.

    async def execute(self, op: Any, *, timeout_s: float | None = None) -> Done:
        """Execute an operation through the log: plain data, or one of the store's operations.

        The result comes with the slot after which it holds. Raises: NotDone; Unsure.
        """
        return await self._do(lambda client, left_s: client.execute(_plain(op), timeout_s=left_s), timeout_s)

    async def read(self, op: Any, *, how: ReadHow = "lease", timeout_s: float | None = None) -> Done:
        """The result of an operation that only reads, which shows all that was done before it.

        With `how="stale"` any replica answers at once with the state that it knows. Raises: NotDone.
        """
        return await self._do(
            lambda client, left_s: client.read(_plain(op), how=how, timeout_s=left_s), timeout_s
        )

    # The key-value store.

    async def get(self, key: str, *, how: ReadHow = "lease", timeout_s: float | None = None) -> Any:
        """The value of a key; None if it has none. Raises: NotDone."""
        return (await self.read(["get", key], how=how, timeout_s=timeout_s)).result

    async def put(
        self, key: str, value: Any, *, lease: str | None = None, timeout_s: float | None = None
    ) -> int:
        """Set a key to a value, until a lease ends if one is given; returns the slot after which it has it.

        Raises: NotDone, also if the lease has ended; Unsure.
        """
        if lease is None:
            return (await self.execute(["put", key, value], timeout_s=timeout_s)).slot
        done = await self.execute(["put_leased", key, value, lease], timeout_s=timeout_s)
        if not done.result:
            raise NotDone(f"the lease {lease!r} has ended")
        return done.slot

    async def delete(self, key: str, *, timeout_s: float | None = None) -> bool:
        """Delete the value of a key; returns whether there was one. Raises: NotDone; Unsure."""
        return bool((await self.execute(["delete", key], timeout_s=timeout_s)).result)

    async def cas(self, key: str, old: Any, new: Any, *, timeout_s: float | None = None) -> bool:
        """Set a key to `new` if its value is `old`; returns whether it was. Raises: NotDone; Unsure."""
        return bool((await self.execute(["cas", key, old, new], timeout_s=timeout_s)).result)

    async def append(self, key: str, element: Any, *, timeout_s: float | None = None) -> int:
        """Append to the list at a key; returns its new length. Raises: NotDone; Unsure."""
        return int((await self.execute(["append", key, element], timeout_s=timeout_s)).result)

    async def add(self, key: str, amount: int, *, timeout_s: float | None = None) -> int | None:
        """Add to the integer at a key, or to 0; returns the sum.

        None if the value is no integer, or if the sum would not fit in 64 bits; then nothing has changed.
        Raises: NotDone; Unsure.
        """
        result = (await self.execute(["add", key, amount], timeout_s=timeout_s)).result
        return None if result is None else int(result)

    async def transact(
        self, ops: Sequence[Any], *, given: Mapping[str, Any] | None = None, timeout_s: float | None = None
    ) -> list[Any] | None:
        """Execute several operations at once, if the keys of `given` have the values that it says.

        Returns their results, or None if a key has another value; then nothing has changed. With several
        groups, all keys must belong to one. Raises: NotDone; Unsure.
        """
        conditions = [[key, value] for key, value in (given or {}).items()]
        op = ["txn", conditions, [_plain(op) for op in ops]]
        result: list[Any] | None = (await self.execute(op, timeout_s=timeout_s)).result
        return result

    async def items(
        self,
        prefix: str = "",
        *,
        start: str | None = None,
        keys_only: bool = False,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[tuple[str, Any], None]:
        """The keys that begin with `prefix`, in order, with their values, read page by page.

        They begin with `start`, if it is given. Each page shows one state; it may take `timeout_s`. Raises:
        NotDone.
        """
        client = self._client("reader")
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        async for item in client.items(prefix, start=start, keys_only=keys_only, timeout_s=limit_s):
            yield item

    def watch(
        self, prefix: str = "", *, after: int | None = None, group: int | None = None
    ) -> AsyncGenerator[Watched, None]:
        """The changes of all keys that begin with `prefix`, after a slot, or from now on; see `watch`."""
        return watching.watch(self._addresses, prefix, after=after, group=group, transport=self._transport)

    def lease(
        self, *, length_s: float = LEASE_S, name: str = ""
    ) -> AbstractAsyncContextManager[str, bool | None]:
        """A lease that is kept alive while the body runs, for `put`; see `held_lease`.

        Raises: NotDone; Unsure; LeaseLost.
        """
        return held_lease(self, length_s=length_s, name=name)

    @asynccontextmanager
    async def lock(
        self, name: str, *, lease_s: float = LEASE_S, wait_s: float | None = None
    ) -> AsyncIterator[LockGrant]:
        """Hold a lock: waits until it is free, keeps it in the body, and releases it at the end.

        Waits at most `wait_s`, if that is given. If this client is gone, the lock becomes free `lease_s`
        later. A client that was suspended may have lost the lock without knowing: use the methods of the
        `LockGrant` to change what the lock guards. Raises: NotDone, if it is not granted in time.
        """
        self._grants += 1
        grant = LockGrant(self, name, f"{self._name}/{self._grants}", lease_s)
        await grant.wait_granted(wait_s)
        renewal = anyio.CancelScope()
        self._tasks.start_soon(grant.keep, renewal)
        try:
            yield grant
        finally:
            renewal.cancel()
            with anyio.CancelScope(shield=True), suppress(NotDone, Unsure):
                await self.execute(["release", name, grant.token])

    # Sessions.

    async def _do(
        self, work: Callable[[ReplicaClient, float], Awaitable[Done]], timeout_s: float | None
    ) -> Done:
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        deadline = anyio.current_time() + limit_s
        with anyio.move_on_after(limit_s) as waiting:
            await self._turns.acquire()
        if waiting.cancelled_caught:
            raise NotDone(f"its turn did not come within {limit_s:g} s")
        client = self._idle.pop() if self._idle else self._next_client()
        try:
            return await work(client, deadline - anyio.current_time())
        finally:
            self._idle.append(client)
            self._turns.release()

    def _next_client(self) -> ReplicaClient:
        self._opened += 1
        return self._client(f"{self._name}.{self._opened}")

    def _client(self, name: str) -> ReplicaClient:
        if self._channels is None:
            raise RuntimeError("use the client with `async with`")
        return ReplicaClient(self._addresses, name, attempt_s=self._attempt_s, channels=self._channels)


class LockGrant:
    """A lock that was granted; made by `AsyncClient.lock`."""

    def __init__(self, client: AsyncClient, lock: str, holder: str, lease_s: float) -> None:
        self._client, self._lock, self._holder, self._lease_s = client, lock, holder, lease_s
        self.token = 0
        """The fencing token: higher than those of all earlier grants of the lock."""
        self.is_lost = False
        """Whether it is known that another holder got the lock. It may be lost before that is known."""

    async def execute(self, op: Any, *, timeout_s: float | None = None) -> Any:
        """Execute an operation on one key if this is still the last grant of the lock; returns its result.

        Raises: LockLost; NotDone; Unsure.
        """
        guarded = ["guarded", self._lock, self.token, _plain(op)]
        done = await self._client.execute(guarded, timeout_s=timeout_s)
        if done.result is None:
            self.is_lost = True
            raise LockLost(f"{self._lock} was granted again since, or released")
        [result] = done.result
        return result

    async def put(self, key: str, value: Any, *, timeout_s: float | None = None) -> None:
        """Set a key to a value, as `execute` does. Raises: LockLost; NotDone; Unsure."""
        await self.execute(["put", key, value], timeout_s=timeout_s)

    async def wait_granted(self, wait_s: float | None) -> None:
        """Ask for the lock until it is granted. Raises: NotDone, if that takes longer than `wait_s`."""
        pause_s = _LOCK_PAUSE_S_FIRST
        with anyio.move_on_after(wait_s):
            while True:
                with suppress(NotDone, Unsure):  # Asking again is safe, because the holder is the same.
                    if (token := await self._acquire()) is not None:
                        self.token = token
                        return
                await anyio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LOCK_PAUSE_S_MAX)
        raise NotDone(f"the lock {self._lock!r} was not granted within {wait_s:g} s")

    async def keep(self, scope: anyio.CancelScope) -> None:
        """Renew the lease until cancelled, or until it is lost."""
        with scope:
            while not self.is_lost:
                await anyio.sleep(self._lease_s / 3)
                with suppress(NotDone, Unsure):
                    if (token := await self._acquire()) != self.token:
                        self.is_lost = True
                        await self._client.execute(["release", self._lock, token or 0])

    async def _acquire(self) -> int | None:
        done = await self._client.execute(["acquire", self._lock, self._holder, round(self._lease_s * 1000)])
        return None if done.result is None else int(done.result)


def _plain(op: Any) -> Any:
    """An operation as plain data."""
    return msgspec.to_builtins(op) if isinstance(op, msgspec.Struct) else op
