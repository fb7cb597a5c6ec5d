"""The store: values by key, and the operations on it, each one struct and one case."""

from __future__ import annotations

from typing import Any

import msgspec

from paxos_impl.kv.machine import BadOperation


class Put(msgspec.Struct, frozen=True, array_like=True, tag="put", gc=False):
    """Let a key have a value."""

    key: str
    value: Any


class Get(msgspec.Struct, frozen=True, array_like=True, tag="get", gc=False):
    """The value of a key; None if it has none."""

    key: str


class Delete(msgspec.Struct, frozen=True, array_like=True, tag="delete", gc=False):
    """Let a key have no value; answers whether it had one."""

    key: str


class Cas(msgspec.Struct, frozen=True, array_like=True, tag="cas", gc=False):
    """Let a key have the value `new` if it has the value `old`; answers whether it had.

    None stands for having none.
    """

    key: str
    old: Any
    new: Any


class Append(msgspec.Struct, frozen=True, array_like=True, tag="append", gc=False):
    """Add an element to the list that a key has, or to an empty one; answers the length.

    What is no list becomes the first element of one.
    """

    key: str
    element: Any


Operation = Put | Get | Delete | Cas | Append


def plain(operation: Operation) -> list[Any]:
    """An operation as the plain data that commands carry: `["put", "x", 1]`."""
    return list(msgspec.to_builtins(operation))


def parse(op: Any) -> Operation:
    """The inverse of `plain`.

    Raises: BadOperation.
    """
    try:
        operation: Operation = msgspec.convert(op, Operation)
    except msgspec.ValidationError as error:
        raise BadOperation(f"{op!r} is no operation of a key-value store: {error}") from None
    return operation


class Store:
    """The state machine: a dictionary. Values are compared as JSON is: 1, 1.0 and true all differ."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def check(self, op: Any) -> None:
        """See `StateMachine`."""
        parse(op)

    def is_query(self, op: Any) -> bool:
        """See `StateMachine`."""
        return isinstance(parse(op), Get)

    def execute(self, op: Any) -> Any:
        """See `StateMachine`."""
        values = self._values
        match parse(op):
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

    def state(self) -> dict[str, Any]:
        """See `StateMachine`."""
        return dict(self._values)

    def _set(self, key: str, value: Any) -> None:
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value


def _same(left: Any, right: Any) -> bool:
    return left is right or _encode(left) == _encode(right)


_encode = msgspec.json.Encoder(order="deterministic").encode
