"""The operations of the store: each one a struct, and plain data on the wire and in the log.

Values are any data that JSON can carry; None stands for no value. Every number and length in an operation is
bounded here, so that every state that operations can lead to can be written to a snapshot.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from ostrakon.paxos_impl.kv.machine import BadOperation

KEY_LENGTH_MAX = 4096
"""Maximum length of a key, of the name of a lock and of its holder, in characters."""
LEASE_MS_MAX = 366 * 24 * 3600 * 1000
"""Longest lease, in milliseconds: a year."""
PAGE_ITEMS_MAX = 1000
"""Maximum number of items in one answer to a `Range`."""

Key = Annotated[str, msgspec.Meta(max_length=KEY_LENGTH_MAX)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Token = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=LEASE_MS_MAX)]


class Put(msgspec.Struct, frozen=True, array_like=True, tag="put", gc=False):
    """Set a key to a value."""

    key: Key
    value: Any


class Get(msgspec.Struct, frozen=True, array_like=True, tag="get", gc=False):
    """The value of a key; None if it has none."""

    key: Key


class Delete(msgspec.Struct, frozen=True, array_like=True, tag="delete", gc=False):
    """Delete the value of a key; answers whether there was one."""

    key: Key


class Cas(msgspec.Struct, frozen=True, array_like=True, tag="cas", gc=False):
    """Set a key to `new` if its value is `old`; answers whether it was."""

    key: Key
    old: Any
    new: Any


class Append(msgspec.Struct, frozen=True, array_like=True, tag="append", gc=False):
    """Append an element to the list at a key, or to an empty list; answers the new length.

    A value that is no list becomes the first element of a list.
    """

    key: Key
    element: Any


class Add(msgspec.Struct, frozen=True, array_like=True, tag="add", gc=False):
    """Add to the integer at a key, or to 0; answers the sum.

    A value that is no integer stays as it is, and so does one whose sum would not fit in 64 bits; then the
    answer is None.
    """

    key: Key
    amount: Int64


class Range(msgspec.Struct, frozen=True, array_like=True, tag="range", gc=False):
    """The keys from `start` up to, but not including, `end`, in order; None for `end` means all that follow.

    Answers a page: `{"items": [[key, value], ...], "next": key}`. `next` is the `start` of the next page, or
    None if there is none. A page has at most `limit` items, and is shorter if its values are long. Each page
    shows one state of the store; different pages may show different states.
    """

    start: Key = ""
    end: Key | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_ITEMS_MAX)] = 100
    keys_only: bool = False
    """Whether the values are left out; then items are `[key, None]`."""


class PutLeased(msgspec.Struct, frozen=True, array_like=True, tag="put_leased", gc=False):
    """Set a key to a value until a lease ends; answers whether the lease was alive. If not, nothing is done.

    The key stays under the lease until it is put, swapped or deleted; `Append` and `Add` leave it there.
    """

    key: Key
    value: Any
    lease: Key


Simple = Put | Get | Delete | Cas | Append | Add | PutLeased
"""An operation on one key; a transaction consists of these."""


class Transaction(msgspec.Struct, frozen=True, array_like=True, tag="txn", gc=False):
    """Execute several operations at once, if certain keys have certain values; answers the results in order.

    If one of the keys has another value, or if a key is to be put under a lease that is over, nothing is done
    and the answer is None.
    """

    given: tuple[tuple[Key, Any], ...]
    """The keys to check, each with the value that it must have."""
    ops: tuple[Simple, ...]
    """Each sees the effects of those before it."""


class Acquire(msgspec.Struct, frozen=True, array_like=True, tag="acquire", gc=False):
    """Get a lock for a time, if it is free; answers the fencing token, or None if another holder has the
    lock.

    Each grant has a higher token than all before. A holder that has the lock already keeps its token and has
    the lock for `lease_ms` from now on.
    """

    lock: Key
    holder: Key
    """The client that wants it; no two clients may use the same name."""
    lease_ms: Milliseconds
    at_ms: int = 0
    """The time of the log, set by the leader, whatever the client says."""


class Release(msgspec.Struct, frozen=True, array_like=True, tag="release", gc=False):
    """Release a lock; answers whether the grant of this token was still the last one."""

    lock: Key
    token: Token


class Guarded(msgspec.Struct, frozen=True, array_like=True, tag="guarded", gc=False):
    """Execute an operation as the holder of a lock; answers a list of its result.

    If the lock was granted again since, or released, nothing is done and the answer is None. An expired lease
    does no harm as long as no other holder has had the lock.
    """

    lock: Key
    token: Token
    op: Simple


class GrantLease(msgspec.Struct, frozen=True, array_like=True, tag="grant", gc=False):
    """Grant a lease, under which keys can be put; answers False if there is a lease with this name.

    When it ends, all keys under it are deleted.
    """

    lease: Key
    """A name that no other lease has, before or after: keys may be put under it late."""
    lease_ms: Milliseconds
    at_ms: int = 0
    """The time of the log, set by the leader, whatever the client says."""


class KeepLease(msgspec.Struct, frozen=True, array_like=True, tag="keep_alive", gc=False):
    """Let a lease last for its length from now on; answers False if it has ended."""

    lease: Key
    at_ms: int = 0
    """The time of the log, set by the leader."""


class RevokeLease(msgspec.Struct, frozen=True, array_like=True, tag="revoke", gc=False):
    """End a lease and delete its keys; answers False if it had ended before."""

    lease: Key
    at_ms: int = 0
    """The time of the log, set by the leader."""


class Tick(msgspec.Struct, frozen=True, array_like=True, tag="tick", gc=False):
    """Let the time of the log pass, so that leases end; the leader proposes it when a lease is over."""

    at_ms: int = 0
    """The time of the log, set by the leader."""


Stamped = Acquire | GrantLease | KeepLease | RevokeLease | Tick
"""An operation that depends on the time of the log."""
Operation = Simple | Range | Transaction | Stamped | Release | Guarded


def prefix_range(prefix: str, *, limit: int = 100, keys_only: bool = False) -> Range:
    """The range of all keys that begin with `prefix`.

    >>> prefix_range("user/")
    Range(start='user/', end='user0', limit=100, keys_only=False)
    """
    stem = prefix.rstrip("\U0010ffff")
    end = None
    if stem:
        after = ord(stem[-1]) + 1
        end = stem[:-1] + chr(0xE000 if after == 0xD800 else after)  # Surrogates are no text.
    return Range(prefix, end, limit, keys_only)


def plain(operation: Operation) -> list[Any]:
    """An operation as the plain data that commands carry: `["put", "x", 1]`."""
    return list(msgspec.to_builtins(operation))


class _Parsed(msgspec.Struct, array_like=True, gc=False):
    """An operation in a struct, because msgspec prepares the type of a struct once and not for each call."""

    operation: Operation


def parse(op: Any) -> Operation:
    """The inverse of `plain`.

    Raises: BadOperation.
    """
    try:
        return msgspec.convert((op,), _Parsed).operation
    except msgspec.ValidationError as error:
        shown = repr(op)
        shown = shown if len(shown) <= 200 else f"{shown[:200]} ..."
        raise BadOperation(f"{shown} is no operation of a key-value store: {error}") from None


def only_looks(operation: Operation) -> bool:
    """Whether an operation only reads."""
    if type(operation) is Put:  # The most frequent, and quicker than `match`.
        return False
    match operation:
        case Get() | Range():
            return True
        case Transaction(_, ops):
            return all(isinstance(op, Get) for op in ops)
    return False
