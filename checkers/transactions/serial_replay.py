"""The replay of a serial order on columns: of long histories, where `replay` would take longer than the
decision.

Like `replay` it shares nothing with what finds the order but the reading of the history. All micro-ops are
put in the order of the certificate, key by key. Then every read must show what the writes before it left
behind."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ostrakon.checkers.transactions.columns import MicroOps, Places, encoded, encodings
from ostrakon.checkers.transactions.table import NEVER, OK, Ints, Transactions
from ostrakon.harness.history.columns import numbered, sorted_by


def serial_fault(
    table: Transactions, ops: MicroOps, rank: Ints, *, lists: bool, realtime: bool
) -> str | None:
    """Why transactions that commit in the order of their ranks do not explain all reads; None if they do.

    A transaction of rank -1 did not commit.
    """
    if np.any((rank < 0) & (table.status == OK)):
        return "a transaction that is ok does not commit"
    committed = np.argsort(rank, kind="stable")[np.count_nonzero(rank < 0) :]
    if np.any(np.diff(rank[committed]) == 0):
        return "two transactions commit at once"
    if realtime and _against_time(table, rank):
        return "a transaction commits before one that was complete before it began"
    at = _in_order(ops, committed)
    return (_list_fault if lists else _register_fault)(ops, at)


def _in_order(ops: MicroOps, rows: Ints) -> Places:
    """The micro-ops that mean something of these transactions, key by key, and otherwise in their order."""
    length = ops.length[rows]
    begins = (np.cumsum(ops.length) - ops.length)[rows]
    at = np.repeat((begins - np.cumsum(length) + length).astype(np.int32), length)
    at += np.arange(len(at), dtype=np.int32)
    if not ops.counts.all():
        at = at[ops.counts[at]]
    return at[sorted_by(ops.key[at], ops.keys)]


def _against_time(table: Transactions, rank: Ints) -> bool:
    rows = np.flatnonzero((rank >= 0) & (table.completed != NEVER))
    rows = rows[np.argsort(table.completed[rows])]
    latest = np.maximum.accumulate(np.concatenate([[-1], rank[rows]]))
    later = np.flatnonzero(rank >= 0)
    done = np.searchsorted(table.completed[rows], table.invoked[later])
    return bool(np.any(latest[done] > rank[later]))


def _register_fault(ops: MicroOps, at: Places) -> str | None:
    if not {int, str, type(None)}.issuperset(map(type, ops.values)):
        return "some values are compound"
    _, number = numbered([None, *ops.values])
    null, value = number[0], number[1:][at]
    writes, key = ops.is_write[at], ops.key[at]
    begins = np.searchsorted(key, np.arange(ops.keys))[key]
    last = np.maximum.accumulate(np.where(writes, np.arange(len(at)), -1))
    seen = np.where(last >= begins, value[last], null)
    wrong = np.flatnonzero(~writes & (seen != value))
    return f"{len(wrong)} reads show another value than what was written last" if len(wrong) else None


def _list_fault(ops: MicroOps, at: Places) -> str | None:
    """Every read must begin as all that was appended to its key does, and be as long as what was appended
    before it.

    Values are compared in their encoding, because Python's 1, 1.0 and True are equal. That is quicker, too.
    """
    writes, key = ops.is_write[at], ops.key[at]
    appended = list(map(ops.values.__getitem__, at[writes].tolist()))
    if not {int, str}.issuperset(map(type, appended)):
        return "some values are compound"
    before = np.zeros(len(at) + 1, np.int32)
    np.cumsum(writes, out=before[1:])
    begins = before[np.searchsorted(key, np.arange(ops.keys + 1, dtype=np.int32))]
    before = before[1:]
    before -= begins[key]
    length_at = np.empty(len(ops.values), np.int32)
    length_at[at] = before
    # Reads are looked at in the order of the history, as they lie in memory, and not in that of the keys.
    reads = np.sort(at[~writes])
    try:
        bounds = pairwise(begins.tolist())
        whole = [encoded(appended[begin:end]) for begin, end in bounds]
        for start in range(0, len(reads), _BLOCK):
            block = reads[start : start + _BLOCK]
            shown = list(map(ops.values.__getitem__, block.tolist()))
            if type(None) in set(map(type, shown)):
                shown = [value or [] for value in shown]
            length = length_at[block]
            if list(map(len, shown)) != length.tolist():
                return "a read shows more or less than what was appended before it"
            expected = map(whole.__getitem__, ops.key[block].tolist())
            if not all(map(bytes.startswith, expected, encodings(shown, length))):
                return "a read shows other values than what was appended before it"
    except (TypeError, ValueError, OverflowError):
        return "some values are neither strings nor numbers of 64 bits"
    return None


_BLOCK = 1024
"""So many reads at a time stay in the processor's cache."""
