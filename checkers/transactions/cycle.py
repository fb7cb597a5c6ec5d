"""The shortest cycle of a given type in one strongly connected component.

Breadth first, over pairs of a node and what the path has seen so far. Process order and real time are
transitive, so they need no edges here: from a transaction, everything behind some point of a timeline
is one step away. Each timeline remembers from where on all of it was reached, so a search stays linear.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from checkers.transactions.dependency import (
    ANTI,
    ANY_CYCLE,
    BY_PROCESS,
    BY_REALTIME,
    PROCESS,
    REALTIME,
    RW,
    RW_PREDICATE,
    VIA,
    WR,
    WW,
    CycleType,
    Suffix,
)
from checkers.transactions.edges import Edges
from checkers.transactions.table import Transactions

if TYPE_CHECKING:
    import networkx as nx


class Step(NamedTuple):
    """One edge of a cycle, between transactions."""

    earlier: int
    later: int
    kind: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Transactions in an order, and for each of them the position from which on all come after it."""

    kind: int
    rows: list[int]
    after: dict[int, int]


@dataclass(frozen=True, slots=True)
class Component:
    """A strongly connected component: dependencies as a multigraph keyed by kind, orders as timelines."""

    graph: nx.MultiDiGraph[int]
    transactions: int
    """Nodes from this number on bundle edges."""
    timelines: tuple[Timeline, ...]


class OutOfBudget(Exception):
    """The search looked at as many edges as it was allowed to."""


@dataclass(slots=True)
class Budget:
    """How many edges may still be looked at, over all searches; a count, so that verdicts repeat."""

    steps: int

    def spend(self, steps: int) -> None:
        """Raises: OutOfBudget."""
        self.steps -= steps
        if self.steps < 0:
            raise OutOfBudget


def component(edges: Edges, table: Transactions, suffix: Suffix) -> Component:
    """Make one component searchable, with the orders that the suffix speaks of."""
    import networkx as nx

    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    for source, target, kind in zip(
        edges.source.tolist(), edges.target.tolist(), edges.kind.tolist(), strict=True
    ):
        if kind not in (PROCESS, REALTIME):
            graph.add_edge(source, target, kind)
    both = (edges.source.tolist(), edges.target.tolist())
    rows = sorted({node for nodes in both for node in nodes if node < len(table)})
    graph.add_nodes_from(rows)
    timelines: list[Timeline] = []
    if suffix:
        timelines.extend(_process_timelines(rows, table))
    if suffix == "-realtime":
        timelines.append(_timeline(REALTIME, rows, table))
    return Component(graph, len(table), tuple(timelines))


def _process_timelines(rows: list[int], table: Transactions) -> Iterator[Timeline]:
    by_process: dict[int, list[int]] = {}
    for row in rows:
        by_process.setdefault(int(table.process[row]), []).append(row)
    return (_timeline(PROCESS, mine, table) for mine in by_process.values())


def _timeline(kind: int, rows: list[int], table: Transactions) -> Timeline:
    invoked = [int(table.invoked[row]) for row in rows]
    return Timeline(kind, rows, {row: bisect_right(invoked, int(table.completed[row])) for row in rows})


def shortest_cycle(where: Component, wanted: CycleType, budget: Budget) -> tuple[Step, ...] | None:
    """The shortest cycle of this type through this component, or None if it has none.

    Raises: OutOfBudget, unless some cycle had been found by then.
    """
    best: tuple[Step, ...] | None = None
    try:
        for start in where.graph.edges(keys=True):
            if start[2] & wanted.first and start[2] in _machine(wanted)[0]:
                limit = len(best) if best else _limit(where)
                best = _closed(where, wanted, Step(*start), limit, budget) or best
                if best and len(best) == 2:
                    break
    except OutOfBudget:
        if best is None:
            raise
    return best


def any_cycle(where: Component) -> tuple[Step, ...] | None:
    """Some cycle that is the shortest through one of its edges; found in time linear in the component."""
    for start in where.graph.edges(keys=True):
        if start[2] != VIA:
            cycle = _closed(where, ANY_CYCLE, Step(*start), _limit(where), Budget(sys.maxsize))
            if cycle is not None:
                return cycle
    return None


def _limit(where: Component) -> int:
    """More than any cycle has transactions."""
    return len(where.graph) + 1


_Place = tuple[int, int]


