"""Lives of replicas: a restart begins another, with what it finds on disk or with nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, Trace
from ostrakon.harness.history.trace import in_order

Life = tuple[str, int, int]
"""A node, its incarnation, and how often a `restart` of it had been told."""

MOST_TOLD = 8
"""How many violations of one property are told."""


class Lives:
    """Which life each event of a trace is part of.

    Restarts are counted as well, because a node that has lost its disk may use an incarnation number twice.
    """

    def __init__(self) -> None:
        self._restarts: Counter[str] = Counter()

    def of(self, event: Event) -> Life:
        """The life of the next event; a `restart` is part of the life that it begins."""
        self._restarts[event.node] += event.event == "restart"
        return event.node, event.incarnation, self._restarts[event.node]


def told(trace: Trace, *kinds: str) -> list[Event]:
    """The events of these kinds in the order of true time."""
    return [event for event in in_order(trace) if event.event in kinds]


def detail_of(event: Event, name: str) -> Any:
    """A field of the event's detail; None if it has no such field."""
    return event.detail.get(name) if isinstance(event.detail, Mapping) else None


def verdict_of(anomalies: Iterable[Anomaly], **details: Any) -> Verdict:
    """Invalid, with the first of these, if there are any."""
    return Verdict.of(islice(anomalies, MOST_TOLD), **details)


def untested(property: str, *kinds: str) -> Verdict:
    """There was nothing to judge a property by."""
    return Verdict.unknown(f"no {' or '.join(kinds)} in the trace, so {property} was not put to test")
