"""What a history of appends and reads tells about each list, before anything is concluded from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise, repeat
from operator import eq
from typing import Any, Final

import numpy as np

from ostrakon.checkers.transactions.columns import MicroOps, encoded, encodings
from ostrakon.checkers.transactions.execution import NOBODY as FIRST
from ostrakon.checkers.transactions.execution import Execution, Read, assemble
from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.table import (
    FAIL,
    OK,
    Ints,
    NotTransactions,
    Transactions,
    explain_malformed,
)
from ostrakon.checkers.transactions.wording import told
from ostrakon.checkers.value import canonical
from ostrakon.harness.history.columns import sorted_by

_EXPECTED = '["append", key, value] or ["r", key, list or null]'


NOBODY: Final = -1


@dataclass(slots=True)
class Appended:
    """What is known of the list at one key."""

    key: Any
    writers: dict[Any, int] = field(default_factory=dict)
    """The transaction that appended each value."""
    readers: list[int] = field(default_factory=list)
    """The committed transactions that read it ..."""
    reads: list[list[Any]] = field(default_factory=list)
    """... what they saw ..."""
    lengths: list[int] = field(default_factory=list)
    """... and how much that was: asked for so often that the lists needn't be looked at again each time."""
    differing: list[int] = field(default_factory=list)
    """The positions of the reads that are no prefix of the longest one."""
    superseded: dict[Any, int] = field(default_factory=dict)
    """Values to which the transaction that appended them appended another one later."""
    preceding: dict[Any, Any] = field(default_factory=dict)
    """Values with the one that the same transaction appended just before."""
    updates: list[tuple[int, tuple[Any, ...]]] = field(default_factory=list)
    """Committed transactions that read it and then appended to it, with what they had read."""
    longest: list[Any] = field(default_factory=list)
    """The longest read that shows no value twice: the order of the versions."""
    owners: list[int] = field(default_factory=list)
    """The transactions that appended these values; NOBODY where none did."""
    agreed: int = 0
    """How many of these values all reads agree on: where two reads exclude each other, neither is
    believed."""
    disputed: set[Any] = field(default_factory=set)
    """Values in reads that exclude the longest one: their place is not known, but somebody saw them."""
    touched_by: int = -1
    """The transaction that was last seen to read it or to append to it."""

    def settle(self, longest: list[Any]) -> None:
        """This is the order of the versions."""
        self.longest = longest
        self.agreed = len(longest)
        self.owners = list(map(self.writers.get, longest, repeat(NOBODY)))

    def suspects(self, table: Transactions) -> list[Any]:
        """Values that were read although nobody appended them, or only a transaction that aborted."""
        if not table.aborted and NOBODY not in self.owners:
            return []
        pairs = zip(self.longest, self.owners, strict=True)
        return [value for value, row in pairs if row == NOBODY or row in table.aborted]

    def unread(self, table: Transactions) -> list[int]:
        """Transactions whose appends no read shows, except those that aborted."""
        if len(self.writers) == len(self.owners) and NOBODY not in self.owners:
            return []
        values = self.writers.keys() - set(self.longest) - self.disputed
        return sorted({self.writers[value] for value in values} - table.aborted)

    def committed(self, table: Transactions, positions: range) -> tuple[Any, int] | None:
        """The first value at these positions of the longest read that was not aborted, and its writer."""
        for position in positions:
            writer = self.owners[position]
            if writer != NOBODY and writer not in table.aborted:
                return self.longest[position], writer
        return None


Lists = dict[Any, Appended]