def _closed(
    where: Component, wanted: CycleType, start: Step, limit: int, budget: Budget
) -> tuple[Step, ...] | None:
    """The shortest cycle that begins with `start`, if it has fewer than `limit` transactions."""
    machine = _machine(wanted)
    origin: _Place = (start.later, machine[0][start.kind])
    distance: dict[_Place, int] = {origin: 1}
    came: dict[_Place, tuple[_Place, int]] = {}
    reached: dict[tuple[int, int], int] = {}
    queue = deque([origin])
    while queue:
        place = queue.popleft()
        node, state = place
        length = distance[place]
        if length >= limit:
            return None
        if node == start.earlier:
            if _accepts(wanted, state):
                return _as_cycle(where, start, place, came)
            continue
        nexts = _successors(where, node, machine[state], reached)
        budget.spend(1 + len(nexts))
        for target, kind in nexts:
            if kind == VIA and target == start.earlier and place == origin:
                continue  # Straight back out of a bundle: a transaction does not depend on itself.
            there = (target, machine[state][kind])
            cost = length + (kind != VIA)
            if cost < distance.get(there, limit + 1):
                distance[there], came[there] = cost, (place, kind)
                if kind == VIA:
                    queue.appendleft(there)
                else:
                    queue.append(there)
    return None


def _successors(
    where: Component, node: int, legal: dict[int, int], reached: dict[tuple[int, int], int]
) -> list[tuple[int, int]]:
    neighbours: Mapping[int, Iterable[Any]] = where.graph.adj[node]
    nexts = [(target, kind) for target, kinds in neighbours.items() for kind in kinds if kind in legal]
    for number, line in enumerate(where.timelines):
        if line.kind in legal and (after := line.after.get(node)) is not None:
            key = (number, legal[line.kind])
            until = reached.get(key, len(line.rows))
            nexts.extend((row, line.kind) for row in line.rows[after:until])
            reached[key] = min(after, until)
    return nexts


def _as_cycle(
    where: Component, start: Step, end: _Place, came: dict[_Place, tuple[_Place, int]]
) -> tuple[Step, ...] | None:
    """The steps from `start` round to its beginning, without bundles; None if it passes somewhere twice."""
    path: list[Step] = []
    while end in came:
        before, kind = came[end]
        path.append(Step(before[0], end[0], kind))
        end = before
    steps: list[Step] = []
    for step in (start, *reversed(path)):
        if steps and steps[-1].later >= where.transactions:
            steps[-1] = steps[-1]._replace(later=step.later)
        else:
            steps.append(step)
    # A walk that passes a transaction twice is two cycles, each of them graver and found as such.
    return tuple(steps) if len({step.earlier for step in steps}) == len(steps) else None


_NEEDED_SEEN, _ANTI_SEEN, _SEVERAL, _ANTI_LAST = 1, 2, 4, 8
_DEPENDENCIES = (WW, WR, RW, RW_PREDICATE)
_LEVELS = (0, BY_PROCESS, BY_REALTIME)
_KINDS = (VIA, PROCESS, REALTIME, *(kind | level for kind in _DEPENDENCIES for level in _LEVELS))


@cache
def _machine(wanted: CycleType) -> dict[int, dict[int, int]]:
    """For each state of a path and each kind of edge that it may take next, the state it is in then."""
    return {
        state: {kind: after for kind in _KINDS if (after := _next_state(wanted, state, kind)) is not None}
        for state in range(16)
    }


def _next_state(wanted: CycleType, state: int, kind: int) -> int | None:
    if kind & ~wanted.legal:
        return None
    if kind & wanted.needed:
        state |= _NEEDED_SEEN
    if kind == VIA:
        return state
    if not kind & ANTI:
        return state & ~_ANTI_LAST
    if state & _ANTI_SEEN and wanted.anti == "one":
        return None
    if state & _ANTI_LAST and wanted.anti == "apart":
        return None
    return state | _ANTI_LAST | (_SEVERAL if state & _ANTI_SEEN else _ANTI_SEEN)


def _accepts(wanted: CycleType, state: int) -> bool:
    if wanted.needed and not state & _NEEDED_SEEN:
        return False
    match wanted.anti:
        case "apart":
            return bool(state & _SEVERAL) and not state & _ANTI_LAST
        case "several":
            return bool(state & _SEVERAL)
        case _:
            return True
