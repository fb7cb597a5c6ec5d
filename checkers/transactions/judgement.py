"""From dependencies to a verdict: which cycles there are, and which models of consistency that rules out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from checkers.transactions import consistency as lattice
from checkers.transactions.component import Component, component
from checkers.transactions.components import components, cyclic_parts
from checkers.transactions.cycle import Budget, OutOfBudget, Step, any_cycle, shortest_cycle
from checkers.transactions.dependency import (
    ALL_CYCLES,
    CYCLE_TYPES,
    DEPENDENCY,
    SUFFIXES,
    Suffix,
    added_by,
    type_of,
)
from checkers.transactions.edges import EdgeList, Edges, add_process_order, add_realtime_order
from checkers.transactions.findings import Findings
from checkers.transactions.story import Reason, from_the_earliest, tell
from checkers.transactions.table import OK, Transactions
from checkers.verdict import Verdict

STEPS = 5_000_000
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
    undecided = _find_cycles(table, inferred, Budget(steps))
    findings = inferred.findings
    details = {
        "consistency": lattice.canonical(model),
        "transactions": len(table),
        "committed": int(np.count_nonzero(table.status == OK)),
        "satisfied": list(lattice.strongest_satisfied(findings.counts)),
        "violated": list(lattice.weakest_violated(findings.counts)),
        "found": dict(findings.counts),
        "tolerated": sorted(name for name in findings.counts if name not in wrong),
        "undecided": sorted(undecided),
    }
    forbidden = [anomaly for anomaly in findings.anomalies if anomaly.name in wrong]
    if not forbidden and (open_questions := undecided & wrong):
        names = ", ".join(sorted(open_questions))
        return Verdict.unknown(f"the search for {names} did not end within {steps} steps", **details)
    passed = f"nothing that {lattice.canonical(model)} forbids was found"
    return Verdict.of(forbidden, f"{passed}, {inferred.remark}" if inferred.remark else passed, **details)


def _find_cycles(table: Transactions, inferred: Inference, budget: Budget) -> set[str]:
    """Add the cycles to the findings; returned are the types of which it stayed open if there are any."""
    add_process_order(inferred.edges, table)
    add_realtime_order(inferred.edges, table)
    cyclic = cyclic_parts(inferred.edges.done())
    undecided: set[str] = set()
    for suffix in SUFFIXES:
        # Within a component a graver cycle makes the others no news; so does one that needs less of an order.
        known = lattice.violated(name for name in inferred.findings.counts if name in ALL_CYCLES)
        for part in components(_of_suffix(cyclic, suffix)):
            if len(_members(part, table)) > 1:
                where = component(part, table, suffix)
                undecided |= _search(where, suffix, known, table, inferred, budget)
    return undecided


def _of_suffix(edges: Edges, suffix: Suffix) -> Edges:
    legal = DEPENDENCY | added_by(suffix)
    return edges.where((edges.kind & ~legal) == 0)


def _members(edges: Edges, table: Transactions) -> set[int]:
    return {node for node in edges.source.tolist() if node < len(table)}


def _search(
    where: Component,
    suffix: Suffix,
    broken: frozenset[str],
    table: Transactions,
    inferred: Inference,
    budget: Budget,
) -> set[str]:
    undecided: set[str] = set()
    for wanted in CYCLE_TYPES[suffix]:
        if lattice.violated([wanted.name]) <= broken:
            continue
        try:
            cycle = shortest_cycle(where, wanted, budget)
        except OutOfBudget:
            undecided.add(wanted.name)
            cycle = any_cycle(where) if len(undecided) == 1 else None
        if cycle is not None:
            name = type_of([step.kind for step in cycle])
            broken |= lattice.violated([name])
            _add(name, from_the_earliest(cycle), table, inferred)
    return {name for name in undecided if not lattice.violated([name]) <= broken}


def _add(name: str, cycle: tuple[Step, ...], table: Transactions, inferred: Inference) -> None:
    findings = inferred.findings
    if findings.wants(name):
        why, details = tell(name, cycle, table, inferred.reason)
        findings.tell(name, [step.earlier for step in cycle], why, details)
    else:
        findings.counts[name] += 1
