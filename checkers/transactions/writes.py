"""Rw-register: transactions write unique values to registers and read them, so each read names its writer.

What a read does not tell is the order of the versions; that is pieced together from what is sure.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from checkers.transactions.consistency import canonical
from checkers.transactions.dependency import WR
from checkers.transactions.edges import EdgeList
from checkers.transactions.findings import Findings
from checkers.transactions.judgement import STEPS, Inference, judge
from checkers.transactions.registers import Register, Registers, gather
from checkers.transactions.table import NotTransactions, Transactions, transactions
from checkers.transactions.versions import add_known_order, add_process_order, add_realtime_order
from checkers.transactions.write_reason import write_reason
from checkers.verdict import Verdict
from harness.history import History


def rw_register(
    history: History,
    consistency: str = "strict-serializable",
    *,
    empty_at_start: bool | None = None,
    steps: int = STEPS,
) -> Verdict:
    """Check transactions that write and read registers against a consistency model.

    The value of each op is a list of micro-ops, `["w", key, value]`, `["r", key, value]` or, for a read of
    all registers that hold anything, `["rp", "true", {key: value, ...}]`. No value may be written to one key
    twice, and null never. `details` are as with `list_append`.

    A read of a value that nobody wrote is a garbage-read, unless the register may have held that value
    before the history began: so it is if `empty_at_start` is False, and, if it is None, while nothing was
    read as null and no other unwritten value was read from that key.

    Raises: UnknownModel for a model that is not in `checkers.transactions.consistency`.
    """
    model = canonical(consistency)
    table = transactions(history)
    findings = Findings(table)
    try:
        registers = gather(table, findings)
    except NotTransactions as error:
        return Verdict.unknown(str(error))
    if not any(register.readers or register.scanners for register in registers.values()):
        return Verdict.unknown("no committed transaction read anything, so there is no order to be seen")
    return judge(table, _infer(table, registers, findings, empty_at_start), model, steps=steps)


def _infer(
    table: Transactions, registers: Registers, findings: Findings, empty_at_start: bool | None
) -> Inference:
    edges = EdgeList(len(table))
    if empty_at_start is None and any(None in r.readers or None in r.scanners for r in registers.values()):
        empty_at_start = True
    before: dict[str, Any] = {}
    for register in registers.values():
        before.update(_find_garbage(register, empty_at_start, findings))
        _find_dirty(register, table, findings)
        _find_lost_updates(register, findings)
        _drop_cyclic(register, findings)
        _add_reads(register, table, edges)
        add_known_order(register, table, edges)
        add_realtime_order(register, table, edges)
    add_process_order(registers, table, edges)
    held = ", ".join(f"{key} held {value!r}" for key, value in before.items())
    return Inference(
        edges,
        findings,
        partial(write_reason, table, registers),
        remark=f"supposing that before the history began {held}" if before else "",
    )


def _add_reads(register: Register, table: Transactions, edges: EdgeList) -> None:
    for value in (*register.readers, *register.scanners):
        if (writer := register.writer(value, table)) is not None:
            for row in register.seen_by(value):
                edges.add(writer, row, WR)


def _find_garbage(
    register: Register, empty_at_start: bool | None, findings: Findings
) -> Iterator[tuple[str, Any]]:
    """Reads of values that nobody wrote; yielded is what the register may have held from before."""
    values = dict.fromkeys((*register.readers, *register.scanners))
    unwritten = [value for value in values if value is not None and value not in register.writers]
    if unwritten and not empty_at_start and (empty_at_start is False or len(unwritten) == 1):
        yield repr(register.key), unwritten[0]
        unwritten = unwritten[1:]
    for value in unwritten:
        for row in register.seen_by(value):
            findings.add("garbage-read", [row], "{} was read as {}, which nobody wrote", register.key, value)


def _find_dirty(register: Register, table: Transactions, findings: Findings) -> None:
    for value in dict.fromkeys((*register.readers, *register.scanners)):
        writer = register.writers.get(value)
        for row in register.seen_by(value) if writer is not None else ():
            rows = [row] if writer is None else [writer, row]
            if writer in table.aborted:
                why = "{} was read as {}, but the transaction that wrote that aborted"
                findings.add("G1a", rows, why, register.key, value)
            elif value in register.superseded and writer != row:
                why = "{} was read as {}, but whoever wrote that went on to write something else"
                findings.add("G1b", rows, why, register.key, value)


def _find_lost_updates(register: Register, findings: Findings) -> None:
    by_version: dict[Any, list[int]] = {}
    for row, read, _ in register.updates:
        by_version.setdefault(read, []).append(row)
    for value, rows in by_version.items():
        if len(rows) > 1:
            why = "{} committed transactions read {} as {} and then wrote it, unaware of each other"
            findings.add("lost-update", rows, why, len(rows), register.key, value)


def _drop_cyclic(register: Register, findings: Findings) -> None:
    """Versions that were each written by someone who had read the next have no order: none is concluded."""
    before = {written: (read, row) for row, read, written in register.updates}
    done: set[Any] = set()
    for value in before:
        path: dict[Any, int] = {}
        while value in before and value not in done:
            done.add(value)
            read, path[value] = before[value]
            value = read
            if value in path:
                cycle = list(path)[list(path).index(value) :]
                why = "the versions {} of {} were each written by someone who had read the one after it"
                findings.add("cyclic-versions", [path[v] for v in cycle], why, cycle, register.key)
                register.updates = []
                return
