"""Rw-register: transactions write unique values to registers and read them, so each read names its writer.

What a read does not tell is the order of the versions; that is pieced together from what is sure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

from ostrakon.checkers.garbage import collection_paused
from ostrakon.checkers.transactions.columns import micro_ops
from ostrakon.checkers.transactions.consistency import canonical_name
from ostrakon.checkers.transactions.cycle import Step
from ostrakon.checkers.transactions.cycle_anomalies import STEPS
from ostrakon.checkers.transactions.dependency import BY_PROCESS, BY_REALTIME, WR, WW
from ostrakon.checkers.transactions.edges import EdgeList
from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.judgement import Inference, certified, judge, proven_by
from ostrakon.checkers.transactions.observed_registers import Register, Registers, execution, gather
from ostrakon.checkers.transactions.serial_order import order_of_answers, order_of_registers
from ostrakon.checkers.transactions.table import (
    OK,
    NotTransactions,
    Transactions,
    transactions,
    without_unknown_reads,
)
from ostrakon.checkers.transactions.version_order import CONFLICTS
from ostrakon.checkers.transactions.versions import (
    add_known_order,
    add_process_order,
    add_realtime_order,
    spans,
)
from ostrakon.checkers.transactions.wording import told
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History, Process


def rw_register(
    history: History,
    consistency: str = "strict-serializable",
    *,
    outside_writers: bool = False,
    transaction_order: Mapping[int, float] | None = None,
    steps: int = STEPS,
    conflicts: int = CONFLICTS,
    every_model: bool | None = None,
    certificate: Mapping[str, Any] | None = None,
) -> Verdict:
    """Check transactions that write and read registers against a consistency model.

    The value of each op is a list of micro-ops, `["w", key, value]`, `["r", key, value]`, `["r", key]` for
    a read of which it is not known what it found, or, for a read of all registers that hold anything,
    `["rp", "true", {key: value, ...}]`. No value may be written to one key
    twice, and null never. `details` and the limits are as with `list_append`.

    A read of a value that nobody wrote is a garbage-read, unless there are `outside_writers`, whose
    transactions the history does not have: then it is a version by a writer of whom nothing else is known.

    `transaction_order` gives transactions a number by the index of their completion, such as a database's own
    order of commits. The versions of a key whose writers all have one are then in that order.

    Given a `certificate`, nothing is decided: it is replayed, and the verdict is unknown if it proves
    nothing.

    Raises: UnknownModel for a model that is not in `ostrakon.checkers.transactions.consistency`.

    >>> from ostrakon.checkers.transactions.notation import history
    >>> stale = rw_register(history("x=1 ; x=2 ; x:1"))
    >>> stale.valid, stale.anomalies[0].name, stale.details["satisfied"]
    ('invalid', 'G-single-item-realtime', ['strong-session-serializable', 'strong-read-committed'])
    """
    model = canonical_name(consistency)
    if certificate is not None:
        return certified(history, "rw-register", model, certificate)
    limits = {"steps": steps, "conflicts": conflicts, "every_model": every_model}
    with collection_paused():
        return _judged(history, model, outside_writers, transaction_order or {}, limits)


def _judged(
    history: History,
    model: str,
    outside_writers: bool,
    transaction_order: Mapping[int, float],
    limits: dict[str, Any],
) -> Verdict:
    table = transactions(history)
    ops = None if transaction_order else micro_ops(table, "w")
    if ops is not None:
        guesses = chain(order_of_answers(table), order_of_registers(table, ops))
        if (proven := proven_by(guesses, table, ops, "rw-register", model)) is not None:
            return proven
    table = without_unknown_reads(table)
    findings = Findings(table)
    try:
        registers = gather(table, findings)
    except NotTransactions as error:
        return Verdict.unknown(str(error))
    read = any(register.readers or register.scanners for register in registers.by_key.values())
    if not read and not findings.counts:
        return Verdict.unknown("no committed transaction read anything, so there is no order to be seen")
    return judge(
        table, _infer(table, registers, findings, outside_writers, transaction_order), model, **limits
    )


def _infer(
    table: Transactions,
    registers: Registers,
    findings: Findings,
    outside_writers: bool,
    transaction_order: Mapping[int, float],
) -> Inference:
    edges = EdgeList(len(table))
    foreign: list[str] = []
    for register in registers.by_key.values():
        if outside_writers:
            foreign += (f"{told(value)} to {told(register.key)}" for value in register.unwritten())
        else:
            _find_garbage(register, findings)
        _find_dirty(register, table, findings)
        _find_lost_updates(register, findings)
        _drop_cyclic(register, findings)
        _add_reads(register, table, edges)
        add_known_order(register, table, edges)
        add_realtime_order(register, table, edges)
    add_process_order(registers, table, edges)
    return Inference(
        "rw-register",
        edges,
        findings,
        partial(write_reason, table, registers),
        partial(execution, table, registers, transaction_order),
        remark=_supposed(foreign, transaction_order),
    )


def _supposed(foreign: list[str], transaction_order: Mapping[int, float]) -> str:
    supposed = []
    if foreign:
        more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
        supposed.append(f"that someone outside the history wrote {', '.join(foreign[:_SHOWN])}{more}")
    if transaction_order:
        supposed.append("that versions were installed in the transaction order given")
    return f"supposing {' and '.join(supposed)}" if supposed else ""


_SHOWN = 8
"""How many suppositions are told."""


def _add_reads(register: Register, table: Transactions, edges: EdgeList) -> None:
    for value in register.seen():
        if (writer := register.writer(value, table)) is not None:
            for row in register.seen_by(value):
                edges.add(writer, row, WR)


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


def write_reason(table: Transactions, registers: Registers, step: Step, earlier: str, later: str) -> str:
    """A clause that names the key and the values, such as "T1 wrote 1 to 'x' and T2 read it"."""
    if step.kind & WR:
        return next(_read(registers, step, earlier, later))
    return next(_overwritten(table, registers, step, earlier, later))


def _read(registers: Registers, step: Step, earlier: str, later: str) -> Iterator[str]:
    for register in registers.by_key.values():
        for value in register.seen():
            if register.writers.get(value) == step.earlier and step.later in register.seen_by(value):
                yield f"{later} read {told(register.key)} as {told(value)}, which {earlier} had written"


def _overwritten(
    table: Transactions, registers: Registers, step: Step, earlier: str, later: str
) -> Iterator[str]:
    did = "wrote" if step.kind & WW else "read"
    for register in registers.by_key.values():
        for old in _versions_of(register, step):
            for new, writer in register.versions(table):
                if writer == step.later and new != old and (how := _how(table, register, old, new, step)):
                    key = told(register.key)
                    if old is None:
                        before = f"{earlier} read {key} before anyone had written it"
                        yield f"{before}, and {later} wrote {told(new)}"
                    before = f"{earlier} {did} {key} as {told(old)}"
                    yield f"{before} and {later} wrote it as {told(new)}, and {how}"


def _versions_of(register: Register, step: Step) -> Iterator[Any]:
    if step.kind & WW:
        yield from (value for value, row in register.writers.items() if row == step.earlier)
    else:
        yield from (value for value in register.seen() if step.earlier in register.seen_by(value))


def _how(table: Transactions, register: Register, old: Any, new: Any, step: Step) -> str | None:
    """How it is known that one version is older than the other; None if it is not."""
    if step.kind & BY_REALTIME:
        found = {span.value: span for span in spans(register, table)}
        if old not in found or not found[old].done < found[new].begun:
            return None
        done, begun = table.op(found[old].first_done), table.invocation(found[new].last_begun)
        return (
            f"op {done.index} was done with {told(old)} before op {begun.index} began, which saw {told(new)}"
        )
    if step.kind & BY_PROCESS:
        process = _who_saw_both(table, register, old, new)
        return None if process is None else f"process {process} saw {told(old)} before {told(new)}"
    if old is None:
        return "null comes first"
    over = any((row, read) == (step.later, old) for row, read, _ in register.updates)
    return f"that was written over {told(old)}" if over else None


def _who_saw_both(table: Transactions, register: Register, old: Any, new: Any) -> Process | None:
    """A process that read or wrote one version and, in a later transaction, the other."""

    def touched(value: Any) -> list[int]:
        rows = [*register.seen_by(value), *([register.writers[value]] if value in register.writers else [])]
        return [row for row in rows if table.status[row] == OK]

    for first in touched(old):
        for second in touched(new):
            if first < second and table.process[first] == table.process[second]:
                return table.op(first).process
    return None
