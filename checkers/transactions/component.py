"""One strongly connected component, made searchable: dependencies as a graph, process and real time as lines.

Process order and real time are transitive, so they need no edges here: from a transaction, everything
behind some point of a timeline is one step away.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ostrakon.checkers.transactions.closure import topological
from ostrakon.checkers.transactions.dependency import ANTI, PROCESS, REALTIME, Suffix
from ostrakon.checkers.transactions.edges import Edges
from ostrakon.checkers.transactions.table import Transactions


@dataclass(frozen=True, slots=True)
class RealTimeOrder:
    """Transactions in an order, and for each of them the position from which on all come after it."""

    kind: int
    rows: list[int]
    after: dict[int, int]


@dataclass(frozen=True, slots=True)
class Component:
    """What a search for cycles needs to know of a strongly connected component."""

    transactions: int
    """Nodes from this number on bundle edges."""
    neighbours: dict[int, list[tuple[int, int]]]
    """The dependencies of each node: who comes after it, and why."""
    timelines: list[RealTimeOrder]
    lines_of: dict[int, list[int]]
    """The timelines that each transaction is on."""
    position: dict[int, int]
    """Where each node stands in an order that all but anti-dependencies follow; empty if there is none."""

    def goes_back(self, earlier: int, later: int) -> bool:
        """Whether an anti-dependency runs against that order; every cycle has one that does."""
        return not self.position or self.position[later] < self.position[earlier]


def component(edges: Edges, table: Transactions, suffix: Suffix) -> Component:
    """Make a component searchable, with the orders that the suffix speaks of."""
    neighbours: dict[int, list[tuple[int, int]]] = defaultdict(list)
    told = edges.where((edges.kind != PROCESS) & (edges.kind != REALTIME))
    for source, target, kind in zip(
        told.source.tolist(), told.target.tolist(), told.kind.tolist(), strict=True
    ):
        neighbours[source].append((target, kind))
    nodes = np.unique(np.concatenate((edges.source, edges.target)))
    rows = nodes[nodes < len(table)].tolist()
    timelines: list[RealTimeOrder] = []
    if suffix:
        timelines.extend(_process_timelines(rows, table))
    if suffix == "-realtime":
        timelines.append(_timeline(REALTIME, rows, table))
    lines_of: dict[int, list[int]] = {row: [] for row in rows}
    for number, line in enumerate(timelines):
        for row in line.rows:
            lines_of[row].append(number)
    return Component(len(table), dict(neighbours), timelines, lines_of, _positions(edges, len(table)))


def _process_timelines(rows: list[int], table: Transactions) -> Iterator[RealTimeOrder]:
    by_process: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_process[int(table.process[row])].append(row)
    return (_timeline(PROCESS, mine, table) for mine in by_process.values())


def _timeline(kind: int, rows: list[int], table: Transactions) -> RealTimeOrder:
    invoked = [int(table.invoked[row]) for row in rows]
    return RealTimeOrder(kind, rows, {row: bisect_right(invoked, int(table.completed[row])) for row in rows})


def _positions(edges: Edges, transactions: int) -> dict[int, int]:
    """A topological order of all but the anti-dependencies, as close to that of invocation as may be."""
    forward = edges.where((edges.kind & ANTI) == 0)
    nodes = np.unique(np.concatenate((edges.source, edges.target)))
    ends = [np.searchsorted(nodes, side).tolist() for side in (forward.source, forward.target)]
    rank = np.where(nodes < transactions, np.arange(len(nodes)), -1).tolist()
    order = topological(len(nodes), zip(*ends, strict=True), rank)
    if order is None:
        return {}
    position = {node: at for at, node in enumerate(nodes[order].tolist())}
    behind: dict[int, list[int]] = defaultdict(list)
    for source, target in zip(forward.source.tolist(), forward.target.tolist(), strict=True):
        if source >= transactions:
            behind[source].append(target)
    for bundle in sorted(behind, key=position.__getitem__, reverse=True):
        # What leads into a bundle leads to the first of those behind it.
        position[bundle] = min(map(position.__getitem__, behind[bundle]))
    return position
