"""In which order a register held its versions, and who must therefore come before whom.

A version is older than another if someone read it and wrote the other, if one process saw it before the
other, or if someone was done with it before someone else, who saw or wrote the other, began. The last two
hold only in models that mind processes or real time, and mark the edges that follow from them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ostrakon.checkers.transactions.dependency import BY_PROCESS, BY_REALTIME, RW, RW_PREDICATE, VIA, WW
from ostrakon.checkers.transactions.edges import EdgeList
from ostrakon.checkers.transactions.observed_registers import Register, Registers
from ostrakon.checkers.transactions.table import NEVER, OK, Transactions


class Span(NamedTuple):
    """The time in which a register must have held a version (Gibbons and Korach call it a zone)."""

    value: Any
    writer: int
    last_begun: int
    """The row of the one who touched it and was invoked last ..."""
    first_done: int
    """... and of the one who touched it and completed first."""
    begun: int
    """The position of the last invocation ..."""
    done: int
    """... and of the first completion, or NEVER."""


def spans(register: Register, table: Transactions) -> list[Span]:
    """Of all versions, ordered by the last invocation."""
    found = []
    for value, writer in register.versions(table):
        rows = [writer, *register.seen_by(value)]
        last = max(rows, key=lambda row: int(table.invoked[row]))
        first = min(rows, key=lambda row: int(table.completed[row]))
        found.append(Span(value, writer, last, first, int(table.invoked[last]), int(table.completed[first])))
    return sorted(found, key=lambda span: span.begun)


def add_known_order(register: Register, table: Transactions, edges: EdgeList) -> None:
    """Null comes before everything, and what a transaction read before what it wrote then."""
    later: dict[Any, list[int]] = defaultdict(list)
    later[None] = [writer for _, writer in register.versions(table)]
    for row, read, _ in register.updates:
        if read is not None:
            later[read].append(row)
    for value, writers in later.items():
        _precede(register, value, writers, 0, table, edges)


def add_realtime_order(register: Register, table: Transactions, edges: EdgeList) -> None:
    """A version of which someone was done before another's last span of use began is older than that.

    All versions whose use began late enough are reached through a chain that runs along these beginnings.
    """
    ordered = spans(register, table)
    if len(ordered) < 2:
        return
    chain = edges.bundles(len(ordered)).tolist()
    for at, span in enumerate(ordered):
        edges.add(chain[at], span.writer, VIA)
        if at:
            edges.add(chain[at - 1], chain[at], VIA)
    begun = [span.begun for span in ordered]
    for at, span in enumerate(ordered):
        if span.done == NEVER:
            continue
        since = bisect_right(begun, span.done)
        targets = [ordered[other].writer for other in range(since, at)][:_ENOUGH]
        if max(since, at + 1) < len(ordered):
            targets.append(chain[max(since, at + 1)])
        _precede(register, span.value, targets, BY_REALTIME, table, edges)


_ENOUGH = 64
"""Of versions that begin during one's own use there are no more than the clients' concurrency, or it is wrong
already, which a few of them show as well as all."""


def add_process_order(registers: Registers, table: Transactions, edges: EdgeList) -> None:
    """What a process saw of a register first is older than what it saw next."""
    writers = {key: dict(register.versions(table)) for key, register in registers.by_key.items()}
    touched = _touched(registers, writers)
    later: dict[tuple[Any, Any], set[int]] = defaultdict(set)
    latest: dict[tuple[int, Any], Any] = {}
    for row in np.flatnonzero(table.status == OK).tolist():
        process = int(table.process[row])
        for key, (first, last) in touched.get(row, {}).items():
            before = latest.get((process, key), first)
            if before != first:
                later[key, before].add(writers[key][first])
            latest[process, key] = last
    for (key, value), rows in later.items():
        _precede(registers.by_key[key], value, sorted(rows), BY_PROCESS, table, edges)


def _touched(
    registers: Registers, writers: dict[Any, dict[Any, int]]
) -> dict[int, dict[Any, tuple[Any, Any]]]:
    """By transaction and key, the first and the last version that it read or wrote."""
    touched: dict[int, dict[Any, tuple[Any, Any]]] = defaultdict(dict)
    for key, register in registers.by_key.items():
        for value, writer in writers[key].items():
            touched[writer][key] = (value, value)
        for value in writers[key]:
            for row in register.seen_by(value):
                _, last = touched[row].get(key, (value, value))
                touched[row][key] = (value, last)
    return touched


def _precede(
    register: Register,
    value: Any,
    targets: Iterable[int],
    level: int,
    table: Transactions,
    edges: EdgeList,
) -> None:
    """Whoever wrote or read this version comes before all targets, the writers of newer ones."""
    targets = list(targets)
    if not targets:
        return
    bundle = edges.bundle()
    # Who overwrote what it had read depends on the writer by the read, and only if reads count (not at PL-1).
    if level and (writer := register.writer(value, table)) is not None:
        edges.add(writer, bundle, WW | level)
    for row in register.readers.get(value, ()):
        edges.add(row, bundle, RW | level)
    for row in register.scanners.get(value, ()):
        edges.add(row, bundle, RW_PREDICATE | level)
    for target in targets:
        edges.add(bundle, target, VIA)
