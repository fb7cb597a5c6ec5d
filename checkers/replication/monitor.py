"""Watch a trial of a replicated log while it runs: what replicas do, slot by slot."""

from __future__ import annotations

from ostrakon.checkers.consensus.monitor import Watch
from ostrakon.harness.history import Event, Op


class LogMonitor:
    """Tells the first violation of P1 to P11 or of M8, in any slot, at the event that commits it.

    What clients are told is left to the checkers, which look at it as a whole.

    >>> monitor = LogMonitor()
    >>> told = [Event(0, "n1", 0, 0, "promise_sent", ballot=(2, 1)),
    ...         Event(9, "n1", 0, 1, "promise_sent", ballot=(1, 2))]
    >>> [why for event in told if (why := monitor.event(event))]
    ['P7: n1 promised ballot 1.2, though it had promised the higher ballot 2.1 before']
    """

    def __init__(self) -> None:
        self._watch = Watch()

    def event(self, event: Event) -> str | None:
        """What is wrong with the next event, in a sentence.

        Raises: IncompleteEvent, if it lacks what its kind must have.
        """
        anomaly = self._watch.feed(event)
        return f"{anomaly.property}: {anomaly.why}" if anomaly is not None else None

    def op(self, op: Op) -> str | None:
        """Nothing is ever wrong with an op by itself."""
        return None
