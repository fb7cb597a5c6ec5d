"""A cycle told as a story: who took part, and for every edge why the one must come before the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ostrakon.checkers.transactions.cycle import Step
from ostrakon.checkers.transactions.dependency import PROCESS, REALTIME, kind_name
from ostrakon.checkers.transactions.table import Transactions
from ostrakon.checkers.transactions.wording import shown

Reason = Callable[[Step, str, str], str]
"""Why a dependency holds, given what to call the two transactions: "T1 appended 1 to x, T2 read it"."""


def from_the_earliest(cycle: Sequence[Step]) -> tuple[Step, ...]:
    """The same cycle, beginning with the transaction that was invoked first."""
    at = min(range(len(cycle)), key=lambda position: cycle[position].earlier)
    return (*cycle[at:], *cycle[:at])


def tell(
    name: str, cycle: Sequence[Step], table: Transactions, reason: Reason
) -> tuple[str, Mapping[str, Any]]:
    """One sentence, and the details: `transactions` by label, `cycle` edge by edge, and `story` as text."""
    labels = {step.earlier: f"T{number}" for number, step in enumerate(cycle, start=1)}
    edges = [
        {
            "from": labels[step.earlier],
            "to": labels[step.later],
            "kind": kind_name(step.kind),
            "why": _why(step, labels, table, reason),
        }
        for step in cycle
    ]
    members = {
        label: {
            "op": table.op(row).index,
            "process": table.op(row).process,
            "value": table.micro_ops[row],
        }
        for row, label in labels.items()
    }
    clauses = "; ".join(edge["why"] for edge in edges)
    why = f"{clauses}: {labels[cycle[0].earlier]} would have to come before itself"
    return why, {"transactions": members, "cycle": edges, "story": _text(name, members, edges)}


def _why(step: Step, labels: Mapping[int, str], table: Transactions, reason: Reason) -> str:
    earlier, later = labels[step.earlier], labels[step.later]
    match step.kind:
        case kind if kind == PROCESS:
            return f"process {table.op(step.earlier).process} ran {earlier} before {later}"
        case kind if kind == REALTIME:
            done, begun = table.op(step.earlier).index, table.invocation(step.later).index
            return f"{earlier} was complete (op {done}) before {later} was invoked (op {begun})"
        case _:
            return reason(step, earlier, later)


def _text(name: str, members: Mapping[str, Mapping[str, Any]], edges: Sequence[Mapping[str, str]]) -> str:
    lines = [f"{name}: {len(members)} transactions, none of which can be the first"]
    for label, member in members.items():
        lines.append(f"  {label} (op {member['op']}, process {member['process']}): {shown(member['value'])}")
    lines.append("because")
    for edge in edges:
        lines.append(f"  {edge['from']} < {edge['to']} ({edge['kind']}): {edge['why']}")
    return "\n".join(lines)
