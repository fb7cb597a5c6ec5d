"""What reads of lists show to be wrong, before any cycle is looked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from checkers.transactions.findings import Findings
from checkers.transactions.lists import Appended
from checkers.transactions.table import FAIL, Transactions


def drop_duplicated(known: Appended, findings: Findings) -> None:
    """Where a list holds a value twice there is no telling what was read when."""
    if len(set(known.longest)) == len(known.longest):
        return
    twice = next(value for value in known.longest if known.longest.count(value) > 1)
    row = known.readers[known.reads.index(known.longest)]
    why = f"{known.key!r} was read as {known.longest!r}, in which {twice!r} occurs more than once"
    findings.add("duplicate-elements", why, [row])
    known.readers, known.reads, known.longest = [], [], []
    known.writers, known.updates = {}, []


def drop_incompatible(known: Appended, table: Transactions, findings: Findings) -> Iterator[tuple[int, int]]:
    """Reads that are no prefix of the longest one; of each its reader, and the writer of its last value."""
    longest = known.longest
    wrong = [at for at, read in enumerate(known.reads) if read != longest[: len(read)]]
    if not wrong:
        return
    witness = known.readers[known.reads.index(longest)]
    for at in wrong:
        row, read = known.readers[at], known.reads[at]
        why = f"{known.key!r} was read as {longest!r} and as {read!r}, and neither is a prefix of the other"
        findings.add("incompatible-order", why, [witness, row])
        if (writer := known.writers.get(read[-1])) is not None and table.status[writer] != FAIL:
            yield row, writer
        _blame_elements(known, row, read, table, findings)
    kept = [at for at in range(len(known.reads)) if at not in set(wrong)]
    known.readers, known.reads = [known.readers[at] for at in kept], [known.reads[at] for at in kept]


def find_dirty(known: Appended, table: Transactions, findings: Findings) -> None:
    """Reads of what aborted, was never appended, or was not what its transaction left behind."""
    status, writers = table.status, known.writers
    suspects = [v for v in known.longest if (row := writers.get(v)) is None or status[row] == FAIL]
    for row, read in zip(known.readers, known.reads, strict=True) if suspects else ():
        _blame_elements(known, row, read, table, findings)
    for value in suspects:
        behind = range(known.longest.index(value) + 1, len(known.longest))
        if value in writers and (built := known.committed(table, behind)) is not None:
            why = f"{built[0]!r} was appended to {known.key!r} on top of {value!r}, although that aborted"
            findings.add("dirty-update", why, [writers[value], built[1]])
    for row, read in zip(known.readers, known.reads, strict=True) if known.superseded else ():
        if read and known.superseded.get(read[-1], row) != row:
            _blame_intermediate(known, row, read, findings)


def _blame_elements(
    known: Appended, row: int, read: list[Any], table: Transactions, findings: Findings
) -> None:
    for value in read:
        writer = known.writers.get(value)
        if writer is None:
            why = f"{known.key!r} was read as {read!r}, but nobody ever appended {value!r}"
            findings.add("garbage-read", why, [row])
        elif table.status[writer] == FAIL:
            why = f"{known.key!r} was read as {read!r}, but the transaction that appended {value!r} aborted"
            findings.add("G1a", why, [writer, row])


def _blame_intermediate(known: Appended, row: int, read: list[Any], findings: Findings) -> None:
    writer = known.superseded[read[-1]]
    why = f"{known.key!r} was read as {read!r}, but whoever appended {read[-1]!r} went on to append more"
    findings.add("G1b", why, [writer, row])


def find_lost_updates(known: Appended, findings: Findings) -> None:
    """Several transactions that read one version and each appended to it: all but one read too early."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for row, length in known.updates:
        by_length[length].append(row)
    for length, rows in by_length.items():
        if len(rows) > 1:
            why = (
                f"{len(rows)} committed transactions read {known.key!r} as {known.longest[:length]!r} "
                "and then appended to it, each without knowing of the others"
            )
            findings.add("lost-update", why, rows)
