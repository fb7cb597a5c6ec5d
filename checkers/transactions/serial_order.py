"""Serial orders that are guessed at once for a whole history: most stores commit when they answer, or soon
before.

The first guess is the order of the answers. The second one begins each transaction when it was invoked, and
moves it back until it comes after what it certainly depends on; of registers, versions are ordered by when
somebody was first done with them (the zones of Gibbons and Korach, 1997). A guess is worth nothing until it
is replayed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ostrakon.checkers.transactions.columns import Mask, MicroOps
from ostrakon.checkers.transactions.table import INFO, OK, Ints, Transactions
from ostrakon.harness.history.columns import numbered

ROUNDS = 20
"""How often transactions are moved back at most."""


def order_of_answers(table: Transactions) -> Iterator[Ints]:
    """The rank of each transaction in the order in which they were answered; -1 for one that failed. None if
    some were not answered."""
    if np.all(table.status != INFO):
        committed = table.status == OK
        yield _ranked(np.where(committed, table.ended, -1), committed)


def order_of_registers(table: Transactions, ops: MicroOps) -> Iterator[Ints]:
    """The second guess for registers: at most one; -1 for a transaction that did not commit."""
    if (versions := _register_versions(table, ops)) is not None:
        source, target, seen = versions
        yield from moved_order(table, source, target, seen)


def moved_order(table: Transactions, source: Ints, target: Ints, seen: Ints) -> Iterator[Ints]:
    """The second guess for transactions of which each source comes before its target: at most one.

    Besides what is ok, the rows that were `seen` commit. Numbers that are no rows are nodes in between.
    """
    committed = table.status == OK
    committed[seen] = True
    moved = _moved(table, source, target, committed)
    if moved is not None:
        yield _ranked(moved, committed)


def _ranked(moment: Ints, committed: Mask) -> Ints:
    rank = np.full(len(moment), -1)
    rows = np.flatnonzero(committed)
    rank[rows[np.argsort(moment[rows], kind="stable")]] = np.arange(len(rows))
    return rank


def _moved(table: Transactions, source: Ints, target: Ints, committed: Mask) -> Ints | None:
    """When each transaction takes effect at the earliest; None if that is later than its completion."""
    rows = len(table)
    nodes = max(rows, int(source.max(initial=-1)) + 1, int(target.max(initial=-1)) + 1)
    taking_part = np.concatenate([committed, np.ones(nodes - rows, bool)])
    kept = (source != target) & taking_part[source] & taking_part[target]
    source, target = source[kept], target[kept]
    step, end = 1 << 20, len(table.history) * 2
    moment = np.concatenate([table.invoked, np.zeros(nodes - rows, np.int64)]) * step
    latest = np.concatenate([np.minimum(table.completed, end), np.full(nodes - rows, end)]) * step
    for _ in range(ROUNDS):
        late = moment[source] >= moment[target]
        if not np.any(late):
            return moment[:rows]
        np.maximum.at(moment, target[late], moment[source[late]] + 1)
        if np.any(moment > latest):
            return None
    return None


def _register_versions(table: Transactions, ops: MicroOps) -> tuple[Ints, Ints, Ints] | None:
    """What comes before what, as rows, if versions are in the order in which somebody was first done with
    them, and the rows that somebody read from."""
    if not {int, str, type(None)}.issuperset(map(type, ops.values)):
        return None
    _, numbers = numbered([None, *ops.values])
    null, row_of = int(numbers[0]), ops.row
    value: Ints = numbers[1:].astype(np.int64)
    version = ops.key.astype(np.int64) * (int(value.max(initial=0)) + 1) + value
    writes, reads = (np.flatnonzero(kind & ops.counts) for kind in (ops.is_write, ~ops.is_write))
    by_version = writes[np.argsort(version[writes], kind="stable")]
    known = version[by_version]
    if len(np.unique(known)) < len(known) or not len(known):
        return None
    read = reads[value[reads] != null]
    found = np.minimum(np.searchsorted(known, version[read]), len(known) - 1)
    if np.any(known[found] != version[read]):
        return None
    writer, reader, own = row_of[by_version[found]], row_of[read], row_of[by_version]
    done = np.minimum(table.completed, len(table.history))[own]
    np.minimum.at(done, found, np.minimum(table.completed, len(table.history))[reader])
    order = np.lexsort((done, ops.key[by_version]))
    key_at = ops.key[by_version][order]
    follows = key_at[1:] == key_at[:-1]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    next_of = np.full(len(order), -1)
    next_of[order[:-1][follows]] = order[1:][follows]
    overwritten = next_of[found] >= 0
    first_reads = reads[value[reads] == null]
    first = order[np.minimum(np.searchsorted(key_at, ops.key[first_reads]), len(order) - 1)]
    has_first = ops.key[by_version][first] == ops.key[first_reads]
    source = [own[order[:-1][follows]], writer, reader[overwritten], row_of[first_reads][has_first]]
    target = [own[order[1:][follows]], reader, own[next_of[found][overwritten]], own[first[has_first]]]
    return np.concatenate(source), np.concatenate(target), writer
