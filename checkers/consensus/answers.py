"""The answers that clients got about decisions."""

from __future__ import annotations

from ostrakon.harness.history import History, Op

ANSWERS = ("propose", "get")
"""The operations whose `ok` value is the decision. A proposer may get another client's value."""


def answers(history: History, fs: tuple[str, ...] = ANSWERS) -> list[Op]:
    """The `ok` completions of these operations, in the order of the history."""
    return [op for op in history.where(type="ok") if op.f in fs]


def teller(op: Op) -> str:
    """The process that got the answer and the node that gave it, as part of a sentence."""
    by = f" by {op.node}" if op.node is not None else ""
    return f"process {op.process} was told{by}"
