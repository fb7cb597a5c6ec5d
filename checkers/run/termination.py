"""Termination: once the faults are over, every node that is asked answers in the end.

Paxos cannot promise to decide while messages are lost and proposers duel (PMS 2.4). When that has ended it
can, and a node that still does not know, however often it is asked, will never know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def _is_done(op: Op) -> bool:
    return op.type == "ok"


def termination(
    history: History,
    *,
    node_of: Callable[[int], str],
    is_answer: Callable[[Op], bool] = _is_done,
    patience: int = 10,
) -> Verdict:
    """Each node that was asked at least `patience` times since the nemesis ended must have answered once.

    `node_of` says which node a process asks, `is_answer` whether a completion is more than "not yet".
    Without any op after the end there is nothing to tell.
    """
    asked = _asked_at_last(history, node_of)
    if not asked:
        return Verdict.unknown("nobody asked any node after the faults had ended")
    silent = {node: ops for node, ops in asked.items() if not any(map(is_answer, ops))}
    return Verdict.of(_condemned(silent, patience), nodes=len(asked))


def _asked_at_last(history: History, node_of: Callable[[int], str]) -> Mapping[str, list[Op]]:
    """The completions after the last deed of the nemesis, by the node that was asked."""
    healed = max((op.index for op in history.nemesis), default=-1)
    asked: dict[str, list[Op]] = {}
    for op in history.clients:
        if op.index > healed and op.type != "invoke" and isinstance(op.process, int):
            asked.setdefault(node_of(op.process), []).append(op)
    return asked


def _condemned(silent: Mapping[str, list[Op]], patience: int) -> Iterator[Anomaly]:
    for node, ops in sorted(silent.items()):
        if len(ops) >= patience:
            yield Anomaly(
                "no progress",
                f"{node} was asked {len(ops)} times after the faults had ended and never gave an answer",
                witness=(ops[0], ops[-1]),
                property="termination",
            )
