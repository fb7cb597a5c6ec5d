"""One strongly connected component, made searchable: dependencies as a graph, process and real time as lines.

Process order and real time are transitive, so they need no edges here: from a transaction, everything
behind some point of a timeline is one step away.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from checkers.transactions.dependency import ANTI, PROCESS, REALTIME, Suffix
from checkers.transactions.edges import Edges
from checkers.transactions.table import Transactions


@dataclass(frozen=True, slots=True)
class Timeline:
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
    timelines: list[Timeline]
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
    columns = (edges.source.tolist(), edges.target.tolist(), edges.kind.tolist())
    for source, target, kind in zip(*columns, strict=True):
        if kind not in (PROCESS, REALTIME):
            neighbours[source].append((target, kind))
    rows = sorted({node for nodes in columns[:2] for node in nodes if node < len(table)})
    timelines: list[Timeline] = []
    if suffix:
        timelines.extend(_process_timelines(rows, table))
    if suffix == "-realtime":
        timelines.append(_timeline(REALTIME, rows, table))
    lines_of: dict[int, list[int]] = {row: [] for row in rows}
    for number, line in enumerate(timelines):
        for row in line.rows:
            lines_of[row].append(number)
    return Component(len(table), dict(neighbours), timelines, lines_of, _positions(edges, len(table)))


def _process_timelines(rows: list[int], table: Transactions) -> Iterator[Timeline]:
    by_process: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_process[int(table.process[row])].append(row)
    return (_timeline(PROCESS, mine, table) for mine in by_process.values())


def _timeline(kind: int, rows: list[int], table: Transactions) -> Timeline:
    invoked = [int(table.invoked[row]) for row in rows]
    return Timeline(kind, rows, {row: bisect_right(invoked, int(table.completed[row])) for row in rows})


def _positions(edges: Edges, transactions: int) -> dict[int, int]:
    """A topological order of all but the anti-dependencies, as close to that of invocation as may be."""
    import networkx as nx

    forward = edges.where((edges.kind & ANTI) == 0)
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(edges.source.tolist())
    graph.add_edges_from(zip(forward.source.tolist(), forward.target.tolist(), strict=True))

    def by_invocation(node: int) -> int:
        return node if node < transactions else -1

    try:
        order = list(nx.lexicographical_topological_sort(graph, by_invocation))
    except nx.NetworkXUnfeasible:
        return {}
    position = {node: at for at, node in enumerate(order)}
    for node in reversed(order):
        if node >= transactions and graph.adj[node]:
            # What leads into a bundle leads to the first of those behind it.
            position[node] = min(position[behind] for behind in graph.adj[node])
    return position