def gather(table: Transactions, findings: Findings, ops: MicroOps | None = None) -> Lists:
    """Sort the micro-ops of all transactions by key; what contradicts itself within one goes to the findings.

    It is quicker if the micro-ops are there as columns.

    Raises: NotTransactions.
    """
    if ops is not None and (plain := _gather_plain(table, findings, ops)) is not None:
        return plain
    lists: Lists = {}
    try:
        for row, (micro_ops, ending) in enumerate(zip(table.micro_ops, table.status.tolist(), strict=True)):
            several = False
            for f, key, value in micro_ops:
                if type(key) is not int and type(key) is not str:
                    key = canonical(key)
                known = lists.get(key)
                if known is None:
                    known = lists[key] = Appended(key)
                elif known.touched_by == row:
                    several = True
                known.touched_by = row
                if f == "append":
                    if type(value) is not int and type(value) is not str:
                        value = canonical(value)
                    writers = known.writers
                    if value in writers:
                        raise _appended_twice(table, known, value, row)
                    writers[value] = row
                elif f != "r":
                    raise ValueError(f)
                elif ending == OK:
                    known.readers.append(row)
                    known.reads.append(plain_list(value))
            if several:
                _look_inside(row, ending == OK, micro_ops, lists, findings)
        for known in lists.values():
            known.lengths = list(map(len, known.reads))
            if known.reads:
                known.settle(_longest(known))
                prefixes = {length: known.longest[:length] for length in set(known.lengths)}
                agrees = map(eq, known.reads, map(prefixes.__getitem__, known.lengths))
                known.differing = [at for at, same in enumerate(agrees) if not same]
    except NotTransactions:
        raise
    except (TypeError, ValueError):
        raise explain_malformed(table, _EXPECTED, _is_micro_op) from None
    return lists


def _gather_plain(table: Transactions, findings: Findings, ops: MicroOps) -> Lists | None:
    """The same where all values are whole numbers or strings; None if some are not, or one is appended
    twice."""
    order = sorted_by(ops.key, ops.keys)
    row, key = ops.row[order], ops.key[order]
    is_write = ops.is_write[order]
    is_read = ~is_write & (table.status == OK)[row]
    numbers = np.arange(ops.keys + 1)
    write_bounds = pairwise(np.searchsorted(key[is_write], numbers).tolist())
    read_bounds = pairwise(np.searchsorted(key[is_read], numbers).tolist())
    appended, shown = (
        list(map(ops.values.__getitem__, order[which].tolist())) for which in (is_write, is_read)
    )
    if not {list}.issuperset(map(type, shown)):
        shown = [list(value or ()) for value in shown]
    writers, readers = row[is_write].tolist(), row[is_read].tolist()
    lengths = list(map(len, shown))
    elements = encodings(shown, np.array(lengths, np.int64))
    if not _PLAIN.issuperset(map(type, appended)):
        return None
    lists: Lists = {}
    for name, (write, wrote), (read, done) in zip(ops.names, write_bounds, read_bounds, strict=True):
        known = lists[name] = Appended(
            name,
            dict(zip(appended[write:wrote], writers[write:wrote], strict=True)),
            readers[read:done],
            shown[read:done],
            lengths[read:done],
        )
        if len(known.writers) < wrote - write:
            return None
        if known.reads and not _is_settled(known, islice(elements, done - read)):
            return None
    again = (np.diff(key) == 0) & (np.diff(row) == 0)
    for several in np.unique(row[1:][again]).tolist():
        is_ok = bool(table.status[several] == OK)
        _look_inside(several, is_ok, table.micro_ops[several], lists, findings)
    return lists


def _is_settled(known: Appended, elements: Iterator[bytes]) -> bool:
    """Settle the order of the versions; whether all that was read are whole numbers and strings.

    The encoded elements of a list begin with those of its prefixes. To compare them is as quick as to compare
    lists, and tells 1 from true.
    """
    try:
        known.settle(_longest(known))
        if not _PLAIN.issuperset(map(type, known.longest)):
            return False
        whole = encoded(known.longest)
        known.differing = [at for at, same in enumerate(map(whole.startswith, elements)) if not same]
    except (TypeError, ValueError, OverflowError):
        return False  # Some are lists, or numbers of more than 64 bits.
    return all(_PLAIN.issuperset(map(type, known.reads[at])) for at in known.differing)


_PLAIN = {int, str}


def plain_list(value: Any) -> list[Any]:
    """A list that was read, its elements in canonical form.

    Raises: TypeError if it is neither a list nor null.
    """
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise TypeError(value)
    if _PLAIN.issuperset(map(type, value)):
        return value if type(value) is list else list(value)
    return list(map(canonical, value))


