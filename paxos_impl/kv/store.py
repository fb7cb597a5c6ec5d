"""The store: values, locks and leases by name, and the effect of each operation on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, get_args

import msgspec
from msgspec.structs import replace

from ostrakon.paxos_impl.kv.key_map import KeyMap
from ostrakon.paxos_impl.kv.lease import LEASE_KEYS_MAX, KeyLease, Leases
from ostrakon.paxos_impl.kv.lock import Lock
from ostrakon.paxos_impl.kv.machine import ANSWER_BYTES_MAX, BadState, NotExecuted
from ostrakon.paxos_impl.kv.operation import (
    Acquire,
    Add,
    Append,
    Cas,
    Delete,
    Get,
    GrantLease,
    Guarded,
    KeepLease,
    Put,
    PutLeased,
    Range,
    Release,
    RevokeLease,
    Simple,
    Stamped,
    Tick,
    Transaction,
    only_looks,
    parse,
    plain,
)


class _State(msgspec.Struct, frozen=True):
    """The whole state."""

    values: dict[str, Any]
    locks: dict[str, Lock]
    reached_ms: int
    leases: dict[str, KeyLease] = {}
    leased: dict[str, str] = {}
    """The lease of each key that is under one."""


class _Head(msgspec.Struct, frozen=True, array_like=True):
    """The first part of the state. Earlier versions had no leases."""

    reached_ms: int
    locks: dict[str, Lock]
    leases: dict[str, KeyLease] = {}
    leased: int = 0
    """Number of keys under leases. The next parts have these keys, each with its lease; then come values."""


_SUM_MIN, _SUM_MAX = -(2**63), 2**63 - 1
"""Sums outside these bounds would fit in no answer and no snapshot."""
_PAGE_BYTES_MAX = 1 << 20
"""Length at which a page of a range ends, in bytes."""
_PART_ITEMS, _PART_BYTES = 500, 1 << 16
"""How many keys and about how many bytes of values a part of a snapshot has, at most."""


class Store:
    """The state machine of the store. Values are compared as JSON text: 1, 1.0 and true all differ."""

    def __init__(self) -> None:
        self._values = KeyMap()
        self._locks: dict[str, Lock] = {}
        self._leases = Leases()
        self._reached_ms = 0
        self._changes: list[tuple[str, Any]] | None = None

    parse = staticmethod(parse)
    """Parse an operation. Raises: BadOperation."""

    is_query = staticmethod(only_looks)
    """Whether an operation only reads."""

    def stamped(self, op: Any, at_ms: int) -> Any:
        """The operation with the time of the log, if it depends on time."""
        if op[0] not in _STAMPED:  # Quicker than parsing each operation.
            return op
        operation = parse(op)
        assert isinstance(operation, Stamped), op
        return plain(replace(operation, at_ms=at_ms))

    @property
    def due_ms(self) -> int | None:
        """After this time of the log the next lease is over; see `TimedMachine`."""
        return self._leases.due_ms

    def tick(self) -> list[Any]:
        """The operation that only lets time pass."""
        return plain(Tick())

    def is_tick(self, operation: Any) -> bool:
        """Whether a parsed operation is a `Tick`."""
        return type(operation) is Tick

    @property
    def reached_ms(self) -> int:
        """The latest time of the log that it knows, in milliseconds."""
        return self._reached_ms

    def execute(self, op: Any) -> Any:
        """Execute an operation. Raises: BadOperation; NotExecuted."""
        operation: Any = parse(op)
        return self._execute(operation) if type(operation) in _BY_TYPE else self.carry_out(operation)

    def carry_out(self, operation: Any) -> Any:
        """Execute a parsed operation. Raises: NotExecuted, if the answer is too long; then nothing has
        changed."""
        # Quicker than `match`, and by far the most frequent. By `_execute`, which other machines override.
        if type(operation) in _BY_TYPE:
            return self._execute(operation)
        match operation:
            case Transaction(given, ops):
                return self._transact_bounded(given, ops)
            case Range():
                return self._range(operation)
            case Acquire(lock, holder, lease_ms, at_ms):
                return self._acquire(lock, holder, lease_ms, at_ms)
            case Release(lock, token):
                return self._release(lock, token)
            case GrantLease(lease, lease_ms, at_ms):
                return self._grant(lease, lease_ms, at_ms)
            case KeepLease(lease, at_ms):
                return self._keep_alive(lease, at_ms)
            case RevokeLease(lease, at_ms):
                return self._revoke(lease, at_ms)
            case Tick(at_ms):
                self._pass_time(at_ms)
                return None
            case Guarded(lock, token, inner):
                return [self._execute(inner)] if self._lock(lock).is_held_by(token) else None

    def take_changes(self) -> list[tuple[str, Any]]:
        """The changes since the last call; see `ObservableMachine`."""
        changes, self._changes = self._changes or [], []
        return changes

    def state(self) -> dict[str, Any]:
        """The whole state, as plain data."""
        return {
            "values": dict(self._values),
            "locks": self._plain_locks(),
            "reached_ms": self._reached_ms,
            "leases": {name: list(lease) for name, lease in self._leases.plain().items()},
            "leased": dict(self._leases.keys()),
        }

    def _plain_locks(self) -> dict[str, list[Any]]:
        return {name: list(msgspec.to_builtins(lock)) for name, lock in sorted(self._locks.items())}

    def parts(self) -> Iterator[Any]:
        """The state as it is now, in parts; see `PartwiseMachine`."""
        leased, lease_of = self._leases.freeze()
        head = (self._reached_ms, self._plain_locks(), self._leases.plain(), leased)
        return _parts(head, lease_of, self._values.freeze())

    def restore_parts(self, parts: Iterable[Any]) -> None:
        """Replace the state by the parts that `parts` returned. Raises: BadState."""
        remaining = iter(parts)
        try:
            head = msgspec.convert(next(remaining, None), _Head)
            lease_of, values = dict[str, str](), dict[str, Any]()
            while len(lease_of) < head.leased:
                lease_of.update(msgspec.convert(next(remaining, None), list[tuple[str, str]]))
            for page in remaining:
                values.update(page)
            leases = Leases(head.leases, lease_of.items())
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise BadState(f"not the state of a key-value store: {error}") from None
        self._values, self._locks, self._reached_ms = KeyMap(values), dict(head.locks), head.reached_ms
        self._leases = leases

    def begin_replay(self) -> None:
        """Sort the keys when all are there; see `ReplayedMachine`."""
        self._values.sort_later()

    def restore(self, state: Any) -> None:
        """Replace the state by one that `state` returned. Raises: BadState."""
        try:
            found = msgspec.convert(state, _State)
            leases = Leases(found.leases, found.leased.items())
        except (msgspec.ValidationError, ValueError) as error:
            raise BadState(f"not the state of a key-value store: {error}") from None
        self._values, self._locks = KeyMap(found.values), found.locks
        self._reached_ms, self._leases = found.reached_ms, leases

    # One key.

    def _execute(self, op: Simple) -> Any:
        return _BY_TYPE[type(op)](self, op)

    def _get(self, op: Get) -> Any:
        return self._values.get(op.key)

    def _put(self, op: Put) -> None:
        self._set(op.key, op.value)

    def _delete(self, op: Delete) -> bool:
        return self._remove(op.key)

    def _cas(self, op: Cas) -> bool:
        if not _same(self._values.get(op.key), op.old):
            return False
        self._set(op.key, op.new)
        return True

    def _put_leased(self, op: PutLeased) -> bool:
        if not self._leases.is_alive(op.lease, self._reached_ms):
            return False
        if self._leases.room(op.lease) <= 0 and self._leases.lease_of(op.key) != op.lease:
            raise NotExecuted(f"{LEASE_KEYS_MAX} keys are under the lease {op.lease!r} already")
        self._set(op.key, op.value)
        if op.value is not None:
            self._leases.attach(op.key, op.lease)
        return True

    def _append(self, op: Append) -> int:
        held = self._values.get(op.key, [])
        longer = [*(held if isinstance(held, list) else [held]), op.element]
        self._values[op.key] = longer
        self._note(op.key, longer)
        return len(longer)

    def _add(self, op: Add) -> int | None:
        held = self._values.get(op.key, 0)
        if type(held) is not int or not _SUM_MIN <= held + op.amount <= _SUM_MAX:  # A bool is none.
            return None
        self._values[op.key] = held + op.amount
        self._note(op.key, held + op.amount)
        return held + op.amount

    def _set(self, key: str, value: Any) -> None:
        """Give a key a value, or none; it is under no lease afterwards."""
        if value is None:
            self._remove(key)
            return
        self._leases.detach(key)
        self._values[key] = value
        self._note(key, value)

    def _remove(self, key: str) -> bool:
        """Delete a key; whether it had a value."""
        self._leases.detach(key)
        is_gone = self._values.pop(key, None) is not None
        if is_gone:
            self._note(key, None)
        return is_gone

    def _note(self, key: str, value: Any) -> None:
        """Note a change for those who watch."""
        if self._changes is not None:
            self._changes.append((key, value))

    # Several keys.

    def _range(self, op: Range) -> dict[str, Any]:
        items: list[list[Any]] = []
        size = 0
        for key, value in self._values.items(op.start, op.end):
            size += 0 if op.keys_only else len(_encode(value))
            if len(items) == op.limit or (items and size > _PAGE_BYTES_MAX):
                return {"items": items, "next": key}
            items.append([key, None if op.keys_only else value])
        return {"items": items, "next": None}

    def _transact_bounded(
        self, given: tuple[tuple[str, Any], ...], ops: tuple[Simple, ...]
    ) -> list[Any] | None:
        """Execute a transaction; if its answer would be too long, undo it and raise NotExecuted."""
        if not any(type(op) is Get for op in ops):  # The other results are short.
            return self._transact(given, ops)
        keys = [op.key for op in ops if type(op) is not Get]
        before = [(key, self._values.get(key), self._leases.lease_of(key)) for key in keys]
        noted = len(self._changes or ())
        results = self._transact(given, ops)
        if results is not None and len(_encode_answer(results)) > ANSWER_BYTES_MAX:
            for key, value, lease in before:
                self._set(key, value)
                if lease is not None:
                    self._leases.attach(key, lease)
            if self._changes is not None:
                del self._changes[noted:]  # Taken together, nothing has changed.
            raise NotExecuted(f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
        return results

    def _transact(self, given: tuple[tuple[str, Any], ...], ops: tuple[Simple, ...]) -> list[Any] | None:
        if not all(_same(self._values.get(key), value) for key, value in given):
            return None
        if any(type(op) is PutLeased for op in ops) and not self._may_lease(ops):
            return None
        return [self._execute(op) for op in ops]

    def _may_lease(self, ops: tuple[Simple, ...]) -> bool:
        """Whether all leases are alive that a transaction puts keys under. Raises: NotExecuted, if too many
        keys would be under one of them."""
        wanted: dict[str, int] = {}
        for op in ops:
            if isinstance(op, PutLeased):
                if not self._leases.is_alive(op.lease, self._reached_ms):
                    return False
                wanted[op.lease] = wanted.get(op.lease, 0) + 1
        for lease, count in wanted.items():
            if count > self._leases.room(lease):  # Counts keys that are under it already, too: a safe side.
                raise NotExecuted(f"more than {LEASE_KEYS_MAX} keys would be under the lease {lease!r}")
        return True

    # Locks.

    def _lock(self, name: str) -> Lock:
        return self._locks.get(name, Lock())

    def _acquire(self, name: str, holder: str, lease_ms: int, at_ms: int) -> int | None:
        self._pass_time(at_ms)
        granted = self._lock(name).granted(holder, lease_ms, self._reached_ms)
        if granted is None:
            return None
        self._locks[name] = granted
        return granted.token

    def _release(self, name: str, token: int) -> bool:
        if not self._lock(name).is_held_by(token):
            return False
        self._locks[name] = self._lock(name).released()
        return True

    # Leases on keys.

    def _pass_time(self, at_ms: int) -> None:
        """Let the time of the log pass, and delete the keys of leases that are over."""
        self._reached_ms = max(self._reached_ms, at_ms)
        for key in self._leases.end_due(self._reached_ms):
            self._remove(key)

    def _grant(self, name: str, lease_ms: int, at_ms: int) -> bool:
        self._pass_time(at_ms)
        return self._leases.grant(name, lease_ms, self._reached_ms)

    def _keep_alive(self, name: str, at_ms: int) -> bool:
        self._pass_time(at_ms)
        return self._leases.keep_alive(name, self._reached_ms)

    def _revoke(self, name: str, at_ms: int) -> bool:
        self._pass_time(at_ms)
        if not self._leases.is_alive(name, self._reached_ms):
            return False
        for key in self._leases.end(name):
            self._remove(key)
        return True


_BY_TYPE: Mapping[type, Callable[[Store, Any], Any]] = {
    Get: Store._get,
    Put: Store._put,
    Delete: Store._delete,
    Cas: Store._cas,
    Append: Store._append,
    Add: Store._add,
    PutLeased: Store._put_leased,
}
"""The method for each operation on one key."""
_STAMPED = frozenset(each.__struct_config__.tag for each in get_args(Stamped))
"""The names of the operations that depend on the time of the log."""


def _same(left: Any, right: Any) -> bool:
    return left is right or _encode(left) == _encode(right)


def _parts(
    head: Any, lease_of: Iterator[tuple[str, str]], values: Iterator[tuple[str, Any]]
) -> Iterator[Any]:
    yield head
    while leased := tuple(islice(lease_of, _PART_ITEMS)):
        yield leased
    page: list[tuple[str, Any]] = []
    size = 0
    for item in values:
        page.append(item)
        size += _rough_size(item[1])
        if len(page) == _PART_ITEMS or size >= _PART_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page


def _rough_size(value: Any) -> int:
    """About how many bytes a value takes, without looking at what is in it."""
    if isinstance(value, str):
        return len(value)
    return 100 * len(value) if isinstance(value, list | dict) else 9


_encode = msgspec.json.Encoder(order="deterministic").encode
_encode_answer = msgspec.msgpack.Encoder().encode
