"""What clients were told about decisions."""

from __future__ import annotations

from ostrakon.harness.history import History, Op

ANSWERS = ("propose", "get")
"""The operations whose `ok` value is the decision: it may be another's value that a proposer is told."""


def answers(history: History, fs: tuple[str, ...] = ANSWERS) -> list[Op]:
    """The `ok` completions of these operations, in the order of the history."""
    return [op for op in history.where(type="ok") if op.f in fs]


def teller(op: Op) -> str:
    """Whom the answer went to and from where, as part of a sentence."""
    by = f" by {op.node}" if op.node is not None else ""
    return f"process {op.process} was told{by}"
