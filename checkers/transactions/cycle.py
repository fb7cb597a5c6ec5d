"""The shortest cycle of a given type in a strongly connected component.

Breadth first, over pairs of a node and what the path has seen so far. Of each timeline it is remembered
from where on all of it was reached, so that a search stays linear however many come after each other.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from ostrakon.checkers.transactions.component import Component
from ostrakon.checkers.transactions.dependency import (
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
)


class Step(NamedTuple):
    """One edge of a cycle, between transactions."""

    earlier: int
    later: int
    kind: int


class OutOfBudget(Exception):
    """The search looked at as many edges as it was allowed to."""


@dataclass(slots=True)
class EdgeBudget:
    """How many edges may still be looked at, over all searches; a count, so that verdicts repeat."""

    steps: int

    def spend(self, steps: int) -> None:
        """Raises: OutOfBudget."""
        self.steps -= steps
        if self.steps < 0:
            raise OutOfBudget


def shortest_cycle(where: Component, wanted: CycleType, budget: EdgeBudget) -> tuple[Step, ...] | None:
    """The shortest cycle of this type through this component, or None if it has none.

    Raises: OutOfBudget, unless some cycle had been found by then.
    """
    best: tuple[Step, ...] | None = None
    least = 4 if wanted.anti == "apart" else 2
    try:
        for start in _starts(where, wanted):
            limit = len(best) if best else _limit(where)
            best = _closed(where, wanted, start, limit, budget) or best
            if best and len(best) <= least:
                break
    except OutOfBudget:
        if best is None:
            raise
    return best


def any_cycle(where: Component) -> tuple[Step, ...] | None:
    """Some cycle, the shortest through one of its edges, in time linear in the component."""
    cycles = (
        _closed(where, ANY_CYCLE, start, _limit(where), EdgeBudget(sys.maxsize))
        for start in _starts(where, ANY_CYCLE)
    )
    return next((cycle for cycle in cycles if cycle is not None), None)


def _starts(where: Component, wanted: CycleType) -> Iterator[Step]:
    """Edges of which each cycle of this type has at least one."""
    legal = _machine(wanted)[0]
    for node, neighbours in where.neighbours.items():
        for target, kind in neighbours:
            if kind & wanted.first and kind in legal and (not kind & ANTI or where.goes_back(node, target)):
                yield Step(node, target, kind)


def _limit(where: Component) -> int:
    """More than any cycle has transactions."""
    return len(where.lines_of) + 1


_Place = tuple[int, int]


def _closed(
    where: Component, wanted: CycleType, start: Step, limit: int, budget: EdgeBudget
) -> tuple[Step, ...] | None:
    """The shortest cycle that begins with `start`, if it has fewer than `limit` transactions."""
    machine = _machine(wanted)
    # Without further anti-dependencies, whoever is behind the start's beginning will not come back to it.
    horizon = where.position.get(start.earlier) if wanted.anti == "one" else None
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
        legal = machine[state]
        looked_at = 1
        for target, kind in _successors(where, node, legal, reached, start if horizon is not None else None):
            looked_at += 1
            if kind not in legal or (horizon is not None and where.position[target] > horizon):
                continue
            if kind == VIA and target == start.earlier and length == 1:
                continue  # Straight back out of bundles: a transaction does not depend on itself.
            there = (target, legal[kind])
            cost = length + (kind != VIA)
            if cost < distance.get(there, limit + 1):
                distance[there], came[there] = cost, (place, kind)
                if kind == VIA:
                    queue.appendleft(there)
                else:
                    queue.append(there)
        budget.spend(looked_at)
    return None


def _successors(
    where: Component,
    node: int,
    legal: dict[int, int],
    reached: dict[tuple[int, int], int],
    until: Step | None,
) -> Iterator[tuple[int, int]]:
    yield from where.neighbours.get(node, ())
    for number in where.lines_of.get(node, ()):
        line = where.timelines[number]
        if line.kind in legal:
            key, after = (number, legal[line.kind]), line.after[node]
            end = reached.get(key)
            if end is None:
                end = len(line.rows) if until is None else line.after.get(until.earlier, len(line.rows))
            if after < end:
                reached[key] = after
                for row in line.rows[after:end]:
                    yield row, line.kind


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


_NEEDED_SEEN, _PREDICATE_SEEN, _ANTI_SEEN, _SEVERAL, _ANTI_LAST = 1, 2, 4, 8, 16
_DEPENDENCIES = (WW, WR, RW, RW_PREDICATE)
_LEVELS = (0, BY_PROCESS, BY_REALTIME)
_KINDS = (VIA, PROCESS, REALTIME, *(kind | level for kind in _DEPENDENCIES for level in _LEVELS))


@cache
def _machine(wanted: CycleType) -> dict[int, dict[int, int]]:
    """For each state of a path and each kind of edge that it may take next, the state it is in then."""
    return {
        state: {kind: after for kind in _KINDS if (after := _next_state(wanted, state, kind)) is not None}
        for state in range(32)
    }


def _next_state(wanted: CycleType, state: int, kind: int) -> int | None:
    if kind & ~wanted.legal:
        return None
    if kind & wanted.needed:
        state |= _NEEDED_SEEN
    if kind & RW_PREDICATE:
        state |= _PREDICATE_SEEN
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
    if wanted.predicate and not state & _PREDICATE_SEEN:
        return False
    match wanted.anti:
        case "apart":
            return bool(state & _SEVERAL) and not state & _ANTI_LAST
        case "several":
            return bool(state & _SEVERAL)
        case _:
            return True
