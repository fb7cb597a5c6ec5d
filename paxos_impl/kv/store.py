"""The store: values and locks by name, and what each operation does to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ostrakon.paxos_impl.kv.lock import Lock
from ostrakon.paxos_impl.kv.machine import BadState
from ostrakon.paxos_impl.kv.operation import (
    Acquire,
    Add,
    Append,
    Cas,
    Delete,
    Get,
    Guarded,
    Put,
    Release,
    Simple,
    Transaction,
    only_looks,
    parse,
    plain,
)


class _State(msgspec.Struct, frozen=True):
    """All of it."""

    values: dict[str, Any]
    locks: dict[str, Lock]
    reached_ms: int


_SUM_MIN, _SUM_MAX = -(2**63), 2**63 - 1
"""No answer, and no snapshot, could carry a sum beyond these."""


class Store:
    """The state machine. Values are compared as JSON is: 1, 1.0 and true all differ."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._locks: dict[str, Lock] = {}
        self._reached_ms = 0

    parse = staticmethod(parse)
    """See `StateMachine`."""

    is_query = staticmethod(only_looks)
    """See `StateMachine`."""

    def stamped(self, op: Any, at_ms: int) -> Any:
        """See `StateMachine`."""
        if op[0] != "acquire":  # Which is told sooner than by reading it.
            return op
        operation = parse(op)
        assert isinstance(operation, Acquire), op
        return plain(replace(operation, at_ms=at_ms))

    @property
    def reached_ms(self) -> int:
        """See `StateMachine`."""
        return self._reached_ms

    def execute(self, op: Any) -> Any:
        """See `StateMachine`."""
        operation: Any = parse(op)
        return self._execute(operation) if type(operation) in _BY_TYPE else self.carry_out(operation)

    def carry_out(self, operation: Any) -> Any:
        """See `StateMachine`."""
        if type(operation) in _BY_TYPE:  # Which is quicker than `match`, and by far the most frequent.
            return self._execute(operation)
        match operation:
            case Transaction(given, ops):
                return self._transact(given, ops)
            case Acquire(lock, holder, lease_ms, at_ms):
                return self._acquire(lock, holder, lease_ms, at_ms)
            case Release(lock, token):
                return self._release(lock, token)
            case Guarded(lock, token, inner):
                return [self._execute(inner)] if self._lock(lock).is_held_by(token) else None

    def state(self) -> dict[str, Any]:
        """See `StateMachine`."""
        locks = {name: list(msgspec.to_builtins(lock)) for name, lock in self._locks.items()}
        return {"values": dict(self._values), "locks": locks, "reached_ms": self._reached_ms}

    def restore(self, state: Any) -> None:
        """See `StateMachine`."""
        try:
            told = msgspec.convert(state, _State)
        except msgspec.ValidationError as error:
            raise BadState(f"not the state of a key-value store: {error}") from None
        self._values, self._locks, self._reached_ms = told.values, told.locks, told.reached_ms

    # One key.

    def _execute(self, op: Simple) -> Any:
        return _BY_TYPE[type(op)](self, op)

    def _get(self, op: Get) -> Any:
        return self._values.get(op.key)

    def _put(self, op: Put) -> None:
        self._set(op.key, op.value)

    def _delete(self, op: Delete) -> bool:
        return self._values.pop(op.key, None) is not None

    def _cas(self, op: Cas) -> bool:
        if not _same(self._values.get(op.key), op.old):
            return False
        self._set(op.key, op.new)
        return True

    def _append(self, op: Append) -> int:
        held = self._values.get(op.key, [])
        longer = [*(held if isinstance(held, list) else [held]), op.element]
        self._values[op.key] = longer
        return len(longer)

    def _add(self, op: Add) -> int | None:
        held = self._values.get(op.key, 0)
        if type(held) is not int or not _SUM_MIN <= held + op.amount <= _SUM_MAX:  # A bool is none.
            return None
        self._values[op.key] = held + op.amount
        return held + op.amount

    def _set(self, key: str, value: Any) -> None:
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value

    # Several keys.

    def _transact(self, given: tuple[tuple[str, Any], ...], ops: tuple[Simple, ...]) -> list[Any] | None:
        if all(_same(self._values.get(key), value) for key, value in given):
            return [self._execute(op) for op in ops]
        return None

    # Locks.

    def _lock(self, name: str) -> Lock:
        return self._locks.get(name, Lock())

    def _acquire(self, name: str, holder: str, lease_ms: int, at_ms: int) -> int | None:
        self._reached_ms = max(self._reached_ms, at_ms)
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


_BY_TYPE: Mapping[type, Callable[[Store, Any], Any]] = {
    Get: Store._get,
    Put: Store._put,
    Delete: Store._delete,
    Cas: Store._cas,
    Append: Store._append,
    Add: Store._add,
}
"""What does each operation about one key."""


def _same(left: Any, right: Any) -> bool:
    return left is right or _encode(left) == _encode(right)


_encode = msgspec.json.Encoder(order="deterministic").encode
