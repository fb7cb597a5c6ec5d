"""Serial orders that are guessed at once for a whole history: most stores commit when they answer, or soon
before.

The first guess is the order of the answers. The second one begins each transaction when it was invoked, and
moves it back until it comes after what it certainly depends on; of registers, versions are ordered by when
somebody was first done with them (the zones of Gibbons and Korach, 1997). A guess is worth nothing until it
is replayed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from ostrakon.checkers.transactions.columns import MicroOps
from ostrakon.checkers.transactions.table import INFO, OK, Ints, Transactions
from ostrakon.harness.history.columns import numbered

ROUNDS = 20
"""How often transactions are moved back at most."""


def serial_orders(table: Transactions, ops: MicroOps, *, lists: bool) -> Iterator[Ints]:
    """Guesses, as the rank of each transaction; -1 for one that did not commit."""
    moment = np.where(table.status == OK, table.ended, -1)
    if np.all(table.status != INFO):
        yield _ranked(moment, table.status == OK)
    versions = _list_versions(ops) if lists else _register_versions(table, ops)
    if versions is None:
        return
    source, target, seen = versions
    committed = table.status == OK
    committed[seen] = True
    moved = _moved(table, source, target, committed)
    if moved is not None:
        yield _ranked(moved, committed)


def _ranked(moment: Ints, committed: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Ints:
    rank = np.full(len(moment), -1)
    rows = np.flatnonzero(committed)
    rank[rows[np.argsort(moment[rows], kind="stable")]] = np.arange(len(rows))
    return rank


def _moved(
    table: Transactions, source: Ints, target: Ints, committed: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Ints | None:
    """When each transaction takes effect at the earliest; None if that is later than its completion."""
    kept = (source != target) & committed[source] & committed[target]
    source, target = source[kept], target[kept]
    step = 1 << 20
    moment = table.invoked * step
    latest = np.minimum(table.completed, len(table.history) * 2) * step
    for _ in range(ROUNDS):
        late = moment[source] >= moment[target]
        if not np.any(late):
            return moment
        np.maximum.at(moment, target[late], moment[source[late]] + 1)
        if np.any(moment > latest):
            return None
    return None


def _list_versions(ops: MicroOps) -> tuple[Ints, Ints, Ints] | None:
    """What certainly comes before what, as rows, and the rows that somebody read from."""
    reads = np.flatnonzero(~ops.is_write & ops.counts)
    shown = [ops.values[at] or () for at in reads.tolist()]
    length = np.fromiter(map(len, shown), np.int64, len(shown))
    key, row_of = ops.key[reads], ops.row
    most = np.zeros(ops.keys, np.int64)
    np.maximum.at(most, key, length)
    longest: list[Sequence[int | str]] = [()] * ops.keys
    for at in np.flatnonzero(length == most[key]).tolist():
        longest[key[at]] = shown[at]
    begins = np.concatenate([[0], np.cumsum(most)])
    writes = np.flatnonzero(ops.is_write & ops.counts)
    owner = np.full(int(begins[-1]), -1)
    if not {int, str}.issuperset(
        map(type, chain(chain(*longest), (ops.values[at] for at in writes.tolist())))
    ):
        return None
    place_of: list[dict[int | str, int]] = [
        {value: at for at, value in enumerate(versions)} for versions in longest
    ]
    unread = []
    for at, its_key in zip(writes.tolist(), ops.key[writes].tolist(), strict=True):
        place = place_of[its_key].get(ops.values[at])
        if place is None:
            unread.append(at)
        else:
            owner[begins[its_key] + place] = row_of[at]
    if np.any(owner < 0):
        return None
    key_at = np.repeat(np.arange(ops.keys), most)
    follows = key_at[1:] == key_at[:-1]
    reader = row_of[reads]
    sources, targets = [owner[:-1][follows]], [owner[1:][follows]]
    some = length > 0
    sources.append(owner[begins[key[some]] + length[some] - 1])
    targets.append(reader[some])
    fewer = length < most[key]
    sources.append(reader[fewer])
    targets.append(owner[begins[key[fewer]] + length[fewer]])
    before: dict[int, list[int]] = defaultdict(list)
    rest = reads[~fewer] if unread else reads[:0]
    for each_key, row in zip(ops.key[rest].tolist(), row_of[rest].tolist(), strict=True):
        before[each_key].append(row)
    pairs: list[tuple[int, int]] = []
    for at in unread:
        each_key, newest = int(ops.key[at]), int(row_of[at])
        if most[each_key]:
            pairs.append((int(owner[begins[each_key + 1] - 1]), newest))
        pairs.extend((row, newest) for row in before[each_key])
    if pairs:
        sources.append(np.array([source for source, _ in pairs]))
        targets.append(np.array([target for _, target in pairs]))
    return np.concatenate(sources), np.concatenate(targets), owner


def _register_versions(table: Transactions, ops: MicroOps) -> tuple[Ints, Ints, Ints] | None:
    """The same, with versions in the order in which somebody was first done with them."""
    if not {int, str, type(None)}.issuperset(map(type, ops.values)):
        return None
    _, numbers = numbered([None, *ops.values])
    null, row_of = int(numbers[0]), ops.row
    value: Ints = numbers[1:].astype(np.int64)
    version = ops.key * (int(value.max(initial=0)) + 1) + value
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
