"""The store: values and locks by name, and what each operation does to them."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from paxos_impl.kv.lock import Lock
from paxos_impl.kv.machine import BadState
from paxos_impl.kv.operation import (
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

    def check(self, op: Any) -> None:
        """See `StateMachine`."""
        parse(op)

    def is_query(self, op: Any) -> bool:
        """See `StateMachine`."""
        return only_looks(parse(op))

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
        match parse(op):
            case Transaction(given, ops):
                return self._transact(given, ops)
            case Acquire(lock, holder, lease_ms, at_ms):
                return self._acquire(lock, holder, lease_ms, at_ms)
            case Release(lock, token):
                return self._release(lock, token)
            case Guarded(lock, token, inner):
                return [self._execute(inner)] if self._lock(lock).is_held_by(token) else None
            case simple:
                return self._execute(simple)

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
        values = self._values
        match op:
            case Get(key):
                return values.get(key)
            case Put(key, value):
                self._set(key, value)
                return None
            case Delete(key):
                return values.pop(key, None) is not None
            case Cas(key, old, new):
                if not _same(values.get(key), old):
                    return False
                self._set(key, new)
                return True
            case Append(key, element):
                held = values.get(key, [])
                values[key] = [*(held if isinstance(held, list) else [held]), element]
                return len(values[key])
            case Add(key, amount):
                held = values.get(key, 0)
                if type(held) is not int or not _SUM_MIN <= held + amount <= _SUM_MAX:  # A bool is none.
                    return None
                values[key] = held + amount
                return values[key]

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


def _same(left: Any, right: Any) -> bool:
    return left is right or _encode(left) == _encode(right)


_encode = msgspec.json.Encoder(order="deterministic").encode
