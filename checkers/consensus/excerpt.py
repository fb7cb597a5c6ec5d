"""Excerpts of a trace: a few events that explain a violation, and the order between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ostrakon.checkers.consensus.graphs import happens_before
from ostrakon.harness.history import Event

LONGEST = 15
"""The largest number of events in an excerpt."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The events in order of time."""

    events: tuple[Event, ...]
    after: tuple[tuple[int, ...], ...]
    """For each event, the positions of the events in the excerpt that it directly follows."""


def tell(trace: Sequence[Event], positions: Mapping[int, int], events: Iterable[Event]) -> Excerpt:
    """The story of these events, of which the first are the most important.

    `positions` tells where in the trace an event is, by its `id`.
    """
    at = list(dict.fromkeys(positions[id(event)] for event in events))
    order = sorted(at[:LONGEST])
    rank = {position: number for number, position in enumerate(order)}
    graph = happens_before(trace, order)
    after = [tuple(sorted(rank[earlier] for earlier in graph.predecessors(position))) for position in order]
    return Excerpt(tuple(trace[position] for position in order), tuple(after))
