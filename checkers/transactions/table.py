"""The transactions of a history as columns: what each did, how it ended, and when it ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.history import NEMESIS, History, Op, Process

OK, INFO, FAIL = 0, 1, 2
NEVER = 2**62
"""The completion of a transaction of which nothing was heard again: it may take effect at any time."""

Ints = npt.NDArray[np.int64]


class NotTransactions(ValueError):
    """The history does not hold what this checker reads; the message names the op and what was expected."""


@dataclass(frozen=True, slots=True)
class Transactions:
    """One row for each transaction, in order of invocation."""

    invocations: list[Op]
    completions: list[Op | None]
    micro_ops: list[Sequence[Any]]
    """As completed where `ok`, otherwise as invoked: then only the writes mean anything."""
    status: npt.NDArray[np.int8]
    invoked: Ints
    """Position in the history: the only clock that is needed."""
    completed: Ints
    """Position in the history; NEVER unless it is `ok`."""
    process: Ints
    """The processes, numbered in order of appearance."""
    aborted: frozenset[int]
    """The rows that failed."""

    def __len__(self) -> int:
        return len(self.invocations)

    def ops(self, row: int) -> tuple[Op, ...]:
        """The invocation and, if there is one, the completion."""
        first, last = self.invocations[row], self.completions[row]
        return (first,) if last is None or last is first else (first, last)

    def op(self, row: int) -> Op:
        """The op that says most about a transaction: its completion, if there is one."""
        return self.completions[row] or self.invocations[row]


def transactions(history: History) -> Transactions:
    """Pair the clients' ops; a completion without an invocation counts as its own invocation."""
    invocations: list[Op] = []
    completions: list[Op | None] = []
    invoked: list[int] = []
    completed: list[int] = []
    status: list[int] = []
    pending: dict[Process, int] = {}
    for at, op in enumerate(history):
        process = op.process
        if process == NEMESIS:
            continue
        row = None if op.type == "invoke" else pending.pop(process, None)
        if row is None:
            row = len(invocations)
            invocations.append(op)
            completions.append(None)
            invoked.append(at)
            completed.append(NEVER)
            status.append(INFO)
        match op.type:
            case "invoke":
                pending[process] = row
                continue
            case "ok":
                status[row], completed[row] = OK, at
            case "fail":
                status[row] = FAIL
        completions[row] = op
    return Transactions(
        invocations,
        completions,
        [
            (last if ending == OK and last is not None else first).value
            for first, last, ending in zip(invocations, completions, status, strict=True)
        ],
        np.array(status, np.int8),
        np.array(invoked, np.int64),
        np.array(completed, np.int64),
        _numbered([op.process for op in invocations]),
        frozenset(row for row, ending in enumerate(status) if ending == FAIL),
    )


def _numbered(processes: list[Process]) -> Ints:
    numbers = {process: number for number, process in enumerate(dict.fromkeys(processes))}
    return np.array([numbers[process] for process in processes], np.int64)


def explain_malformed(
    table: Transactions, expected: str, is_micro_op: Callable[[Any], bool]
) -> NotTransactions:
    """The error for the first transaction that has something else among its micro-ops than it should."""
    for row, micro_ops in enumerate(table.micro_ops):
        op = table.op(row)
        if not isinstance(micro_ops, list | tuple):
            return NotTransactions(f"op {op.index}: expected a list of {expected}, got {micro_ops!r}")
        for micro_op in micro_ops:
            if not is_micro_op(micro_op):
                return NotTransactions(f"op {op.index}: expected {expected}, got {micro_op!r}")
    return NotTransactions(f"expected every value to be a list of {expected}")
