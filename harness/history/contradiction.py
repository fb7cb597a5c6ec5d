"""Ops that contradict earlier ops of their history.

A process does one thing at a time. It invokes an operation and waits for its end; if it never learns the end,
it never acts again. A history that breaks this was put together wrongly, and a verdict on it would mean
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ostrakon.harness.history.op import NEMESIS, Op, Process


class Contradiction(NamedTuple):
    """The first op that contradicts the ones before it."""

    at: int
    """Its position."""
    why: str
    """The field at fault, and what would be right."""


def contradiction(ops: Sequence[Op], *, times: bool = True) -> Contradiction | None:
    """The first op of a history that contradicts those before it; None if there is none.

    Without `times`, times may run backwards. They do so where several threads each read the clock before they
    recorded an op; then only the order of the ops counts. In a history without any invocation, completions
    are complete operations: some tests of transactions are written like that.
    """
    latest = 0
    last: dict[Process, Op] = {}
    whole = any(op.type == "invoke" and op.process != NEMESIS for op in ops)
    for at, op in enumerate(ops):
        if times:
            if op.time < latest:
                return Contradiction(at, f"time is {op.time}, and {latest} came before: it runs forwards")
            latest = op.time
        process = op.process
        if process == NEMESIS or not whole:
            continue
        before = last.get(process)
        if op.type == "invoke":
            agrees = before is None or before.type == "ok" or before.type == "fail"
        else:
            agrees = before is not None and before.type == "invoke" and before.f == op.f
        if not agrees:
            return Contradiction(at, _odds(op, before))
        last[process] = op
    return None


def _odds(op: Op, before: Op | None) -> str:
    """What is wrong with an op, given what its process did before."""
    match op.type, before:
        case _, Op(type="info"):
            return (
                f"process is {op.process}, of whose {before.f!r} nothing is known since op {before.index}: "
                "it may still be at it, so what comes later needs another process"
            )
        case "invoke", Op():
            return (
                f"process is {op.process}, whose {before.f!r} of op {before.index} is not over: "
                "a process does one thing at a time"
            )
        case _, Op(type="invoke"):
            invoked = f"in op {before.index}, is {before.f!r}"
            return f"f is {op.f!r}, but what process {op.process} had invoked, {invoked}"
        case _:
            return f"type is {op.type!r}, but process {op.process} had invoked nothing that could end so"
