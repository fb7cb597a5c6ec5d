"""Placement: which of a cluster's groups has a key. Every server and every client has to find the same.

What must always hold: an operation is about keys of one group, so that one log decides all of it.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from ostrakon.paxos_impl.kv.machine import BadOperation
from ostrakon.paxos_impl.kv.operation import Acquire, Guarded, Operation, Release, Transaction, parse


def group_of(op: Any, groups: int) -> int:
    """The group that has what an operation is about; the first one, if it is about nothing.

    Raises: BadOperation, when it is none, or when no group has all of that.
    """
    homes = {name: group_of_key(name, groups) for name in _names(parse(op))}
    if len(set(homes.values())) > 1:
        told = ", ".join(f"{name!r} in group {home}" for name, home in homes.items())
        raise BadOperation(
            f"what it is about is not all in one group: {told}. An operation is carried out in one group; "
            "names that have the same part in braces, as {x}1 and {x}2 have, are in the same one"
        )
    return next(iter(homes.values()), 0)


def group_of_key(key: str, groups: int) -> int:
    """The group that has a key, or a lock of this name.

    Only the part between its first brace and the next closing one counts, if there is any.
    """
    _, _, inside = key.partition("{")
    tag, closing, _ = inside.partition("}")
    return crc32((tag if tag and closing else key).encode()) % groups


def _names(operation: Operation) -> tuple[str, ...]:
    """Of all that an operation is about, keys and locks."""
    match operation:
        case Transaction(given, ops):
            return (*(key for key, _ in given), *(op.key for op in ops))
        case Acquire(lock) | Release(lock):
            return (lock,)
        case Guarded(lock, op=op):
            return (lock, op.key)
        case simple:
            return (simple.key,)
