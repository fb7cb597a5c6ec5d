"""What can be asked of a store: each operation one struct, as plain data on the wire and in the log.

Values are whatever JSON can carry; None stands for having none.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ostrakon.paxos_impl.kv.machine import BadOperation


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
    """Let a key have the value `new` if it has the value `old`; answers whether it had."""

    key: str
    old: Any
    new: Any


class Append(msgspec.Struct, frozen=True, array_like=True, tag="append", gc=False):
    """Add an element to the list that a key has, or to an empty one; answers the length.

    What is no list becomes the first element of one.
    """

    key: str
    element: Any


class Add(msgspec.Struct, frozen=True, array_like=True, tag="add", gc=False):
    """Add to the whole number that a key has, or to 0; answers the sum.

    What is no whole number stays as it is, and so does what would not fit in 64 bits; the answer is None.
    """

    key: str
    amount: int


Simple = Put | Get | Delete | Cas | Append | Add
"""What is about one key, and what a transaction may be made of."""


class Transaction(msgspec.Struct, frozen=True, array_like=True, tag="txn", gc=False):
    """Do several things at once, if certain keys have certain values; answers the results, in order.

    If one of them has another value nothing is done, and the answer is None.
    """

    given: tuple[tuple[str, Any], ...]
    """The keys that matter, each with the value it must have."""
    ops: tuple[Simple, ...]
    """Each sees what those before it did."""


class Acquire(msgspec.Struct, frozen=True, array_like=True, tag="acquire", gc=False):
    """Have a lock for a while, if nobody has it; answers the fencing token, or None if somebody else has it.

    Each grant has a token higher than all before. Who has the lock already keeps its token and has it for
    `lease_ms` from now on.
    """

    lock: str
    holder: str
    """Who wants it; no two clients ever share a name."""
    lease_ms: int
    at_ms: int = 0
    """The time by the log, put in by the leader, whatever the client says."""


class Release(msgspec.Struct, frozen=True, array_like=True, tag="release", gc=False):
    """Give a lock back; answers whether the grant of this token was still the last one."""

    lock: str
    token: int


class Guarded(msgspec.Struct, frozen=True, array_like=True, tag="guarded", gc=False):
    """Do something as the holder of a lock; answers a list of its result.

    If the lock has been granted again since, or given back, nothing is done, and the answer is None. That
    the lease has run out does no harm as long as nobody else has had the lock.
    """

    lock: str
    token: int
    op: Simple


Operation = Simple | Transaction | Acquire | Release | Guarded


def plain(operation: Operation) -> list[Any]:
    """An operation as the plain data that commands carry: `["put", "x", 1]`."""
    return list(msgspec.to_builtins(operation))


class _Parsed(msgspec.Struct, array_like=True, gc=False):
    """An operation in a struct: what a struct has to look like, msgspec works out once and not each time."""

    operation: Operation


def parse(op: Any) -> Operation:
    """The inverse of `plain`.

    Raises: BadOperation.
    """
    try:
        return msgspec.convert((op,), _Parsed).operation
    except msgspec.ValidationError as error:
        raise BadOperation(f"{op!r} is no operation of a key-value store: {error}") from None


def only_looks(operation: Operation) -> bool:
    """Whether it leaves everything as it is."""
    match operation:
        case Get():
            return True
        case Transaction(_, ops):
            return all(isinstance(op, Get) for op in ops)
    return False
