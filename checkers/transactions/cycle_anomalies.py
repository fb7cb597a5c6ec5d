"""Cycles of dependencies that follow from a history, found and told from the gravest to the lightest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ostrakon.checkers.transactions import consistency as lattice
from ostrakon.checkers.transactions.component import Component, component
from ostrakon.checkers.transactions.cycle import EdgeBudget, OutOfBudget, Step, any_cycle, shortest_cycle
from ostrakon.checkers.transactions.dependency import (
    ALL_CYCLES,
    ANTI,
    BY_TIME,
    CYCLE_TYPES,
    DEPENDENCY,
    RW_PREDICATE,
    SUFFIXES,
    WR,
    WW,
    CycleType,
    added_by,
    type_of,
)
from ostrakon.checkers.transactions.edges import EdgeList, Edges, add_process_order, add_realtime_order
from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.scc import components, components_apart, cyclic_parts
from ostrakon.checkers.transactions.story import Reason, from_the_earliest, tell
from ostrakon.checkers.transactions.table import Transactions

STEPS = 300_000
"""How many edges all searches for cycles together may look at."""


def find_cycles(
    table: Transactions, edges: EdgeList, findings: Findings, reason: Reason, *, steps: int = STEPS
) -> None:
    """Add the cycles of these dependencies, with the order of processes and real time, to the findings."""
    _Search(table, edges, findings, reason, steps).run()


_FEW = 200
"""Among so few edges a search is as quick as finding out where it could succeed."""


class _Search:
    """For cycles, from those that need no order of time to those that need real time."""

    def __init__(
        self, table: Transactions, edges: EdgeList, findings: Findings, reason: Reason, steps: int
    ) -> None:
        self._table, self._edges, self._findings, self._reason = table, edges, findings, reason
        self._budget = EdgeBudget(steps)

    def run(self) -> None:
        """Add the cycles to the findings."""
        edges = self._edges
        add_process_order(edges, self._table)
        add_realtime_order(edges, self._table)
        cyclic = cyclic_parts(edges.done())
        flows = cyclic_parts(_legal(cyclic, _FLOWS))
        for suffix in SUFFIXES:
            broken = lattice.violated(name for name in self._findings.counts if name in ALL_CYCLES)
            types = [wanted for wanted in CYCLE_TYPES[suffix] if _is_possible(wanted, cyclic, flows)]
            if all(lattice.violated([wanted.name]) <= broken for wanted in types):
                continue
            for part in components(_legal(cyclic, DEPENDENCY | added_by(suffix))):
                self._search(part, types, broken)

    def _search(self, part: Edges, types: Iterable[CycleType], broken: frozenset[str]) -> None:
        """One strongly connected component. Where a grave cycle has ruled models out, others are no news."""
        if not self._has_several(part):
            return
        predicates = bool(np.any(part.kind & RW_PREDICATE))
        for wanted in types:
            if wanted.predicate > predicates or lattice.violated([wanted.name]) <= broken:
                continue
            for where in self._where(part, wanted):
                try:
                    cycle = shortest_cycle(where, wanted, self._budget)
                except OutOfBudget:
                    self._give_up(where)
                    return
                if cycle is not None:
                    broken |= lattice.violated([self._add(cycle)])

    def _where(self, part: Edges, wanted: CycleType) -> Iterator[Component]:
        """What to search for a type of cycle: no more than where there can be one."""
        parts: Iterator[Edges]
        match wanted.anti:
            case "none":
                # Without anti-dependencies, what is still strongly connected is sure to have a cycle.
                parts = filter(self._has_several, components(_legal(part, wanted.legal)))
            case "one" | "apart" if len(part) > _FEW:
                parts = components_apart(part)
            case _:
                parts = iter((part,))
        return (component(each, self._table, wanted.suffix) for each in parts)

    def _give_up(self, where: Component) -> None:
        """Any cycle at all is soon found, and proof against the models that forbid all of them."""
        cycle = any_cycle(where)
        # Without an anti-dependency, versions that only time has put in order make no cycle of any type.
        if cycle is None:
            return
        if any(step.kind & ANTI for step in cycle) or not any(step.kind & BY_TIME for step in cycle):
            self._add(cycle)

    def _has_several(self, edges: Edges) -> bool:
        """Whether there is more than one transaction among the nodes, rather than bundles of edges."""
        return int(np.count_nonzero(np.unique(edges.source) < len(self._table))) > 1

    def _add(self, cycle: tuple[Step, ...]) -> str:
        name, findings = type_of([step.kind for step in cycle]), self._findings
        if findings.wants(name):
            cycle = from_the_earliest(cycle)
            why, details = tell(name, cycle, self._table, self._reason)
            findings.tell(name, [step.earlier for step in cycle], why, details)
        else:
            findings.counts[name] += 1
        return name


_FLOWS = CycleType("G1c", "-realtime", WR, WW | WR, "none").legal
"""All kinds of edges of which cycles without anti-dependencies consist."""


def _is_possible(wanted: CycleType, cyclic: Edges, flows: Edges) -> bool:
    """Whether there may be a cycle of this type, judged by the kinds of edges that are part of cycles."""
    if wanted.anti == "none":
        return bool(len(cyclic_parts(_legal(flows, wanted.legal))))
    return bool(np.any(cyclic.kind & wanted.first))


def _legal(edges: Edges, bits: int) -> Edges:
    return edges.where((edges.kind & ~bits) == 0)
