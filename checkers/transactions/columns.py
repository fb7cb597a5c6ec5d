"""The micro-ops of plain histories as parallel arrays: what is quick for a million transactions.

Plain means that all keys and values are numbers without a point, strings or null, that there is nothing but
reads and writes of one key, and that no transaction failed. Other histories go the longer way."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, compress
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from ostrakon.checkers.transactions.table import FAIL, OK, Ints, Transactions
from ostrakon.harness.history.columns import numbered

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class MicroOps:
    """One entry for each micro-op, in the order of the transactions and within them."""

    row: Ints
    """The transaction's row in the table."""
    is_write: Mask
    key: Ints
    """The keys, numbered."""
    keys: int
    """How many there are."""
    values: list[Any]
    """What was read or written."""
    counts: Mask
    """Which micro-ops mean something: not the reads of transactions of unknown outcome."""


_KEYS = frozenset({int, str})
_LISTS = frozenset({list, tuple, type(None)})


def micro_ops(table: Transactions, write: str) -> MicroOps | None:
    """The micro-ops of all transactions, `write` being the name of those that write; None if not all are
    plain."""
    if np.any(table.status == FAIL):
        return None
    try:
        flat = list(chain.from_iterable(table.micro_ops))
        lengths = np.fromiter(map(len, table.micro_ops), np.int64, len(table))
        if sum(map(len, flat)) != 3 * len(flat):
            return None
        codes = {write: 1, "r": 0}
        is_write = np.frombuffer(bytes(map(codes.__getitem__, map(itemgetter(0), flat))), np.bool_)
        keys = list(map(itemgetter(1), flat))
        if not _KEYS.issuperset(map(type, keys)):
            return None
        values = list(map(itemgetter(2), flat))
        if write == "append" and not _LISTS.issuperset(map(type, compress(values, (~is_write).tolist()))):
            return None
    except (TypeError, KeyError, IndexError):
        return None
    names, key = numbered(keys)
    row = np.repeat(np.arange(len(table)), lengths)
    counts = is_write | (table.status == OK)[row]
    return MicroOps(row, is_write, key.astype(np.int64), len(names), values, counts)
