"""Edges in flat arrays: the form in which those of a million transactions fit and are quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ostrakon.checkers.transactions.dependency import PROCESS, REALTIME, VIA
from ostrakon.checkers.transactions.table import FAIL, NEVER, OK, Ints, Transactions

Nodes = npt.NDArray[np.int32]
Kinds = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Edges:
    """A directed graph over `nodes` nodes. The first of them are transactions, the others bundle edges."""

    nodes: int
    source: Nodes
    target: Nodes
    kind: Kinds

    def __len__(self) -> int:
        return len(self.source)

    def where(self, kept: npt.NDArray[np.bool_]) -> Edges:
        """Only the edges that `kept` says."""
        return Edges(self.nodes, self.source[kept], self.target[kept], self.kind[kept])


class EdgeList:
    """Gathers edges; `bundle` makes a node that stands between many sources and many targets."""

    def __init__(self, transactions: int) -> None:
        self._nodes = transactions
        self._single: tuple[list[int], list[int], list[int]] = ([], [], [])
        self._bulk: list[tuple[Nodes, Nodes, Kinds]] = []

    def bundle(self) -> int:
        """A new node."""
        self._nodes += 1
        return self._nodes - 1

    def bundles(self, count: int) -> Ints:
        """So many new nodes."""
        self._nodes += count
        return np.arange(self._nodes - count, self._nodes)

    def add(self, source: int, target: int, kind: int) -> None:
        """One edge; from a node to itself there is none."""
        if source != target:
            sources, targets, kinds = self._single
            sources.append(source)
            targets.append(target)
            kinds.append(kind)

    def extend(self, source: Ints, target: Ints, kind: int) -> None:
        """Many edges of one kind; those from a node to itself are left out."""
        proper = source != target
        source, target = source[proper], target[proper]
        kinds = np.full(len(source), kind, np.int16)
        self._bulk.append((source.astype(np.int32), target.astype(np.int32), kinds))

    def connect(self, sources: Sequence[int], targets: Sequence[int], kind: int) -> None:
        """An edge from each source to each target, through a bundle where that is cheaper."""
        if len(sources) > 1 and len(targets) > 1:
            bundle = self.bundle()
            for source in sources:
                self.add(source, bundle, kind)
            sources, kind = [bundle], VIA
        for source in sources:
            for target in targets:
                self.add(source, target, kind)

    def ends(self) -> tuple[Ints, Ints]:
        """The sources and the targets so far."""
        sources, targets, _ = self._single
        every = [*self._bulk, (np.array(sources, np.int32), np.array(targets, np.int32), None)]
        source, target = (np.concatenate([each[end] for each in every]) for end in (0, 1))
        return source.astype(np.int64), target.astype(np.int64)

    def done(self) -> Edges:
        """All of them; they are not kept here any longer."""
        sources, targets, kinds = self._single
        single = (np.array(sources, np.int32), np.array(targets, np.int32), np.array(kinds, np.int16))
        bulk = [*self._bulk, single]
        self._bulk, self._single = [], ([], [], [])
        return Edges(
            self._nodes,
            np.concatenate([source for source, _, _ in bulk]),
            np.concatenate([target for _, target, _ in bulk]),
            np.concatenate([kind for _, _, kind in bulk]),
        )


def add_process_order(edges: EdgeList, table: Transactions) -> None:
    """From each completed transaction to the next one of its process, and to unfinished ones before that."""
    rows = np.flatnonzero(table.status != FAIL)
    rows = rows[np.lexsort((table.invoked[rows], table.process[rows]))]
    if not len(rows):
        return
    at = np.arange(len(rows))
    latest = np.maximum.accumulate(np.where(table.status[rows] == OK, at, -1))
    before = np.concatenate([[-1], latest[:-1]])
    known = before >= 0
    earlier, later = rows[before[known]], rows[known]
    same = table.process[earlier] == table.process[later]
    edges.extend(earlier[same], later[same], PROCESS)


def add_realtime_order(edges: EdgeList, table: Transactions) -> None:
    """From each completed transaction to all that were invoked after it.

    There would be n * n edges. A chain of barriers makes do with 3 n at most: a transaction points to
    the barrier of its completion, a barrier to the next one and to what was invoked before that.
    """
    completed = np.flatnonzero(table.completed != NEVER)
    rank = np.searchsorted(table.invoked, table.completed[completed], side="right")
    groups, group_of = np.unique(rank, return_inverse=True)
    barriers = edges.bundles(len(groups))
    edges.extend(completed, barriers[group_of], REALTIME)
    edges.extend(barriers[:-1], barriers[1:], REALTIME)
    rows = np.flatnonzero(table.status != FAIL)
    reached = np.searchsorted(groups, rows, side="right") - 1
    later = rows[reached >= 0]
    edges.extend(barriers[reached[reached >= 0]], later, REALTIME)
