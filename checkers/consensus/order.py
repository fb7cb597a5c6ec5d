"""The order in which the events of a trace are judged."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from ostrakon.harness.history import Event


def in_order(trace: Sequence[Event]) -> Sequence[Event]:
    """The events in the order of true time, and of the trace where times are equal.

    Traces are mostly recorded so, and are then returned as they are.
    """
    times = [event.time for event in trace]
    if all(map(operator.le, times, times[1:])):
        return trace
    return sorted(trace, key=lambda event: event.time)
