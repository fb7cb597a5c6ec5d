"""Watch a trial of consensus while it runs: what clients are told, and what nodes do."""

from __future__ import annotations

from ostrakon.checkers.consensus.agreement import disagreement
from ostrakon.checkers.consensus.answers import ANSWERS
from ostrakon.checkers.consensus.watch import Watch
from ostrakon.checkers.value import Key, canonical
from ostrakon.harness.history import Event, Op


class ConsensusMonitor:
    """Tells the first violation of agreement, of P1 to P11 or of M8, at the op or event that commits it.

    `ask` is the f of the operations by which clients propose values; an answer is the value of an `ok` op
    whose f is one of `fs`.

    >>> monitor = ConsensusMonitor()
    >>> told = Op(1, 5, "ok", 0, "propose", "x"), Op(3, 9, "ok", 1, "get", "y")
    >>> [why for op in told if (why := monitor.op(op))]
    ['process 0 was told that slot 0 is "x", process 1 was told that it is "y"']
    """

    def __init__(self, *, ask: str = "propose", fs: tuple[str, ...] = ANSWERS) -> None:
        self._ask, self._fs = ask, fs
        self._asked: set[Key] = set()
        self._watch = Watch(invited=self._asked)
        self._first: dict[int, Op] = {}

    def event(self, event: Event) -> str | None:
        """What is wrong with the next event, in a sentence.

        Raises: IncompleteEvent, if it lacks what its kind must have.
        """
        anomaly = self._watch.feed(event)
        return f"{anomaly.property}: {anomaly.why}" if anomaly is not None else None

    def op(self, op: Op) -> str | None:
        """What is wrong with the next op, in a sentence."""
        if op.type == "invoke" and op.f == self._ask:
            self._asked.add(canonical(op.value))
        elif op.type == "ok" and op.f in self._fs:
            first = self._first.setdefault(op.slot or 0, op)
            if canonical(first.value) != canonical(op.value):
                return disagreement(first, op).why
        return None
