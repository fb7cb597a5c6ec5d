"""Whether a history satisfies a level: an order that shows it, or transactions that exclude every order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostrakon.checkers.transactions.closure import topological
from ostrakon.checkers.transactions.execution import Execution
from ostrakon.checkers.transactions.levels import STATIC, Level
from ostrakon.checkers.transactions.polygraph import Polygraph, certain
from ostrakon.checkers.transactions.saturation import involved, saturate, seen_through
from ostrakon.checkers.transactions.schedule import schedule
from ostrakon.checkers.transactions.snapshot_guess import Event, guessed_events
from ostrakon.checkers.transactions.table import NEVER, Ints
from ostrakon.checkers.transactions.version_order import (
    CONFLICTS,
    GaveUp,
    VersionOrder,
    find_order,
    late_reads,
)


@dataclass(frozen=True, slots=True)
class Proven:
    """The level holds: the members commit, and where the level tells the two apart start, in this order."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Refuted:
    """The level does not hold, and would not if there had been only these members."""

    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Undecided:
    """The budget did not suffice."""

    why: str


SerializabilityDecision = Proven | Refuted | Undecided


def decide(execution: Execution, level: Level, *, conflicts: int = CONFLICTS) -> SerializabilityDecision:
    """Decide a level for the reads and writes of an execution.

    What no order can mend, such as reads of aborted transactions, is not in an execution and not looked at.
    """
    if (events := guessed_events(execution, level)) is not None:
        return Proven(events)
    graph = certain(execution, level)
    if graph.refuted:
        return Refuted(tuple(sorted(seen_through(graph, *graph.refuted[0]))))
    ranks = _ranks(graph)
    saturated = saturate(graph, ranks)
    if saturated.order is None:
        return Refuted(tuple(sorted(involved(saturated))))
    if level.rule in STATIC:
        return Proven(_events(graph, saturated.order))
    match find_order(graph, _best_order(graph, saturated.order, ranks), conflicts=conflicts):
        case VersionOrder(nodes):
            return Proven(_events(graph, nodes))
        case GaveUp(why):
            return Undecided(why)
        case impossible:
            return Refuted(tuple(sorted(impossible.members)))


def _best_order(graph: Polygraph, by_middle: list[int], ranks: list[int]) -> list[int]:
    """Of some orders that follow the certain edges, that in which the fewest reads come too late."""
    ended = np.where(graph.execution.completed == NEVER, graph.execution.invoked, graph.execution.completed)
    by_end = topological(graph.nodes, graph.edges, _of_nodes(graph, ended))
    orders = [by_middle, by_end or by_middle]
    if min(late_reads(graph, order) for order in orders) > len(graph.reads) // _FEW_LATE:
        orders.append(schedule(graph, ranks))
    return min(orders, key=lambda order: late_reads(graph, order))


_FEW_LATE = 50
"""If no more than one read in so many comes too late, the search mends that sooner than a schedule does."""


def _ranks(graph: Polygraph) -> list[int]:
    """What comes first where the edges leave a choice: by the middle of the time it ran; bundles at once."""
    execution = graph.execution
    last = int(execution.invoked.max(initial=0)) + 1
    middle = execution.invoked + np.minimum(execution.completed, execution.invoked + last)
    return _of_nodes(graph, middle)


def _of_nodes(graph: Polygraph, moments: Ints) -> list[int]:
    ranks = [-1] * graph.nodes
    for member, rank in enumerate(moments.tolist()):
        ranks[graph.start(member)] = ranks[graph.commit(member)] = rank
    return ranks


def _events(graph: Polygraph, nodes: list[int]) -> tuple[Event, ...]:
    events: list[Event] = []
    for node in nodes:
        member = graph.member(node)
        if member >= 0:
            events.append(("commit" if node == graph.commit(member) else "start", member))
    return tuple(events)


TRIALS = 400
"""How many smaller executions are tried at most when a refutation is shrunk."""


def smallest(execution: Execution, level: Level, members: tuple[int, ...]) -> tuple[int, ...]:
    """Leave members out as long as the level stays refuted; without any one of those left it would hold.

    Halves are tried before single members, so that a large set shrinks soon.
    """
    left = list(members)
    trials = 0
    size = max(1, len(left) // 2)
    while True:
        at = 0
        shrunk = False
        while at < len(left) and trials < TRIALS:
            candidate = left[:at] + left[at + size :]
            smaller, numbers = execution.restrict(candidate)
            trials += 1
            decision = decide(smaller, level, conflicts=2_000)
            if isinstance(decision, Refuted):
                kept = [numbers[member] for member in decision.members]
                at = sum(member < left[at] for member in kept) if at < len(left) else len(kept)
                left, shrunk = sorted(kept), True
            else:
                at += size
        if size == 1 and not shrunk:
            return tuple(left)
        if trials >= TRIALS:
            return tuple(left)
        size = max(1, min(size, len(left)) // 2) if not shrunk or size > 1 else 1
