"""A client for programs without `async`: runs an `AsyncClient` in a thread of its own.

with BlockingClient([Address("127.0.0.1", 7001)]) as store:
    store.put("colour", "blue")
    store.get("colour")
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from ostrakon.paxos_impl.client.asynchronous import LEASE_S, TIMEOUT_S, AsyncClient, LockGrant
from ostrakon.paxos_impl.core.multi import ReadHow
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import Done, Watched
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

_T = TypeVar("_T")


class BlockingClient:
    """The methods of `AsyncClient` without `async`; any number of threads may call them at once."""

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        name: str | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: Transport = PLAIN,
    ) -> None:
        """The arguments are those of `AsyncClient`."""
        self._arguments = (tuple(addresses), name, timeout_s, transport)
        self._open = ExitStack()

    def __enter__(self) -> BlockingClient:
        addresses, name, timeout_s, transport = self._arguments
        self._portal: BlockingPortal = self._open.enter_context(start_blocking_portal())
        client = AsyncClient(addresses, name=name, timeout_s=timeout_s, transport=transport)
        self._client = self._open.enter_context(self._portal.wrap_async_context_manager(client))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> bool | None:
        return self._open.__exit__(kind, error, tb)

    def execute(self, op: Any, *, timeout_s: float | None = None) -> Done:
        """Execute an operation through the log. Raises: NotDone; Unsure."""
        return self._call(lambda client: client.execute(op, timeout_s=timeout_s))

    def read(self, op: Any, *, how: ReadHow = "lease", timeout_s: float | None = None) -> Done:
        """The result of an operation that only reads. Raises: NotDone."""
        return self._call(lambda client: client.read(op, how=how, timeout_s=timeout_s))

    def get(self, key: str, *, how: ReadHow = "lease", timeout_s: float | None = None) -> Any:
        """The value of a key; None if it has none. Raises: NotDone."""
        return self._call(lambda client: client.get(key, how=how, timeout_s=timeout_s))

    def put(self, key: str, value: Any, *, timeout_s: float | None = None) -> int:
        """Set a key to a value; returns the slot after which it has it. Raises: NotDone; Unsure."""
        return self._call(lambda client: client.put(key, value, timeout_s=timeout_s))

    def delete(self, key: str, *, timeout_s: float | None = None) -> bool:
        """Delete the value of a key; returns whether there was one. Raises: NotDone; Unsure."""
        return self._call(lambda client: client.delete(key, timeout_s=timeout_s))

    def cas(self, key: str, old: Any, new: Any, *, timeout_s: float | None = None) -> bool:
        """Set a key to `new` if its value is `old`; returns whether it was. Raises: NotDone; Unsure."""
        return self._call(lambda client: client.cas(key, old, new, timeout_s=timeout_s))

    def append(self, key: str, element: Any, *, timeout_s: float | None = None) -> int:
        """Append to the list at a key; returns its new length. Raises: NotDone; Unsure."""
        return self._call(lambda client: client.append(key, element, timeout_s=timeout_s))

    def add(self, key: str, amount: int, *, timeout_s: float | None = None) -> int | None:
        """Add to the integer at a key; returns the sum. Raises: NotDone; Unsure."""
        return self._call(lambda client: client.add(key, amount, timeout_s=timeout_s))

    def transact(
        self, ops: Sequence[Any], *, given: Mapping[str, Any] | None = None, timeout_s: float | None = None
    ) -> list[Any] | None:
        """Execute several operations at once, if some keys have these values. Raises: NotDone; Unsure."""
        return self._call(lambda client: client.transact(ops, given=given, timeout_s=timeout_s))

    def items(
        self,
        prefix: str = "",
        *,
        start: str | None = None,
        keys_only: bool = False,
        timeout_s: float | None = None,
    ) -> Iterator[tuple[str, Any]]:
        """The keys that begin with `prefix`, in order, with their values. Raises: NotDone."""
        items = self._client.items(prefix, start=start, keys_only=keys_only, timeout_s=timeout_s)
        while (item := self._portal.call(anext, items, None)) is not None:
            yield item

    def watch(
        self, prefix: str = "", *, after: int | None = None, group: int | None = None
    ) -> Generator[Watched, None, None]:
        """The changes of all keys that begin with `prefix`; close the iterator to end it.

        Raises: TooOld; NotDone.
        """
        batches = self._client.watch(prefix, after=after, group=group)
        try:
            while True:
                yield self._portal.call(anext, batches)
        finally:
            self._portal.call(batches.aclose)

    @contextmanager
    def lock(
        self, name: str, *, lease_s: float = LEASE_S, wait_s: float | None = None
    ) -> Iterator[BlockingLockGrant]:
        """Hold a lock in the body; see `AsyncClient.lock`. Raises: NotDone, if it is not granted in time."""
        held = self._client.lock(name, lease_s=lease_s, wait_s=wait_s)
        with self._portal.wrap_async_context_manager(held) as grant:
            yield BlockingLockGrant(self._portal, grant)

    def _call(self, work: Callable[[AsyncClient], Awaitable[_T]]) -> _T:
        return self._portal.call(work, self._client)


class BlockingLockGrant:
    """A lock that was granted; made by `BlockingClient.lock`."""

    def __init__(self, portal: BlockingPortal, grant: LockGrant) -> None:
        self._portal, self._grant = portal, grant

    @property
    def token(self) -> int:
        """The fencing token: higher than those of all earlier grants of the lock."""
        return self._grant.token

    @property
    def is_lost(self) -> bool:
        """Whether it is known that another holder got the lock."""
        return self._grant.is_lost

    def execute(self, op: Any, *, timeout_s: float | None = None) -> Any:
        """Execute an operation on one key if this is still the last grant of the lock; returns its result.

        Raises: LockLost; NotDone; Unsure.
        """
        return self._portal.call(lambda: self._grant.execute(op, timeout_s=timeout_s))

    def put(self, key: str, value: Any, *, timeout_s: float | None = None) -> None:
        """Set a key to a value, as `execute` does. Raises: LockLost; NotDone; Unsure."""
        self._portal.call(lambda: self._grant.put(key, value, timeout_s=timeout_s))
