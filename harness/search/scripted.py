"""Plans that say each operation: made from a history, and made smaller operation by operation.

A plan usually says how many operations clients begin a second, and its seed says which. Such a plan can only
be made shorter. One that lists the operations can lose any single one of them, and what is left can get small
names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan, PlannedOp

_AFTER_MS = (0, 500, 1500)
"""How much of what follows a failure may be needed to tell it from another."""


def scripted_plans(
    plan: Plan, history: History, anomalies: Sequence[Mapping[str, Any]], final_ns: int | None
) -> Iterator[Plan]:
    """The plan with its operations as they were begun, ever more of them.

    First only those of the witness; then all up to its end, and some time beyond; at last all there were.
    Those that began in the final phase stay in it. Checkers may depend on the order of the phases: a final
    read must not become concurrent with a write.
    """
    begun = [op for op in history.where(type="invoke") if isinstance(op.process, int)]
    scripted = partial(_scripted, plan, math.inf if final_ns is None else final_ns)
    for anomaly in anomalies[:1]:
        seen = [_invoked(op, history) for op in anomaly.get("ops", ())]
        witness = {op.index for op in seen if op is not None}
        if not witness:
            continue
        yield scripted([op for op in begun if op.index in witness])
        end_ns = max(op["time"] for op in anomaly["ops"])
        for after_ms in _AFTER_MS:
            until_ns = end_ns + after_ms * 1_000_000
            yield scripted([op for op in begun if op.index in witness or op.time > end_ns], until_ns)
            yield scripted(begun, until_ns)
    yield scripted(begun)


def fewer_planned_ops(plan: Plan) -> Iterator[Plan]:
    """Without ever smaller parts of the operations, down to single ones."""
    if isinstance(plan.ops, tuple):
        size = len(plan.ops) // 2
        while size > 0:
            for start in range(0, len(plan.ops), size):
                yield _with(plan, (*plan.ops[:start], *plan.ops[start + size :]))
            size //= 2


def fewer_planned_clients(plan: Plan) -> Iterator[Plan]:
    """Clients numbered from 0 without gaps; then operations of one client done by another."""
    if not isinstance(plan.ops, tuple):
        return
    clients = sorted({op.client for op in plan.ops})
    new = {client: number for number, client in enumerate(clients)}
    yield _with(plan, tuple(replace(op, client=new[op.client]) for op in plan.ops), len(clients))
    for client in clients[1:]:
        for other in clients[: clients.index(client)]:
            merged = tuple(replace(op, client=other) if op.client == client else op for op in plan.ops)
            yield _with(plan, merged)


def smaller_planned_values(begun: Iterable[Op]) -> Callable[[Plan], Iterator[Plan]]:
    """Smaller numbers, each of which an operation of the same `f` had in the history.

    Only the workload knows which other arguments make sense: an addition of 0 may be none at all.
    """
    known: dict[str, set[int]] = {}
    for op in begun:
        known.setdefault(op.f, set()).update(_numbers(op.value))

    def smaller_values(plan: Plan) -> Iterator[Plan]:
        if not isinstance(plan.ops, tuple):
            return
        used = sorted({number for op in plan.ops for number in _numbers(op.value)})
        renamings = [{number: first + at for at, number in enumerate(used)} for first in (0, 1)]
        renamings += [
            {number: smaller}
            for number in used
            for smaller in range(max(0, min(number, 3)))
            if smaller not in used
        ]
        for new in renamings:
            smaller_plan = _renamed(plan, new)
            assert isinstance(smaller_plan.ops, tuple)
            if all(known.get(op.f, set()).issuperset(_numbers(op.value)) for op in smaller_plan.ops):
                yield smaller_plan

    return smaller_values


def rounder_planned_times(plan: Plan) -> Iterator[Plan]:
    """Operations that begin at round times, all of them or one."""
    if not isinstance(plan.ops, tuple):
        return
    for ms in (100, 50, 10, 5, 1):
        yield _with(plan, tuple(_rounded(op, ms) for op in plan.ops))
    for at, op in enumerate(plan.ops):
        for ms in (100, 50, 10, 1):
            yield _with(plan, (*plan.ops[:at], _rounded(op, ms), *plan.ops[at + 1 :]))


def script_passes(begun: Iterable[Op]) -> tuple[Callable[[Plan], Iterator[Plan]], ...]:
    """What can be left out of a plan that lists its operations; `begun` are those of the failing trial."""
    return (fewer_planned_ops, fewer_planned_clients, smaller_planned_values(begun), rounder_planned_times)


def _scripted(plan: Plan, final_ns: float, begun: Sequence[Op], until_ns: int | None = None) -> Plan:
    """The plan with these operations, up to a time, and the faults that begin before it."""
    if until_ns is not None:
        begun = [op for op in begun if op.time <= until_ns]
    ops = tuple(
        PlannedOp(op.time / 1e6, _client(op, plan), op.f, op.value, final=op.time >= final_ns) for op in begun
    )
    end_ms = max((op.at_ms for op in ops), default=0.0) + 1
    faults = plan.faults if until_ns is None else tuple(f for f in plan.faults if f.at_ms <= end_ms)
    return replace(_with(plan, ops), faults=faults, nemesis=())


def _with(plan: Plan, ops: tuple[PlannedOp, ...], clients: int | None = None) -> Plan:
    end_s = math.ceil(max((op.at_ms for op in ops), default=0.0) + 1) / 1000
    return replace(plan, ops=ops, time_limit_s=end_s, rate=1.0, concurrency=clients or plan.concurrency)


def _client(op: Op, plan: Plan) -> int:
    # A process that met silence is succeeded by another of the same client.
    assert isinstance(op.process, int)
    return op.process % plan.concurrency


def _invoked(told: Mapping[str, Any], history: History) -> Op | None:
    index = told.get("index", -1)
    if not 0 <= index < len(history) or not history[index].is_client:
        return None
    op = history[index]
    return op if op.type == "invoke" else history.invocation(op)


def _numbers(value: Any) -> Iterator[int]:
    if isinstance(value, int) and not isinstance(value, bool):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _numbers(part)


def _renamed(plan: Plan, new: Mapping[int, int]) -> Plan:
    def renamed(value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return new.get(value, value)
        return [renamed(part) for part in value] if isinstance(value, list | tuple) else value

    assert plan.ops is not UNSET
    return _with(plan, tuple(replace(op, value=renamed(op.value)) for op in plan.ops))


def _rounded(op: PlannedOp, ms: int) -> PlannedOp:
    # The final phase may begin with a rest, in which nodes catch up. It must not become shorter.
    steps = math.ceil(op.at_ms / ms) if op.final else round(op.at_ms / ms)
    return replace(op, at_ms=float(ms * steps))
