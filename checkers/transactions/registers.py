"""What a history of reads and writes tells about each register, before anything is concluded from it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.table import OK, NotTransactions, Transactions, explain_malformed

_EXPECTED = '["w", key, value], ["r", key, value or null] or ["rp", "true", {key: value, ...}]'

Rows = list[int]


@dataclass(slots=True)
class Register:
    """What is known of the register at one key; a version is the value it held, null at first."""

    key: Any
    writers: dict[Any, int] = field(default_factory=dict)
    """The transaction that wrote each value."""
    superseded: dict[Any, int] = field(default_factory=dict)
    """Values over which the transaction that wrote them wrote another one itself: they are no versions."""
    readers: dict[Any, Rows] = field(default_factory=dict)
    """The committed transactions that read each value, before writing the register themselves."""
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


Registers = dict[Any, Register]


@dataclass(slots=True)
class _Progress:
    """Where one transaction is: what it knows the registers to hold, and what it did to them."""

    read: dict[Any, Any] = field(default_factory=dict)
    written: dict[Any, Any] = field(default_factory=dict)
    current: dict[Any, Any] = field(default_factory=dict)


def gather(table: Transactions, findings: Findings) -> Registers:
    """Sort the micro-ops of all transactions by key; what contradicts itself within one goes to the findings.

    Raises: NotTransactions.
    """
    registers: Registers = {}
    scans: list[tuple[int, Mapping[Any, Any], frozenset[Any]]] = []
    try:
        for row, (micro_ops, ending) in enumerate(zip(table.micro_ops, table.status.tolist(), strict=True)):
            progress = _Progress()
            for f, key, value in micro_ops:
                if f == "rp":
                    if ending == OK:
                        scans.append((row, dict(value or {}), frozenset(progress.current)))
                    continue
                register = registers.get(key)
                if register is None:
                    register = registers[key] = Register(key)
                if f == "w":
                    _write(row, register, value, progress, table)
                elif f != "r":
                    raise ValueError(f)
                elif ending == OK:
                    _read(row, register, value, progress, findings)
            if ending == OK:
                _conclude(row, registers, progress, findings)
        _scan(registers, scans)
    except NotTransactions:
        raise
    except (TypeError, ValueError):
        raise explain_malformed(table, _EXPECTED, _is_micro_op) from None
    return registers


def _write(row: int, register: Register, value: Any, progress: _Progress, table: Transactions) -> None:
    key = register.key
    if value is None:
        raise ValueError("null is what a register holds before anyone writes it")
    if value in register.writers:
        first, second = table.op(register.writers[value]).index, table.op(row).index
        raise NotTransactions(
            f"ops {first} and {second} both write {value!r} to {key!r}; reads can be traced to transactions "
            "only if no value is written to a key twice"
        )
    register.writers[value] = row
    if key in progress.written:
        register.superseded[progress.written[key]] = row
    progress.written[key] = progress.current[key] = value


def _read(row: int, register: Register, value: Any, progress: _Progress, findings: Findings) -> None:
    key = register.key
    if key not in progress.current:
        progress.read[key] = value
        register.readers.setdefault(value, []).append(row)
    elif progress.current[key] != value:
        why = "a transaction read {} as {}; by what it had done before, it should have been {}"
        findings.add("internal", [row], why, key, value, progress.current[key])
    progress.current[key] = value


def _conclude(row: int, registers: Registers, progress: _Progress, findings: Findings) -> None:
    for key, value in progress.read.items():
        register = registers[key]
        if register.writers.get(value) == row:
            why = "a transaction read {} from {} before it had written that itself: it saw its future"
            findings.add("future-read", [row], why, value, key)
        elif key in progress.written:
            register.updates.append((row, value, progress.written[key]))


def _scan(registers: Registers, scans: Sequence[tuple[int, Mapping[Any, Any], frozenset[Any]]]) -> None:
    for _, found, _ in scans:
        for key in found:
            registers.setdefault(key, Register(key))
    for row, found, known in scans:
        for key, register in registers.items():
            if key not in known:
                register.scanners.setdefault(found.get(key), []).append(row)


def _is_micro_op(micro_op: Any) -> bool:
    match micro_op:
        case ["w", key, value]:
            return isinstance(key, Hashable) and isinstance(value, Hashable) and value is not None
        case ["r", key, value]:
            return isinstance(key, Hashable) and isinstance(value, Hashable)
        case ["rp", _, dict() | None]:
            return True
        case _:
            return False
