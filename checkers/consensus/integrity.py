"""Integrity for clients: the answers of one node, and the answers to one process, never change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ostrakon.checkers.consensus.answers import ANSWERS, answers, teller
from ostrakon.checkers.value import canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def integrity(history: History, *, fs: tuple[str, ...] = ANSWERS) -> Verdict:
    """Check that the answers of a node about a slot never change, nor the answers that a process gets.

    A node may no longer know a decision: it may have restarted, and what it learned need not be durable, as
    long as its votes are.
    """
    told = answers(history, fs)
    if not told:
        return Verdict.unknown("nobody was told of any decision, so none could change")
    return Verdict.of(_changes(told))


def _changes(told: Iterable[Op]) -> Iterator[Anomaly]:
    last: dict[tuple[str, str | int, int], Op] = {}
    for op in told:
        slot = op.slot or 0
        sources: list[tuple[str, str | int, int]] = [("process", op.process, slot)]
        if op.node is not None:
            sources.append(("node", op.node, slot))
        changed = [
            source for source in sources if canonical(last.get(source, op).value) != canonical(op.value)
        ]
        if changed:
            earlier = last[changed[-1]]
            yield Anomaly(
                "decision changed",
                f"{teller(earlier)} that slot {slot} is {value_text(earlier.value)}, "
                f"and later {teller(op)} that it is {value_text(op.value)}",
                (earlier, op),
                details={"slot": slot},
            )
        for source in sources:
            last[source] = op
