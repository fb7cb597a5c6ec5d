"""The intermediate form that all levels are decided on: transactions, what they read, and what they wrote.

Lists and registers look alike here. A transaction is a member, numbered in order of invocation. A member
installs at most one version of each key; a version is named by its writer, and the version that a key has at
first by INITIAL. Of a list the order of some versions is known from the reads; of a register no order is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from ostrakon.checkers.transactions.table import NEVER, OK, Ints, Transactions

INITIAL: Final = -1
"""The writer of the version that a key has before anyone writes it."""

Order = Literal["none", "session", "realtime"]
"""Which pairs of transactions a level keeps in the order in which they ran."""


class Read(NamedTuple):
    """A member read a version that it did not write itself."""

    reader: int
    key: int
    source: int
    """The member that wrote the version; INITIAL if nobody did."""
    predicate: bool = False
    """Whether the read was one of all registers at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Execution:
    """The committed transactions of a history, and those of unknown outcome that one of them read from."""

    rows: list[int]
    """The row of each member in the table of transactions; -1 for a writer outside the history."""
    names: list[Any]
    """What each key is called."""
    writers: list[list[int]]
    """The members that installed a version of each key."""
    chains: list[list[int]]
    """The members whose versions are known to be the first of each key, in this order."""
    reads: list[Read]
    """Grouped by reader, and in the order in which the reader made them."""
    process: Ints
    invoked: Ints
    completed: Ints
    """The position of the completion; NEVER if the transaction may take effect at any time."""
    outside: Mapping[int, tuple[Any, Any]] = field(default_factory=dict)
    """By row, the key and the value that a writer outside the history wrote."""

    def __len__(self) -> int:
        return len(self.rows)

    def restrict(self, members: Collection[int]) -> tuple[Execution, list[int]]:
        """Without the other members and without the reads from them; and the old number of each new one.

        What satisfies a level satisfies it without some transactions too: an order of all is an order of
        some, and a read whose writer is left does not find another version in between.
        """
        kept = sorted(members)
        number = {old: new for new, old in enumerate(kept)}
        number[INITIAL] = INITIAL
        at = np.array(kept, np.int64)
        reads = [
            Read(number[read.reader], read.key, number[read.source], read.predicate)
            for read in self.reads
            if read.reader in number and read.source in number
        ]
        smaller = Execution(
            [self.rows[old] for old in kept],
            self.names,
            [[number[old] for old in writers if old in number] for writers in self.writers],
            [[number[old] for old in chain if old in number] for chain in self.chains],
            reads,
            self.process[at],
            self.invoked[at],
            self.completed[at],
            self.outside,
        )
        return smaller, kept


def assemble(
    table: Transactions,
    rows: Sequence[int],
    names: list[Any],
    writers: list[list[int]],
    chains: list[list[int]],
    reads: list[Read],
    *,
    outside: Mapping[int, tuple[Any, Any]] | None = None,
) -> Execution:
    """An execution of these rows; a row below 0 stands for a writer outside the history.

    Writers, chains and reads give rows; they become members here.
    """
    ordered = sorted(rows, key=lambda row: (row >= 0, abs(row)))
    number = {row: member for member, row in enumerate(ordered)}
    number[NOBODY] = INITIAL
    inside = np.array([row for row in ordered if row >= 0], np.int64)
    missing = len(ordered) - len(inside)
    ok = table.status[inside] == OK
    strangers = -1 - np.arange(missing)
    return Execution(
        ordered,
        names,
        [[number[row] for row in of_key] for of_key in writers],
        [[number[row] for row in chain] for chain in chains],
        [Read(number[read.reader], read.key, number[read.source], read.predicate) for read in reads],
        np.concatenate([strangers, table.process[inside]]),
        np.concatenate([np.full(missing, -1), table.invoked[inside]]),
        np.concatenate([np.full(missing, NEVER), np.where(ok, table.completed[inside], NEVER)]),
        outside or {},
    )


NOBODY: Final = -(2**31)
"""The row that stands for the writer of what a key holds at first."""


class Pairs(NamedTuple):
    """Members that ran one after the other, as edges; nodes from the number of members on bundle edges."""

    nodes: int
    earlier: Ints
    later: Ints


def ran_before(execution: Execution, order: Order) -> Pairs:
    """Edges whose paths connect each member to all that the order puts after it.

    Real time would need n * n edges; a chain of barriers makes do with 3 n. A member leads to the barrier of
    its completion, a barrier to the next one and to what was invoked before that."""
    match order:
        case "none":
            return Pairs(len(execution), _NONE, _NONE)
        case "session":
            return _sessions(execution)
        case "realtime":
            return _realtime(execution)


_NONE = np.zeros(0, np.int64)


def _sessions(execution: Execution) -> Pairs:
    members = np.lexsort((execution.invoked, execution.process))
    earlier, later = members[:-1], members[1:]
    same = (execution.process[earlier] == execution.process[later]) & (execution.completed[earlier] != NEVER)
    return Pairs(len(execution), earlier[same], later[same])


def _realtime(execution: Execution) -> Pairs:
    done = np.flatnonzero(execution.completed != NEVER)
    rank = np.searchsorted(execution.invoked, execution.completed[done], side="right")
    groups, group_of = np.unique(rank, return_inverse=True)
    barriers = len(execution) + np.arange(len(groups))
    members = np.arange(len(execution))
    reached = np.searchsorted(groups, members, side="right") - 1
    late = members[reached >= 0]
    return Pairs(
        len(execution) + len(groups),
        np.concatenate([done, barriers[:-1], barriers[reached[late]]]),
        np.concatenate([barriers[group_of], barriers[1:], late]),
    )
