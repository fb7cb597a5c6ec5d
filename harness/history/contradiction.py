"""What cannot have been recorded: ops of which one says that another cannot be where it is.

A process does one thing at a time. So it invokes, and then hears how that ended, or never hears of it again
and acts no more. Whatever is recorded otherwise was put together wrongly, and a verdict on it would be worth
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ostrakon.harness.history.op import NEMESIS, Op, Process


class Contradiction(NamedTuple):
    """The first op that cannot be where it is."""

    at: int
    """Its position."""
    why: str
    """The field at fault, and what would be right."""


def contradiction(ops: Sequence[Op], *, times: bool = True) -> Contradiction | None:
    """The first op of a history that contradicts those before it; None if they agree with each other.

    Without `times` these may run backwards, as they do where several threads each looked at the clock before
    they took their turn to record: then only the order of the ops counts. In a history in which nothing is
    invoked at all, as some tests of transactions are written, completions are complete operations.
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