def _longest(known: Appended) -> list[Any]:
    """The longest read without a value twice; of several that exclude each other, always the same one."""
    most = max(known.lengths)
    longest = [read for read, length in zip(known.reads, known.lengths, strict=True) if length == most]
    first = longest[0]
    if any(read != first for read in longest):
        first = min(longest, key=told)
    if len(set(first)) == len(first):
        return first
    whole = [read for read in known.reads if len(set(read)) == len(read)]
    return max(whole, key=lambda read: (len(read), told(read)), default=[])


def _appended_twice(table: Transactions, known: Appended, value: Any, row: int) -> NotTransactions:
    first, second = table.op(known.writers[value]).index, table.op(row).index
    return NotTransactions(
        f"ops {first} and {second} both append {told(value)} to {told(known.key)}; reads can be traced to "
        "transactions only if no value is appended to a key twice"
    )


def _is_micro_op(micro_op: Any) -> bool:
    match micro_op:
        case ["append", _, _] | ["r", _, None] | ["r", _, list() | tuple()]:
            return True
        case _:
            return False


def _look_inside(
    row: int, committed: bool, micro_ops: Sequence[Any], lists: Lists, findings: Findings
) -> None:
    """What a transaction that touches a key more than once tells: its reads must show its own appends."""
    appended: dict[Any, list[Any]] = {}
    read: dict[Any, list[Any]] = {}
    """The last list read of each key, with what was appended since."""
    before: dict[Any, list[list[Any]]] = {}
    """All lists that it read of each key."""
    for f, key, value in micro_ops:
        key = canonical(key)
        if f == "append":
            value = canonical(value)
            mine = appended.setdefault(key, [])
            if committed and key in read:
                if any(value in earlier for earlier in before[key]):
                    why = (
                        "a transaction read {} from {} before it had appended that itself: it saw its future"
                    )
                    findings.add("future-read", [row], why, value, key)
                if not mine:
                    lists[key].updates.append((row, tuple(read[key])))
                read[key] = [*read[key], value]
            mine.append(value)
        elif committed:
            now, mine = plain_list(value), appended.get(key, [])
            if (key in read and now != read[key]) or now[len(now) - len(mine) :] != mine:
                findings.add(
                    "internal",
                    [row],
                    "a transaction read {0} as {1}; by what it had done before, it should have been {2}",
                    key,
                    now,
                    read.get(key, ["...", *mine]),
                )
            read[key] = now
            before.setdefault(key, []).append(now)
    for key, values in appended.items():
        lists[key].superseded.update((value, row) for value in values[:-1])
        lists[key].preceding.update(zip(values[1:], values[:-1], strict=True))


def observed(lists: Lists) -> Ints:
    """The rows of the transactions whose appends were read; sorted."""
    owners = chain.from_iterable(known.owners for known in lists.values())
    return np.array(sorted(set(owners) - {NOBODY}), np.int64)


def execution(table: Transactions, lists: Lists) -> Execution:
    """The transactions that took effect, and what is known of the order of the versions."""
    number = {key: at for at, key in enumerate(lists)}
    status = table.status.tolist()
    reads: list[Read] = []
    for row, ending in enumerate(status):
        if ending != OK:
            continue
        own: dict[Any, list[Any]] = {}
        for f, key, value in table.micro_ops[row]:
            known = lists[canonical(key)]
            if f != "r":
                own.setdefault(known.key, []).append(canonical(value))
                continue
            read = plain_list(value)
            if (mine := own.get(known.key)) and read[-len(mine) :] == mine:
                # What others had appended before is what was read from others.
                read = read[: -len(mine)]
            source = known.writers.get(read[-1], NOBODY) if read else FIRST
            if source not in (row, NOBODY) and source not in table.aborted:
                reads.append(Read(row, number[known.key], source))
    # A read that no agreed order holds shows its writer all the same, so that one took effect, too.
    seen = {*observed(lists).tolist(), *(read.source for read in reads)}
    rows = [row for row, ending in enumerate(status) if ending == OK or (ending != FAIL and row in seen)]
    members = set(rows)
    chains, writers = [], []
    for known in lists.values():
        chains.append(list(dict.fromkeys(row for row in known.owners[: known.agreed] if row in members)))
        writers.append(list(dict.fromkeys(row for row in known.writers.values() if row in members)))
    return assemble(table, rows, [known.key for known in lists.values()], writers, chains, reads)
