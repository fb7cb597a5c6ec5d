"""Placement: which group has a key. All servers and clients must compute the same group.

What must always hold: an operation uses keys of one group, so that one log decides all of it.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from ostrakon.paxos_impl.kv.machine import BadOperation
from ostrakon.paxos_impl.kv.operation import (
    Acquire,
    GrantLease,
    Guarded,
    KeepLease,
    Operation,
    PutLeased,
    Range,
    Release,
    RevokeLease,
    Tick,
    Transaction,
    parse,
)


def group_of(op: Any, groups: int) -> int:
    """The group of an operation; the first group, if it uses no keys.

    Raises: BadOperation, if its keys are in different groups, or if it is no operation.
    """
    homes = {name: group_of_key(name, groups) for name in _names(parse(op))}
    if len(set(homes.values())) > 1:
        told = ", ".join(f"{name!r} in group {home}" for name, home in homes.items())
        raise BadOperation(
            f"the keys of the operation are not all in one group: {told}. An operation can only use keys of "
            "one group; keys with the same part in braces, as {x}1 and {x}2, are in the same group"
        )
    return next(iter(homes.values()), 0)


def group_of_key(key: str, groups: int) -> int:
    """The group of a key, or of the lock or lease with this name.

    If the key has a part between braces, only that part counts.
    """
    _, _, inside = key.partition("{")
    tag, closing, _ = inside.partition("}")
    return crc32((tag if tag and closing else key).encode()) % groups


def _names(operation: Operation) -> tuple[str, ...]:
    """The keys, locks and leases of an operation."""
    match operation:
        case Transaction(given, ops):
            return (*(key for key, _ in given), *(name for op in ops for name in _names(op)))
        case Acquire(name) | Release(name) | GrantLease(name) | KeepLease(name) | RevokeLease(name):
            return (name,)
        case PutLeased(key, _, lease):
            return (key, lease)
        case Guarded(lock, op=op):
            return (lock, *_names(op))
        case Range() | Tick():
            return ()
        case simple:
            return (simple.key,)
