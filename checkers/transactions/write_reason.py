"""Why one transaction depends on another, read off what both did to registers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ostrakon.checkers.transactions.cycle import Step
from ostrakon.checkers.transactions.dependency import BY_PROCESS, BY_REALTIME, WR, WW
from ostrakon.checkers.transactions.registers import Register, Registers
from ostrakon.checkers.transactions.table import OK, Transactions
from ostrakon.checkers.transactions.versions import spans
from ostrakon.checkers.transactions.wording import told
from ostrakon.harness.history import Process


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
