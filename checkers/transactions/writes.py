"""Rw-register: transactions write unique values to registers and read them, so each read names its writer.

What a read does not tell is the order of the versions; that is pieced together from what is sure.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from ostrakon.checkers.garbage import collection_paused
from ostrakon.checkers.transactions.consistency import canonical
from ostrakon.checkers.transactions.dependency import WR
from ostrakon.checkers.transactions.edges import EdgeList
from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.judgement import STEPS, Inference, judge
from ostrakon.checkers.transactions.registers import Register, Registers, gather
from ostrakon.checkers.transactions.table import NotTransactions, Transactions, transactions
from ostrakon.checkers.transactions.versions import add_known_order, add_process_order, add_realtime_order
from ostrakon.checkers.transactions.write_reason import write_reason
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History


def rw_register(
    history: History,
    consistency: str = "strict-serializable",
    *,
    closed: bool | None = None,
    steps: int = STEPS,
) -> Verdict:
    """Check transactions that write and read registers against a consistency model.

    The value of each op is a list of micro-ops, `["w", key, value]`, `["r", key, value]` or, for a read of
    all registers that hold anything, `["rp", "true", {key: value, ...}]`. No value may be written to one key
    twice, and null never. `details` are as with `list_append`.

    A read of a value that nobody wrote is a garbage-read if the history is `closed`: if all who write are in
    it. Otherwise someone else may have written it, and nothing is concluded from it. Left open, a history
    counts as closed if any register was seen to start as null; and of two such values of one register, one is
    always garbage.

    Raises: UnknownModel for a model that is not in `ostrakon.checkers.transactions.consistency`.

    >>> from ostrakon.checkers.transactions.notation import history
    >>> stale = rw_register(history("x=1 ; x=2 ; x:1"))
    >>> stale.valid, stale.anomalies[0].name, stale.details["satisfied"]
    ('invalid', 'G-single-item-realtime', ['strong-session-serializable', 'strong-read-committed'])
    """
    model = canonical(consistency)
    with collection_paused():
        return _judged(history, model, closed, steps)


def _judged(history: History, model: str, closed: bool | None, steps: int) -> Verdict:
    table = transactions(history)
    findings = Findings(table)
    try:
        registers = gather(table, findings)
    except NotTransactions as error:
        return Verdict.unknown(str(error))
    read = any(register.readers or register.scanners for register in registers.values())
    if not read and not findings.counts:
        return Verdict.unknown("no committed transaction read anything, so there is no order to be seen")
    return judge(table, _infer(table, registers, findings, closed), model, steps=steps)


def _infer(table: Transactions, registers: Registers, findings: Findings, closed: bool | None) -> Inference:
    edges = EdgeList(len(table))
    if closed is None and any(None in r.readers or None in r.scanners for r in registers.values()):
        closed = True
    foreign: list[str] = []
    for register in registers.values():
        foreign += _drop_foreign(register, closed)
        _find_garbage(register, findings)
        _find_dirty(register, table, findings)
        _find_lost_updates(register, findings)
        _drop_cyclic(register, findings)
        _add_reads(register, table, edges)
        add_known_order(register, table, edges)
        add_realtime_order(register, table, edges)
    add_process_order(registers, table, edges)
    return Inference(
        edges,
        findings,
        partial(write_reason, table, registers),
        remark=f"supposing that someone outside the history wrote {', '.join(foreign)}" if foreign else "",
    )


def _add_reads(register: Register, table: Transactions, edges: EdgeList) -> None:
    for value in register.seen():
        if (writer := register.writer(value, table)) is not None:
            for row in register.seen_by(value):
                edges.add(writer, row, WR)


def _drop_foreign(register: Register, closed: bool | None) -> Iterator[str]:
    """Forget reads of values that someone outside the history may have written; yielded is what they saw."""
    unwritten = register.unwritten()
    if closed or (closed is None and len(unwritten) > 1):
        return
    for value in unwritten:
        register.readers.pop(value, None)
        register.scanners.pop(value, None)
        yield f"{value!r} to {register.key!r}"


def _find_garbage(register: Register, findings: Findings) -> None:
    for value in register.unwritten():
        for row in register.seen_by(value):
            findings.add("garbage-read", [row], "{} was read as {}, which nobody wrote", register.key, value)


def _find_dirty(register: Register, table: Transactions, findings: Findings) -> None:
    for value in register.seen():
        writer = register.writers.get(value)
        if writer is None:
            continue
        for row in register.seen_by(value):
            if writer in table.aborted:
                why = "{} was read as {}, but the transaction that wrote that aborted"
                findings.add("G1a", [writer, row], why, register.key, value)
            elif value in register.superseded and writer != row:
                why = "{} was read as {}, but whoever wrote that went on to write something else"
                findings.add("G1b", [writer, row], why, register.key, value)


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
