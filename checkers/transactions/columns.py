"""The micro-ops of plain histories as parallel arrays: what is quick for a million transactions.

Plain means that all keys are whole numbers or strings, that each micro-op reads or writes one key, and that
what is read of lists is lists. Other histories go the longer way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, compress, count
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from ostrakon.checkers.transactions.table import FAIL, OK, Ints, Transactions
from ostrakon.harness.history.columns import numbers_of

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int32]
"""Positions and numbers of which there are fewer than 2**31: half as large as `Ints`."""


@dataclass(frozen=True, slots=True, eq=False)
class MicroOps:
    """One entry for each micro-op, in the order of the transactions and within them."""

    length: Ints
    """Of each transaction, how many there are."""
    is_write: Mask
    key: Places
    """The keys, numbered."""
    names: tuple[Any, ...]
    """What the keys are called, by number."""
    values: list[Any]
    """What was read or written."""
    counts: Mask
    """Which micro-ops mean something: all of transactions that are ok, and writes of unknown outcome."""

    @property
    def keys(self) -> int:
        """How many keys there are."""
        return len(self.names)

    @property
    def row(self) -> Ints:
        """Of each micro-op, the transaction's row in the table."""
        return np.repeat(np.arange(len(self.length)), self.length)


_KEYS = frozenset({int, str})
_LISTS = frozenset({list, tuple, type(None)})
_CHUNK = 4096
"""So many transactions at a time stay in the processor's cache."""


def micro_ops(table: Transactions, write: str) -> MicroOps | None:
    """The micro-ops of all transactions, `write` being the name of those that write; None if not all are
    plain."""
    codes = {write: 1, "r": 0}
    writes = bytearray()
    first: dict[Any, int] = {}
    keys: list[Ints] = []
    values: list[Any] = []
    lengths: list[Ints] = []
    try:
        for at in range(0, len(table), _CHUNK):
            chunk = table.micro_ops[at : at + _CHUNK]
            flat = list(chain.from_iterable(chunk))
            if not {3}.issuperset(map(len, flat)):
                return None
            parts = list(chain.from_iterable(flat))
            mask = bytes(map(codes.__getitem__, parts[0::3]))
            some_keys, some_values = parts[1::3], parts[2::3]
            if not _KEYS.issuperset(map(type, some_keys)):
                return None
            if write == "append" and not _LISTS.issuperset(
                map(type, compress(some_values, mask.translate(_OTHER)))
            ):
                return None
            where = map(first.setdefault, some_keys, count(len(writes)))
            keys.append(np.fromiter(where, np.int64, len(some_keys)))
            writes += mask
            values += some_values
            lengths.append(np.fromiter(map(len, chunk), np.int64, len(chunk)))
    except (TypeError, KeyError):
        return None
    length = _joined(lengths)
    key = numbers_of(_joined(keys)).astype(np.int32)
    is_write = np.frombuffer(bytes(writes), np.bool_)
    counts = np.ones(len(values), bool)
    if np.any(table.status != OK):
        status = np.repeat(table.status, length)
        counts = (status == OK) | (is_write & (status != FAIL))
    return MicroOps(length, is_write, key, tuple(first), values, counts)


_OTHER = bytes([1, 0, *range(2, 256)])


def _joined(pieces: list[Ints]) -> Ints:
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int64)


def encodings(lists: Iterable[list[Any]], length: Ints | Places) -> Iterator[bytes]:
    """The elements of each list, of which the lengths are given, as MessagePack.

    Two lists have the same encoding only if their JSON is the same, and that of a list begins with that of
    each of its prefixes. The iterator raises: TypeError, ValueError or OverflowError for what is neither JSON
    nor a number of 64 bits.
    """
    return map(bytes.__getitem__, map(_encode, lists), map(_AFTER.__getitem__, _header(length).tolist()))


def encoded(values: list[Any]) -> bytes:
    """The same of one list."""
    return next(encodings([values], np.array([len(values)])))


_encode = msgspec.msgpack.Encoder().encode
_AFTER = [slice(size, None) for size in range(6)]


def _header(length: Ints | Places) -> Ints:
    """How many bytes of MessagePack come before the elements of lists of these lengths."""
    return np.where(length < 16, 1, np.where(length < 1 << 16, 3, 5))
