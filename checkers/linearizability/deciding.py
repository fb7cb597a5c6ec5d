"""Deciding each part of a history by the cheapest method that will do.

In order: the log, if the answers tell their slots; blocks, where values tell who wrote them; and search, in
which all parts that are left take turns with growing budgets, until one is found to be impossible.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol

import numpy as np

from ostrakon.checkers.linearizability.append_zones import decide_appends
from ostrakon.checkers.linearizability.decision import Budget, Decision, Impossible, Linearized
from ostrakon.checkers.linearizability.parts import Parts
from ostrakon.checkers.linearizability.queue_order import decide_queue
from ostrakon.checkers.linearizability.register_search import RegisterSearch
from ostrakon.checkers.linearizability.register_zones import place_registers
from ostrakon.checkers.linearizability.replay import fault_of
from ostrakon.checkers.linearizability.sat import SolverGaveUp, decide_by_sat
from ostrakon.checkers.linearizability.search import Search
from ostrakon.checkers.linearizability.stack_order import decide_stack
from ostrakon.checkers.linearizability.zones import settle
from ostrakon.checkers.models.append_operations import Appends
from ostrakon.checkers.models.model import Model, operations
from ostrakon.checkers.models.register_operations import RegisterColumns
from ostrakon.harness.history.columns import INFO, Columns, Ints

Method = Literal["log", "blocks", "search", "sat"]

_FIRST_TURN: Final = 256
_LONGEST_TURN: Final = 16_384


@dataclass(slots=True)
class Decisions:
    """The decision about each part, and its method; rows are those of the columns of all parts together."""

    by_part: dict[int, Decision] = field(default_factory=dict)
    methods: dict[int, Method] = field(default_factory=dict)
    nodes: int = 0
    conflicts: int = 0
    """The number of conflicts of the SAT solver."""
    clauses: int = 0
    """The number of clauses that the SAT solver got at first."""
    gave_up: str = ""
    """The reasons for which parts stayed undecided."""

    def add(self, part: int, decision: Decision, method: Method) -> None:
        """Record a decision."""
        self.by_part[part], self.methods[part] = decision, method

    @property
    def impossible(self) -> int | None:
        """A part that has no linearization, if there is one."""
        return next((part for part, found in self.by_part.items() if isinstance(found, Impossible)), None)


def decide(parts: Parts, model: Model, budget: Budget) -> Decisions:
    """Decide parts until one is impossible, all are decided, or the budget is spent."""
    decisions = Decisions()
    rows = parts.rows()
    registers = parts.registers
    _ask_the_log(parts, rows, model, decisions)
    if registers is not None:
        _by_blocks_of_registers(registers, parts, decisions)
    elif parts.appends is not None:
        _by_blocks_of_appends(parts.appends, parts, decisions)
    elif model.method in _METHODS:
        _by_method(parts, rows, model, decisions)
    if decisions.impossible is None:
        searches: dict[int, _Searching] = {}
        for part, of_part in enumerate(rows):
            if part not in decisions.by_part:
                searches[part] = (
                    RegisterSearch(registers.take(of_part))
                    if registers is not None
                    else Search(list(operations(parts.columns.take(of_part))), model)
                )
        if model.method is not None and budget.conflicts != 0:
            first = min(budget.nodes or _BEFORE_SAT, _BEFORE_SAT)
            _race(searches, rows, replace(budget, nodes=first), decisions)
            _ask_the_solver(searches, parts, rows, model, budget, decisions)
        _race(searches, rows, budget, decisions)
    return decisions


_BEFORE_SAT: Final = 20_000
"""The number of choices that are tried before a SAT solver is asked. They take a fifth of a second, and
decide most parts."""


def _ask_the_solver(
    searches: dict[int, _Searching],
    parts: Parts,
    rows: list[Ints],
    model: Model,
    budget: Budget,
    decisions: Decisions,
) -> None:
    """Ask a SAT solver about the parts that the searches left open. The searches go on with what it leaves
    open."""
    assert model.method is not None
    if decisions.impossible is not None:
        return
    conflicts = budget.conflicts
    for part in [part for part in searches if part not in decisions.by_part]:
        ops = list(operations(parts.columns.take(rows[part])))
        asked = decide_by_sat(ops, model.method, conflicts=conflicts)
        decision = asked.decision
        decisions.conflicts += asked.conflicts
        decisions.clauses += asked.clauses
        conflicts = None if conflicts is None else max(conflicts - asked.conflicts, 1)
        if isinstance(decision, Linearized) and fault_of([ops[i] for i in decision.order], ops, model):
            continue
        if isinstance(decision, Impossible) and isinstance(search := searches[part], Search):
            decision = replace(decision, until=search.reached)
        if not isinstance(decision, SolverGaveUp):
            del searches[part]
            decisions.add(part, _of_all_rows(decision, rows[part]), "sat")
            if isinstance(decision, Impossible):
                searches.clear()
                return


def _ask_the_log(parts: Parts, rows: list[Ints], model: Model, decisions: Decisions) -> None:
    if (parts.columns.slot < 0).all():
        return
    for part, of_part in enumerate(rows):
        if (found := _in_order_of_slots(parts.columns.take(of_part), model)) is not None:
            decisions.add(part, Linearized(of_part[found.order]), "log")


def _in_order_of_slots(columns: Columns, model: Model) -> Linearized | None:
    """The order of the log, if every answer tells its slot and the order is a linearization.

    Within a slot what only looks comes after what may change something. Nothing can be concluded from an
    order that is none: the log may be fine and the slots wrong.
    """
    known = columns.outcome != INFO
    if not len(columns) or (columns.slot[known] < 0).any() or not known.any():
        return None
    ops = list(operations(columns))
    told = [op for op in ops if columns.slot[op.row] >= 0]
    order = sorted(told, key=lambda op: (columns.slot[op.row], model.pure(op), op.invoked))
    if fault_of(order, ops, model) is not None:
        return None
    return Linearized(np.array([op.row for op in order], np.int64))


def _by_blocks_of_registers(registers: RegisterColumns, parts: Parts, decisions: Decisions) -> None:
    count = len(parts.keys)
    placed = place_registers(registers, parts.part, count)
    for part, found in placed.impossible.items():
        decisions.add(part, found, "blocks")
    if placed.placement is None:
        return
    settled = settle(placed.placement)
    for part, found in settled.impossible.items():
        if part not in placed.impossible:
            decisions.add(part, found, "blocks")
    decided = ~(placed.ambiguous | placed.partial)
    part_of = parts.part[settled.order]
    by_part = np.argsort(part_of, kind="stable") if count > 1 else np.arange(len(part_of))
    orders = np.split(settled.order[by_part], np.cumsum(np.bincount(part_of, minlength=count))[:-1])
    for part in np.flatnonzero(decided).tolist():
        if part not in decisions.by_part:
            decisions.add(part, Linearized(orders[part]), "blocks")


def _by_blocks_of_appends(appends: Appends, parts: Parts, decisions: Decisions) -> None:
    for part, decision in enumerate(decide_appends(appends, parts.part, len(parts.keys))):
        if decision is not None and part not in decisions.by_part:
            decisions.add(part, decision, "blocks")


_METHODS: Final = {"queue": decide_queue, "stack": decide_stack}


def _by_method(parts: Parts, rows: list[Ints], model: Model, decisions: Decisions) -> None:
    """What it gives is only believed to be a linearization if it is one: it may have guessed."""
    assert model.method is not None
    decide_object = _METHODS[model.method]
    for part, of_part in enumerate(rows):
        if part in decisions.by_part:
            continue
        ops = list(operations(parts.columns.take(of_part)))
        decision = decide_object(ops)
        if isinstance(decision, Linearized) and fault_of([ops[i] for i in decision.order], ops, model):
            decision = None
        if decision is not None:
            decisions.add(part, _of_all_rows(decision, of_part), "blocks")


class _Searching(Protocol):
    nodes: int
    remembered: int

    def run(self, nodes: int) -> Decision | None: ...


def _race(searches: dict[int, _Searching], rows: list[Ints], budget: Budget, decisions: Decisions) -> None:
    """Let the searches take turns: an impossible part is often found soon, while others take for ever."""
    begun, turn = budget.clock(), _FIRST_TURN
    running = {part: search for part, search in searches.items() if part not in decisions.by_part}
    decisions.gave_up = ""
    while running:
        for part in list(running):
            search = running[part]
            decisions.nodes -= search.nodes
            decision = search.run(turn)
            decisions.nodes += search.nodes
            if decision is not None:
                del running[part]
                decisions.add(part, _of_all_rows(decision, rows[part]), "search")
                if isinstance(decision, Impossible):
                    return
            remembered = sum(each.remembered for each in running.values())
            if running and (spent := _spent(budget, decisions.nodes, remembered, budget.clock() - begun)):
                decisions.gave_up = spent
                return
        turn = min(2 * turn, _LONGEST_TURN)


def _of_all_rows(decision: Decision, rows: Ints) -> Decision:
    if isinstance(decision, Linearized):
        return Linearized(rows[decision.order])
    return replace(decision, rows=rows[decision.rows])


def _spent(budget: Budget, nodes: int, remembered: int, seconds: float) -> str:
    if budget.nodes is not None and nodes >= budget.nodes:
        return f"{nodes:,} choices were tried, and no more were allowed"
    if budget.memory_mb is not None and remembered >= budget.memory_mb << 20:
        return f"the search remembered {remembered >> 20:,} MB of where it had been, and no more were allowed"
    if budget.seconds is not None and seconds >= budget.seconds:
        return f"{budget.seconds:g} CPU seconds were allowed for the search"
    return ""
