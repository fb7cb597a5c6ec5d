"""The transactions of a history as columns: what each did, how it ended, and when it ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from ostrakon.harness.history import NEMESIS, History, Op, Process
from ostrakon.harness.history.columns import numbered, sorted_by

OK, INFO, FAIL = 0, 1, 2
NEVER = 2**62
"""The completion of a transaction of which nothing was heard again: it may take effect at any time."""

Ints = npt.NDArray[np.int64]


class NotTransactions(ValueError):
    """The history does not hold what this checker reads; the message names the op and what was expected."""


@dataclass(frozen=True, slots=True, eq=False)
class Transactions:
    """One row for each transaction, in order of invocation."""

    history: Sequence[Op]
    micro_ops: list[Sequence[Any]]
    """As completed where `ok`, otherwise as invoked: then only the writes mean anything."""
    status: npt.NDArray[np.int8]
    invoked: Ints
    """Position in the history: the only clock that is needed."""
    ended: Ints
    """Position in the history of the completion, whatever it says; -1 if there is none."""
    completed: Ints
    """The same; NEVER unless it is `ok`."""
    process: Ints
    """The processes, numbered in order of appearance."""
    aborted: frozenset[int]
    """The rows that failed."""

    def __len__(self) -> int:
        return len(self.micro_ops)

    def ops(self, row: int) -> tuple[Op, ...]:
        """The invocation and, if there is one, the completion."""
        first, last = self.invocation(row), self.op(row)
        return (first,) if last is first else (first, last)

    def op(self, row: int) -> Op:
        """The op that says most about a transaction: its completion, if there is one."""
        end = int(self.ended[row])
        return self.history[end] if end >= 0 else self.invocation(row)

    def invocation(self, row: int) -> Op:
        """The op by which it began."""
        return self.history[int(self.invoked[row])]


def transactions(history: History) -> Transactions:
    """Pair the clients' ops; a completion without an invocation counts as its own invocation.

    What is asked of each op is asked of all at once: there may be millions.
    """
    ops = tuple(history)
    kinds, processes, values = _fields(ops)
    kind = np.frombuffer(kinds, np.int8)
    names, process = numbered(processes)
    del processes
    clients = np.flatnonzero(process != names.index(NEMESIS)) if NEMESIS in names else np.arange(len(ops))
    invoked, ended = _paired(clients, kind, process, len(names))
    status = np.where(ended >= 0, kind[ended], INFO).astype(np.int8) if len(ops) else kind
    is_ok = status == OK
    told = np.where(is_ok, ended, invoked)
    return Transactions(
        ops,
        list(map(values.__getitem__, told.tolist())),
        status,
        invoked,
        ended,
        completed=np.where(is_ok, ended, NEVER),
        process=process[invoked],
        aborted=frozenset(np.flatnonzero(status == FAIL).tolist()),
    )


def _fields(ops: Sequence[Op]) -> tuple[bytearray, list[Process], list[Any]]:
    """What each op says: kind, process and value. They come in chunks that fit the processor's cache."""
    kinds = bytearray()
    processes: list[Process] = []
    values: list[Any] = []
    for at in range(0, len(ops), _CHUNK):
        chunk = ops[at : at + _CHUNK]
        kinds.extend(map(_KINDS.__getitem__, map(attrgetter("type"), chunk)))
        processes.extend(map(attrgetter("process"), chunk))
        values.extend(map(attrgetter("value"), chunk))
    return kinds, processes, values


_CHUNK = 4096
_INVOKE = 3
_KINDS = {"ok": OK, "info": INFO, "fail": FAIL, "invoke": _INVOKE}


def _paired(clients: Ints, kind: npt.NDArray[np.int8], process: Ints, processes: int) -> tuple[Ints, Ints]:
    """The positions of the invocations and, for each, that of the completion or -1.

    It is the next op of the same process, if that is a completion.
    """
    by_process = clients[sorted_by(process[clients], processes)]
    invokes = kind[by_process] == _INVOKE
    same = process[by_process][1:] == process[by_process][:-1]
    answered = np.flatnonzero(invokes[:-1] & ~invokes[1:] & same)
    end = np.full(len(kind), -1)
    end[by_process[answered]] = by_process[answered + 1]
    begins = np.ones(len(kind), bool)
    begins[by_process[answered + 1]] = False
    invoked = clients[begins[clients]]
    return invoked, np.where(kind[invoked] == _INVOKE, end[invoked], invoked)


def without_unknown_reads(table: Transactions) -> Transactions:
    """Leave out reads of which it is not told what they found, `["r", key]`: nothing follows from them."""
    try:
        if 2 not in set(map(len, chain.from_iterable(table.micro_ops))):
            return table
        known: list[Sequence[Any]] = [
            [op for op in ops if len(op) != 2 or op[0] != "r"] for ops in table.micro_ops
        ]
    except (TypeError, KeyError):
        return table  # What is malformed is explained by whoever reads it.
    return replace(table, micro_ops=known)


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
