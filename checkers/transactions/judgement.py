"""From dependencies to a verdict: which cycles there are, and which models of consistency that rules out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ostrakon.checkers.transactions import consistency as lattice
from ostrakon.checkers.transactions.component import Component, component
from ostrakon.checkers.transactions.cycle import Budget, OutOfBudget, Step, any_cycle, shortest_cycle
from ostrakon.checkers.transactions.dependency import (
    ALL_CYCLES,
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
from ostrakon.checkers.transactions.scc import components, cyclic_parts
from ostrakon.checkers.transactions.story import Reason, from_the_earliest, tell
from ostrakon.checkers.transactions.table import OK, Transactions
from ostrakon.checkers.verdict import Verdict

STEPS = 2_000_000
"""How many edges all searches for cycles together may look at."""


@dataclass(frozen=True, slots=True)
class Inference:
    """What a data type lets one conclude from a history."""

    edges: EdgeList
    findings: Findings
    reason: Reason
    remark: str = ""
    """What had to be supposed."""


def judge(table: Transactions, inferred: Inference, model: str, *, steps: int = STEPS) -> Verdict:
    """Whether the history satisfies the model, and which models it satisfies and violates at all."""
    wrong = lattice.forbidden(model)
    search = _Search(table, inferred, steps)
    search.run()
    findings = inferred.findings
    details = {
        "consistency": lattice.canonical(model),
        "transactions": len(table),
        "committed": int(np.count_nonzero(table.status == OK)),
        "satisfied": list(lattice.strongest_satisfied(findings.counts)),
        "violated": list(lattice.weakest_violated(findings.counts)),
        "found": dict(findings.counts),
        "tolerated": sorted(name for name in findings.counts if name not in wrong),
        "undecided": sorted(search.undecided),
    }
    forbidden = [anomaly for anomaly in findings.anomalies if anomaly.name in wrong]
    if not forbidden and (open_questions := search.undecided & wrong):
        names = ", ".join(sorted(open_questions))
        return Verdict.unknown(f"the search for {names} did not end within {steps} steps", **details)
    passed = f"nothing that {lattice.canonical(model)} forbids was found"
    return Verdict.of(forbidden, f"{passed}, {inferred.remark}" if inferred.remark else passed, **details)


class _Search:
    """For cycles, from those that need no order of time to those that need real time."""

    def __init__(self, table: Transactions, inferred: Inference, steps: int) -> None:
        self._table, self._inferred, self._budget = table, inferred, Budget(steps)
        self.undecided: set[str] = set()
        """The types of which it stayed open whether there are any."""

    def run(self) -> None:
        """Add the cycles to the findings."""
        edges = self._inferred.edges
        add_process_order(edges, self._table)
        add_realtime_order(edges, self._table)
        cyclic = cyclic_parts(edges.done())
        counts = self._inferred.findings.counts
        for suffix in SUFFIXES:
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
        for at, wanted in enumerate(types):
            if lattice.violated([wanted.name]) <= broken:
                continue
            for where in self._flows(part, wanted) if wanted.anti == "none" else (whole,):
                try:
                    cycle = shortest_cycle(where, wanted, self._budget)
                except OutOfBudget:
                    self._give_up(where, types[at:], broken)
                    return
                if cycle is not None:
                    broken |= lattice.violated([self._add(cycle)])

    def _flows(self, part: Edges, wanted: CycleType) -> Iterator[Component]:
        """Without anti-dependencies, what is still strongly connected is sure to have a cycle."""
        for flow in components(_legal(part, wanted.legal)):
            if self._has_several(flow):
                yield component(flow, self._table, wanted.suffix)

    def _give_up(self, where: Component, open_types: list[CycleType], broken: frozenset[str]) -> None:
        """Any cycle at all is soon found, and proof against the models that forbid all of them."""
        if (cycle := any_cycle(where)) is not None:
            broken |= lattice.violated([self._add(cycle)])
        names = (wanted.name for wanted in open_types)
        self.undecided.update(name for name in names if not lattice.violated([name]) <= broken)

    def _has_several(self, edges: Edges) -> bool:
        """Whether there is more than one transaction among the nodes, rather than bundles of edges."""
        return int(np.count_nonzero(np.unique(edges.source) < len(self._table))) > 1

    def _add(self, cycle: tuple[Step, ...]) -> str:
        name, findings = type_of([step.kind for step in cycle]), self._inferred.findings
        if findings.wants(name):
            cycle = from_the_earliest(cycle)
            why, details = tell(name, cycle, self._table, self._inferred.reason)
            findings.tell(name, [step.earlier for step in cycle], why, details)
        else:
            findings.counts[name] += 1
        return name


def _legal(edges: Edges, bits: int) -> Edges:
    return edges.where((edges.kind & ~bits) == 0)
