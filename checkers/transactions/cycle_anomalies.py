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
    CycleType,
    Suffix,
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
        self._has_flows: dict[int, bool] = {}
        """Whether there is any cycle at all among some kinds of dependencies."""

    def run(self) -> None:
        """Add the cycles to the findings."""
        edges = self._edges
        add_process_order(edges, self._table)
        add_realtime_order(edges, self._table)
        cyclic = cyclic_parts(edges.done())
        counts = self._findings.counts
        for suffix in SUFFIXES:
            self._has_flows = {
                legal: bool(len(cyclic_parts(_legal(cyclic, legal))))
                for legal in {wanted.legal for wanted in CYCLE_TYPES[suffix] if wanted.anti == "none"}
            }
            broken = lattice.violated(name for name in counts if name in ALL_CYCLES)
            for part in components(_legal(cyclic, DEPENDENCY | added_by(suffix))):
                self._search(part, suffix, broken)

    def _search(self, part: Edges, suffix: Suffix, broken: frozenset[str]) -> None:
        """One strongly connected component. Where a grave cycle has ruled models out, others are no news."""
        if not self._has_several(part):
            return
        whole = component(part, self._table, suffix)
        predicates = bool(np.any(part.kind & RW_PREDICATE))
        types = [wanted for wanted in CYCLE_TYPES[suffix] if predicates or not wanted.predicate]
        for wanted in types:
            if lattice.violated([wanted.name]) <= broken:
                continue
            for where in self._where(part, whole, wanted):
                try:
                    cycle = shortest_cycle(where, wanted, self._budget)
                except OutOfBudget:
                    self._give_up(where)
                    return
                if cycle is not None:
                    broken |= lattice.violated([self._add(cycle)])

    def _where(self, part: Edges, whole: Component, wanted: CycleType) -> Iterable[Component]:
        """What to search for a type of cycle: no more than where there can be one."""
        match wanted.anti:
            case "none":
                return self._flows(part, wanted) if self._has_flows[wanted.legal] else ()
            case "one" | "apart":
                apart = (component(edges, self._table, wanted.suffix) for edges in components_apart(part))
                return apart if len(part) > _FEW else (whole,)
            case _:
                return (whole,)

    def _flows(self, part: Edges, wanted: CycleType) -> Iterator[Component]:
        """Without anti-dependencies, what is still strongly connected is sure to have a cycle."""
        for flow in components(_legal(part, wanted.legal)):
            if self._has_several(flow):
                yield component(flow, self._table, wanted.suffix)

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


def _legal(edges: Edges, bits: int) -> Edges:
    return edges.where((edges.kind & ~bits) == 0)
