"""What reads of lists show to be wrong, before any cycle is looked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import compress
from typing import Any

from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.observed_lists import Appended
from ostrakon.checkers.transactions.table import Transactions


def find_duplicated(known: Appended, findings: Findings) -> None:
    """Reads that show a value twice; a longest read never does, so they are no prefix of it."""
    for row, read, length in zip(known.readers, known.reads, known.lengths, strict=True):
        if length and len(set(read)) < length:
            twice = next(value for value, count in Counter(read).items() if count > 1)
            why = "{} was read as {}, in which {} occurs more than once"
            findings.add("duplicate-elements", [row], why, known.key, read, twice)


def drop_incompatible(known: Appended, table: Transactions, findings: Findings) -> Iterator[tuple[int, int]]:
    """Reads that are no prefix of the longest one; of each its reader, and the writer of its last value."""
    longest = known.longest
    if not known.differing:
        return
    find_duplicated(known, findings)
    for at in known.differing:
        row, read = known.readers[at], known.reads[at]
        known.disputed.update(read)
        if len(set(read)) == len(read):
            witness = known.readers[known.reads.index(longest)]
            why = "{} was read as {} and as {}, and neither is a prefix of the other"
            findings.add("incompatible-order", [witness, row], why, known.key, longest, read)
            known.agreed = min(known.agreed, _common(longest, read))
        if (writer := known.writers.get(read[-1])) is not None and writer not in table.aborted:
            yield row, writer
        _blame_elements(known, row, read, table, findings)
    kept = [True] * len(known.reads)
    for at in known.differing:
        kept[at] = False
    known.readers = list(compress(known.readers, kept))
    known.reads = list(compress(known.reads, kept))
    known.lengths = list(compress(known.lengths, kept))


def _common(one: list[Any], other: list[Any]) -> int:
    """How many values two lists begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other))


def find_dirty(known: Appended, table: Transactions, findings: Findings) -> None:
    """Reads of what aborted, was never appended, or was not what its transaction left behind."""
    suspects = known.suspects(table)
    for row, read in zip(known.readers, known.reads, strict=True) if suspects else ():
        _blame_elements(known, row, read, table, findings)
    for value in suspects:
        behind = range(known.longest.index(value) + 1, len(known.longest))
        if value in known.writers and (built := known.committed(table, behind)) is not None:
            why = "{} was appended to {} on top of {}, although the transaction that appended that aborted"
            findings.add("dirty-update", [known.writers[value], built[1]], why, built[0], known.key, value)
    intermediate = {known.longest.index(value) + 1 for value in known.superseded if value in known.longest}
    if intermediate:
        for row, read, length in zip(known.readers, known.reads, known.lengths, strict=True):
            if length in intermediate and known.superseded[read[-1]] != row:
                _blame_intermediate(known, row, read, findings)


def find_disordered(known: Appended, findings: Findings) -> None:
    """Values of one transaction that others read without, or before, what it had appended earlier."""
    for value, earlier in known.preceding.items():
        at = known.longest.index(value) if value in known.longest else 0
        if value in known.longest and (at == 0 or known.longest[at - 1] != earlier):
            if earlier in known.longest[:at]:
                continue  # What another transaction appended in between makes a cycle.
            reader, read = next(
                each for each in zip(known.readers, known.reads, strict=True) if len(each[1]) > at
            )
            why = "{} was read as {}, although the transaction that appended {} had appended {} before"
            findings.add(
                "incompatible-order", [known.writers[value], reader], why, known.key, read, value, earlier
            )


def _blame_elements(
    known: Appended, row: int, read: list[Any], table: Transactions, findings: Findings
) -> None:
    for value in read:
        writer = known.writers.get(value)
        if writer is None:
            why = "{} was read as {}, but nobody ever appended {}"
            findings.add("garbage-read", [row], why, known.key, read, value)
        elif writer in table.aborted:
            why = "{} was read as {}, but the transaction that appended {} aborted"
            findings.add("G1a", [writer, row], why, known.key, read, value)


def _blame_intermediate(known: Appended, row: int, read: list[Any], findings: Findings) -> None:
    writer = known.superseded[read[-1]]
    why = "{} was read as {}, but whoever appended {} went on to append more"
    findings.add("G1b", [writer, row], why, known.key, read, read[-1])


def find_lost_updates(known: Appended, findings: Findings) -> None:
    """Several transactions that read one version and each appended to it: all but one read too early."""
    by_version: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for row, read in known.updates:
        by_version[read].append(row)
    for read, rows in by_version.items():
        if len(rows) > 1:
            why = "{} committed transactions read {} as {} and then appended to it, unaware of each other"
            findings.add("lost-update", rows, why, len(rows), known.key, list(read))
