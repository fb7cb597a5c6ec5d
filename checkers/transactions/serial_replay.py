"""The replay of a serial order on columns: of long histories, where `replay` would take longer than the
decision.

Like `replay` it shares nothing with what finds the order but the reading of the history. All micro-ops are
put in the order of the certificate, key by key. Then every read must show what the writes before it left
behind."""

from __future__ import annotations

from typing import Any

import numpy as np

from ostrakon.checkers.transactions.columns import MicroOps
from ostrakon.checkers.transactions.table import NEVER, OK, Ints, Transactions


def serial_fault(
    table: Transactions, ops: MicroOps, rank: Ints, *, lists: bool, realtime: bool
) -> str | None:
    """Why transactions that commit in the order of their ranks do not explain all reads; None if they do.

    A transaction of rank -1 did not commit.
    """
    if np.any((rank < 0) & (table.status == OK)):
        return "a transaction that is ok does not commit"
    committed = rank[rank >= 0]
    if len(np.unique(committed)) < len(committed):
        return "two transactions commit at once"
    if realtime and _against_time(table, rank):
        return "a transaction commits before one that was complete before it began"
    at = np.flatnonzero(ops.counts & (rank[ops.row] >= 0))
    at = at[np.lexsort((rank[ops.row[at]], ops.key[at]))]
    return (_list_fault if lists else _register_fault)(ops, at)


def _against_time(table: Transactions, rank: Ints) -> bool:
    rows = np.flatnonzero((rank >= 0) & (table.completed != NEVER))
    rows = rows[np.argsort(table.completed[rows])]
    latest = np.maximum.accumulate(np.concatenate([[-1], rank[rows]]))
    later = np.flatnonzero(rank >= 0)
    done = np.searchsorted(table.completed[rows], table.invoked[later])
    return bool(np.any(latest[done] > rank[later]))


def _register_fault(ops: MicroOps, at: Ints) -> str | None:
    if not {int, str, type(None)}.issuperset(map(type, ops.values)):
        return "some values are compound"
    from ostrakon.harness.history.columns import numbered

    _, number = numbered([None, *ops.values])
    null, value = number[0], number[1:][at]
    writes, key = ops.is_write[at], ops.key[at]
    begins = np.searchsorted(key, key)
    last = np.maximum.accumulate(np.where(writes, np.arange(len(at)), -1))
    seen = np.where(last >= begins, value[last], null)
    wrong = np.flatnonzero(~writes & (seen != value))
    return f"{len(wrong)} reads show another value than what was written last" if len(wrong) else None


def _list_fault(ops: MicroOps, at: Ints) -> str | None:
    writes, key = ops.is_write[at], ops.key[at]
    before: Ints = np.cumsum(writes) - writes
    begins: Ints = before[np.searchsorted(key, key)]
    reads = np.flatnonzero(~writes)
    values = ops.values
    shown = [values[place] or [] for place in at[reads].tolist()]
    length = np.fromiter(map(len, shown), np.int64, len(shown))
    begins = begins[reads]
    before = before[reads]
    if np.any(length != before - begins):
        return "a read shows more or less than what was appended before it"
    appended = [values[place] for place in at[writes].tolist()]
    kinds = set(map(type, appended))
    if not kinds <= {int, str}:
        return "some values are compound"
    # Strings equal nothing but strings. Integers equal floats, whose sum is a float; 0 and 1 equal booleans.
    summed = kinds == {int} and 0 not in appended and 1 not in appended
    try:
        for value, begin, end in zip(shown, begins.tolist(), before.tolist(), strict=True):
            if appended[begin:end] != value and appended[begin:end] != list(value):
                return "a read shows other values than what was appended before it"
            if type(sum(value)) is not int if summed else not _is_plain(value, kinds):
                return "a read shows other values than what was appended before it"
    except TypeError:
        return "a read shows other values than what was appended before it"
    return None


def _is_plain(value: list[Any], kinds: set[type]) -> bool:
    return kinds == {str} or kinds.issuperset(map(type, value))
