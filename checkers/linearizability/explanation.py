"""Telling a person why a history cannot be."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Final

from ostrakon.checkers.models.model import Model, Operation, operations
from ostrakon.checkers.verdict import Anomaly
from ostrakon.harness.history import History, Op
from ostrakon.harness.history.columns import Columns
from ostrakon.harness.history.value import thaw

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
