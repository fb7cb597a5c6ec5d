"""What a history of reads and writes tells about each register, before anything is concluded from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from ostrakon.checkers.transactions.execution import NOBODY, Execution, Read, assemble
from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.table import (
    FAIL,
    OK,
    NotTransactions,
    Transactions,
    explain_malformed,
)
from ostrakon.checkers.transactions.wording import told
from ostrakon.checkers.value import canonical

_EXPECTED = '["w", key, value], ["r", key, value or null] or ["rp", "true", {key: value, ...}]'

Rows = list[int]
_NO_ORDER: Mapping[int, float] = MappingProxyType({})


@dataclass(slots=True)
class Register:
    """What is known of the register at one key; a version is the value it held, null at first."""

    key: Any
    writers: dict[Any, int] = field(default_factory=dict)
    """The transaction that wrote each value."""
    superseded: dict[Any, int] = field(default_factory=dict)
    """Values over which the transaction that wrote them wrote another one itself: they are no versions."""
    readers: dict[Any, Rows] = field(default_factory=dict)
    """The committed transactions that read each value from someone else."""
    scanners: dict[Any, Rows] = field(default_factory=dict)
    """The same for reads of all registers at once."""
    updates: list[tuple[int, Any, Any]] = field(default_factory=list)
    """Committed transactions that read a value and then wrote another one: row, value read, value written."""

    def writer(self, value: Any, table: Transactions) -> int | None:
        """The transaction that wrote a value, unless it aborted."""
        row = self.writers.get(value)
        return None if row is None or row in table.aborted else row

    def versions(self, table: Transactions) -> Iterator[tuple[Any, int]]:
        """The values that others may have seen it hold, and their writers."""
        for value, row in self.writers.items():
            if row not in table.aborted and value not in self.superseded:
                yield value, row

    def seen(self) -> list[Any]:
        """All values that were read, in the order in which they were first."""
        return list(dict.fromkeys((*self.readers, *self.scanners)))

    def unwritten(self) -> list[Any]:
        """Values that were read although nobody wrote them."""
        return [value for value in self.seen() if value is not None and value not in self.writers]

    def seen_by(self, value: Any) -> Iterator[int]:
        """Everyone who read this value."""
        yield from self.readers.get(value, ())
        yield from self.scanners.get(value, ())


class ValueRead(NamedTuple):
    """A committed transaction read a value that it had not written itself."""

    row: int
    place: int
    """The position of the micro-op in the transaction."""
    key: Any
    value: Any
    predicate: bool


@dataclass(slots=True)
class Registers:
    """All registers of a history, by key."""

    by_key: dict[Any, Register] = field(default_factory=dict)
    reads: list[ValueRead] = field(default_factory=list)


@dataclass(slots=True)
class _Progress:
    """Where one transaction is: what it knows the registers to hold, and what it did to them."""

    read: dict[Any, Any] = field(default_factory=dict)
    """The value that it read of each register before it wrote it."""
    written: dict[Any, Any] = field(default_factory=dict)
    current: dict[Any, Any] = field(default_factory=dict)
    external: list[tuple[int, Register, Any]] = field(default_factory=list)
    """Place, register and value of each read of what somebody else wrote."""


_Scan = tuple[int, int, Mapping[Any, Any], frozenset[Any]]


def gather(table: Transactions, findings: Findings) -> Registers:
    """Sort the micro-ops of all transactions by key; what contradicts itself within one goes to the findings.

    Raises: NotTransactions.
    """
    registers = Registers()
    by_key = registers.by_key
    scans: list[_Scan] = []
    try:
        for row, (micro_ops, ending) in enumerate(zip(table.micro_ops, table.status.tolist(), strict=True)):
            progress = _Progress()
            for place, (f, key, value) in enumerate(micro_ops):
                if f == "rp":
                    if ending == OK:
                        found = {_plain(name): _plain(held) for name, held in (value or {}).items()}
                        scans.append((row, place, found, frozenset(progress.current)))
                    continue
                if type(key) is not int and type(key) is not str:
                    key = canonical(key)
                if value is not None and type(value) is not int and type(value) is not str:
                    value = canonical(value)
                register = by_key.get(key)
                if register is None:
                    register = by_key[key] = Register(key)
                if f == "w":
                    _write(row, register, value, progress, table)
                elif f != "r":
                    raise ValueError(f)
                elif ending == OK:
                    _read(row, place, register, value, progress, findings)
            if ending == OK:
                _conclude(row, registers, progress, findings)
        _scan(registers, scans)
    except NotTransactions:
        raise
    except (TypeError, ValueError, AttributeError):
        raise explain_malformed(table, _EXPECTED, _is_micro_op) from None
    return registers


def _plain(value: Any) -> Any:
    return None if value is None else canonical(value)


def _write(row: int, register: Register, value: Any, progress: _Progress, table: Transactions) -> None:
    key = register.key
    if value is None:
        raise ValueError("null is what a register holds before anyone writes it")
    if value in register.writers:
        first, second = table.op(register.writers[value]).index, table.op(row).index
        raise NotTransactions(
            f"ops {first} and {second} both write {told(value)} to {told(key)}; reads can be traced to "
            "transactions only if no value is written to a key twice"
        )
    register.writers[value] = row
    if key in progress.written:
        register.superseded[progress.written[key]] = row
    progress.written[key] = progress.current[key] = value


def _read(
    row: int, place: int, register: Register, value: Any, progress: _Progress, findings: Findings
) -> None:
    key = register.key
    current = progress.current
    if key not in current:
        progress.read[key] = value
    elif current[key] != value:
        why = "a transaction read {} as {}; by what it had done before, it should have been {}"
        findings.add("internal", [row], why, key, value, current[key])
    current[key] = value
    if value is None or register.writers.get(value) != row:
        progress.external.append((place, register, value))


def _conclude(row: int, registers: Registers, progress: _Progress, findings: Findings) -> None:
    """File the reads, now that all writes of the transaction are known."""
    for place, register, value in progress.external:
        key = register.key
        if value is not None and register.writers.get(value) == row:
            why = "a transaction read {} from {} before it had written that itself: it saw its future"
            findings.add("future-read", [row], why, value, key)
            continue
        readers = register.readers.setdefault(value, [])
        is_first = not readers or readers[-1] != row
        if is_first:
            readers.append(row)
        # A version that is read once more counts: at monotonic atomic view it matters what was read before.
        registers.reads.append(ValueRead(row, place, key, value, False))
        if is_first and key in progress.written and progress.read.get(key, progress) == value:
            register.updates.append((row, value, progress.written[key]))


def _scan(registers: Registers, scans: list[_Scan]) -> None:
    by_key = registers.by_key
    for _, _, found, _ in scans:
        for key in found:
            by_key.setdefault(key, Register(key))
    for row, place, found, known in scans:
        for key, register in by_key.items():
            if key not in known:
                value = found.get(key)
                register.scanners.setdefault(value, []).append(row)
                registers.reads.append(ValueRead(row, place, key, value, True))


def _is_micro_op(micro_op: Any) -> bool:
    match micro_op:
        case ["w", _, value]:
            return value is not None
        case ["r", _, _] | ["rp", _, dict() | None]:
            return True
        case _:
            return False


def execution(
    table: Transactions, registers: Registers, transaction_order: Mapping[int, float] = _NO_ORDER
) -> Execution:
    """The transactions that took effect. A value that nobody wrote has a writer outside the history.

    The order, by the index of a transaction's op, is that of the versions of all keys whose writers are in
    it."""
    number = {key: at for at, key in enumerate(registers.by_key)}
    strangers: dict[tuple[Any, Any], int] = {}
    observed: set[int] = set()
    reads: list[tuple[int, int, Read]] = []
    for row, place, key, value, predicate in registers.reads:
        register = registers.by_key[key]
        if value is None:
            source = NOBODY
        elif (writer := register.writers.get(value)) is None:
            source = strangers.setdefault((key, value), -1 - len(strangers))
        elif writer in table.aborted or value in register.superseded or writer == row:
            continue
        else:
            source = writer
            observed.add(writer)
        reads.append((row, place, Read(row, number[key], source, predicate)))
    reads.sort(key=lambda read: read[:2])
    status = table.status.tolist()
    rows = [row for row, ending in enumerate(status) if ending == OK or (ending != FAIL and row in observed)]
    members = set(rows)
    writers = [
        [row for _, row in register.versions(table) if row in members]
        for register in registers.by_key.values()
    ]
    for (key, _), stranger in strangers.items():
        writers[number[key]].append(stranger)
    chains = [_chain(table, rows_of_key, transaction_order) for rows_of_key in writers]
    names = [register.key for register in registers.by_key.values()]
    outside = {stranger: pair for pair, stranger in strangers.items()}
    return assemble(
        table, [*outside, *rows], names, writers, chains, [read for _, _, read in reads], outside=outside
    )


def _chain(table: Transactions, rows: list[int], transaction_order: Mapping[int, float]) -> list[int]:
    if not transaction_order:
        return []
    numbers = {row: transaction_order.get(table.op(row).index) if row >= 0 else None for row in rows}
    known = {row: number for row, number in numbers.items() if number is not None}
    return sorted(rows, key=known.__getitem__) if len(known) == len(rows) else []
