"""Whether a history is linearizable: a verdict with evidence that can be checked on its own."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from ostrakon.checkers.garbage import collection_paused
from ostrakon.checkers.linearizability.core import minimal_core
from ostrakon.checkers.linearizability.deciding import Decisions, decide
from ostrakon.checkers.linearizability.decision import Budget, Impossible, Linearized
from ostrakon.checkers.linearizability.parts import Parts, parts_of
from ostrakon.checkers.linearizability.replay import fault_of, fault_of_appends, fault_of_registers
from ostrakon.checkers.linearizability.sat import SolverGaveUp, decide_by_sat
from ostrakon.checkers.linearizability.small import decide_small
from ostrakon.checkers.linearizability.wgl import Refereed, wing_gong_lowe
from ostrakon.checkers.models.model import Model, Operation, operations
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import FailMeans, History, Op
from ostrakon.harness.history.columns import Columns, Ints
from ostrakon.harness.history.value import thaw

_SHOWN_AT_MOST: Final = 10_000
_REPLAYED_AS_ARRAYS: Final = 5_000
_REFEREE_STEPS: Final = 200_000
_CORE_NODES: Final = 20_000
_CORE_NODES_BESIDE_SAT: Final = 1_000
_CORE_CONFLICTS: Final = 3_000
_CONFIRMING_CONFLICTS: Final = 400_000
"""The budget of conflicts of the second solver: twice that of the first."""
_PARTIAL_OPS_MAX: Final = 4_000
_PARTIAL_STEPS: Final = 10_000
"""Steps of the search for the order that is drawn of a history that has none: a few milliseconds."""
_CONTRADICTION: Final = "the checker contradicts itself; please report this"


def linearizable(
    history: History | Columns,
    model: Model | str,
    *,
    budget: Budget | None = None,
    fail_means: FailMeans = "did not happen",
) -> Verdict:
    """Whether every operation can have taken effect at one instant between its invocation and its return.

    `model` says what the object may answer; a name stands for one of `ostrakon.checkers.models`.
    `fail_means` is what the recorder meant by a `fail` of an operation that compares.

    A `valid` verdict has been replayed; its details give each object's `linearization`, as positions of
    invocations in the history, up to 10,000 operations in all. An `invalid` one has a minimal core for a
    witness, that a plain search has confirmed; its details give how far the operations of that object can be
    put in order, the `partial_linearization`, and which operation blocks it. If the budget is spent first, it
    is `unknown`.

    Raises: UnsuitableHistory if the history holds operations that the model doesn't know; KeyError if there
    is no model of that name; TypeError if it is no model.
    """
    from ostrakon.checkers.models.named import named

    model = named(model) if isinstance(model, str) else model
    if not hasattr(model, "fs"):
        raise TypeError(f"{model!r} is no model; expected one, as models.register(initial=0) is, or its name")
    if isinstance(history, History) and (verdict := decide_small(history, model, fail_means)) is not None:
        return verdict
    budget = budget or Budget()
    columns = history if isinstance(history, Columns) else history.columns
    with collection_paused():
        parts = parts_of(columns, model, fail_means)
        if not len(history):
            return Verdict.unknown("no operation was recorded, so there was nothing to order")
        return _verdict(history, parts, model, budget)


def _verdict(history: History | Columns, parts: Parts, model: Model, budget: Budget) -> Verdict:
    decisions = decide(parts, model, budget)
    details = _details(parts, decisions)
    if (part := decisions.impossible) is not None:
        return _invalid(history, parts, part, decisions, model, details)
    if decisions.gave_up:
        open_parts = len(parts.keys) - len(decisions.by_part)
        return Verdict.unknown(
            f"{open_parts} of {len(parts.keys)} objects undecided: {decisions.gave_up}", **details
        )
    return _valid(parts, decisions, model, details)


def _details(parts: Parts, decisions: Decisions) -> dict[str, Any]:
    methods = list(decisions.methods.values())
    return {
        "operations": len(parts.columns),
        "objects": len(parts.keys),
        "methods": {method: methods.count(method) for method in sorted(set(methods))},
        "nodes": decisions.nodes,
        **({"conflicts": decisions.conflicts} if decisions.conflicts else {}),
    }


def _valid(parts: Parts, decisions: Decisions, model: Model, details: dict[str, Any]) -> Verdict:
    orders = {part: found.order for part, found in decisions.by_part.items() if isinstance(found, Linearized)}
    assert len(orders) == len(parts.keys), "valid without a linearization of each object"
    fault = _fault(parts, orders, model)
    if fault is not None:
        return Verdict.unknown(f"{_CONTRADICTION}: {fault}", **details)
    if len(parts.columns) <= _SHOWN_AT_MOST:
        details["linearization"] = [
            {"object": thaw(parts.keys[part]), "order": parts.columns.invoked[order].tolist()}
            for part, order in sorted(orders.items())
        ]
    if not len(parts.columns):
        return Verdict.passed("nothing that was asked for can have happened", **details)
    ordered = "one operation" if len(parts.columns) == 1 else f"{len(parts.columns):,} operations"
    return Verdict.passed(f"a linearization of {ordered} was found and replayed", **details)


def _fault(parts: Parts, orders: dict[int, Ints], model: Model) -> str | None:
    """The first fault of any of the orders; None if there is none."""
    columns = parts.columns
    if len(columns) > _REPLAYED_AS_ARRAYS:
        every = np.concatenate([orders[part] for part in range(len(orders))])
        if parts.registers is not None:
            return fault_of_registers(every, parts.registers, parts.part)
        if parts.appends is not None and parts.appends.plain:
            return fault_of_appends(every, parts.appends, parts.part)
    ops = list(operations(columns))
    if len(orders) == 1:
        return fault_of([ops[row] for row in orders[0].tolist()], ops, model)
    for part, rows in enumerate(parts.rows()):
        order = [ops[row] for row in orders[part].tolist()]
        if fault := fault_of(order, [ops[row] for row in rows.tolist()], model):
            return fault
    return None


def _invalid(
    history: History | Columns,
    parts: Parts,
    part: int,
    decisions: Decisions,
    model: Model,
    details: dict[str, Any],
) -> Verdict:
    found = decisions.by_part[part]
    assert isinstance(found, Impossible)
    rows = parts.rows()[part]
    here = replace(found, rows=np.flatnonzero(np.isin(rows, found.rows)))
    by_sat = decisions.methods[part] == "sat"
    each = Budget(nodes=_CORE_NODES, conflicts=_CORE_CONFLICTS)
    if by_sat:  # A part of it may be as hard as the whole, and searches have shown that they do not end.
        each = Budget(nodes=_CORE_NODES_BESIDE_SAT, conflicts=_CORE_CONFLICTS + 2 * decisions.conflicts)
    if len(rows) <= _PARTIAL_OPS_MAX:
        details["partial_linearization"] = _partial(parts, part, rows, model)
    core, details["core_is_minimal"] = minimal_core(parts.columns.take(rows), model, here, each)
    refereed = wing_gong_lowe(list(operations(core)), model, max_steps=_REFEREE_STEPS)
    if refereed.linearizable:
        return Verdict.unknown(f"{_CONTRADICTION}: the core of an impossible history is possible", **details)
    details["referee"] = _confirmation(refereed)
    if refereed.linearizable is None and by_sat and model.method is not None:
        # What is too long for a plain search, another solver confirms. It asks the same question, so what is
        # still trusted is that the clauses say what the object may do; tests hold them to the plain search.
        again = decide_by_sat(
            list(operations(core)), model.method, conflicts=_CONFIRMING_CONFLICTS, solver="cd153"
        ).decision
        if isinstance(again, SolverGaveUp):
            return Verdict.unknown(
                "a SAT solver found no order, but a second one did not confirm that within "
                f"{_CONFIRMING_CONFLICTS:,} conflicts",
                **details,
            )
        if not isinstance(again, Impossible):
            return Verdict.unknown(f"{_CONTRADICTION}: two SAT solvers disagree", **details)
        details["referee"] = "a second SAT solver found no order of the core either"
    return Verdict.of([anomaly_of(history, core, model, parts.keys[part], found.why)], **details)


def _partial(parts: Parts, part: int, rows: Ints, model: Model) -> dict[str, Any]:
    """The longest order of the operations of an object that was found, as positions of invocations."""
    tried = wing_gong_lowe(list(operations(parts.columns.take(rows))), model, max_steps=_PARTIAL_STEPS)
    return {
        "object": thaw(parts.keys[part]),
        "order": [op.invoked for op in tried.furthest],
        "blocked": tried.blocked.invoked if tried.blocked is not None else None,
    }


def _confirmation(refereed: Refereed) -> str:
    if refereed.linearizable is None:
        return f"undecided after {_REFEREE_STEPS:,} steps"
    return f"confirmed the core in {refereed.steps:,} steps"


_NAMED_AT_MOST: Final = 8


def anomaly_of(history: History | Columns, core: Columns, model: Model, key: Hashable, why: str) -> Anomaly:
    """The anomaly that a minimal core shows. Its witness is empty if only columns were given."""
    ops = list(operations(core))
    known = [op for op in ops if op.known]
    on = f" on {key!r}" if model.keyed else ""
    return Anomaly(
        "not linearizable",
        why=f"{why + ': ' if why else ''}there is no order for {_listed(known)}{on}{_besides(ops)}",
        witness=tuple(_witness(history, ops)) if isinstance(history, History) else (),
        property="linearizability",
        details={
            "model": model.name,
            "object": thaw(key),
            "core": [_told(op) for op in ops],
            "completed": len(known),
        },
    )


def _listed(ops: list[Operation]) -> str:
    if len(ops) > _NAMED_AT_MOST:
        return f"{len(ops)} operations, of which the last is {phrase(ops[-1])}"
    named = [phrase(op) for op in ops]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _besides(ops: list[Operation]) -> str:
    unknown = [phrase(op) for op in ops if not op.known]
    if not unknown:
        return ""
    if len(unknown) > _NAMED_AT_MOST:
        return f", though {len(unknown)} others may have happened too"
    return f", though {' and '.join(unknown)} may have happened too"


def phrase(op: Operation) -> str:
    """An operation in few words: `read -> 3 (4..5)`, where it was invoked and where it returned."""
    asked = "" if op.argument is None else f" {_plain(op.argument)}"
    answered = ""
    if op.refused:
        answered = " -> refused"
    elif op.known and op.result != op.argument:
        answered = f" -> {_plain(op.result)}"
    until = f"{op.returned}" if op.known else ""
    return f"{op.f}{asked}{answered} ({op.invoked}..{until})"


def _told(op: Operation) -> dict[str, Any]:
    told = {"process": op.process, "f": op.f, "argument": thaw(op.argument), "invoked": op.invoked}
    return (
        {**told, "result": thaw(op.result), "returned": op.returned}
        if op.known
        else {**told, "unknown": True}
    )


def _witness(history: History, ops: list[Operation]) -> Iterator[Op]:
    positions = {op.invoked for op in ops} | {op.returned for op in ops if op.known}
    return (history.op(index) for index in sorted(positions))


def _plain(value: Any) -> str:
    return "nil" if value is None else f"{value!r:.40}"
