"""What nodes report of themselves: one event at the moment something becomes observable to others."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One protocol event of one node.

    `event` is one of: restart, prepare_sent, promise_sent, nack_sent, propose_sent, accept_sent (a
    vote), learned, applied, persisted, config_active, snapshot_taken, snapshot_installed, compacted,
    leading, lease_held, lease_read, lease_acquired, lease_expired, registry_assign. Which fields it has
    depends on that; docs/reference/formats.md lists them.
    """

    time: int
    """True time in nanoseconds since the trial began, whatever the node's own clock says."""
    node: str
    incarnation: int
    """How often this node has been started before, from 0."""
    seq: int
    """Counts the events of this incarnation, from 0."""
    event: str
    message: str | None = None
    """The id of the message that carried it away, for events that are sent."""
    cause: str | None = None
    """The id of the message that made the node do it."""
    to: tuple[str, ...] = ()
    """The nodes it was sent to."""
    slot: int | None = None
    ballot: tuple[int, int] | None = None
    """Round and server id; they compare in this order."""
    value: Any = None
    accepted: tuple[tuple[int, tuple[int, int], Any], ...] = ()
    """What a promise, or the state recovered by a restart, reports: (slot, ballot, value) of each vote."""
    promised: tuple[int, int] | None = None
    """The promise that a nack points to, or that a restart recovered."""
    members: tuple[str, ...] = ()
    """The nodes that count towards quorums from `config_active` on."""
    how: str | None = None
    """How a value was learned: "votes" when a quorum was counted, "told" when another node said so."""
    detail: Any = None
    """Whatever else an event has to say."""
    group: int = 0
    """Which of several independent logs it is about, where a node has several."""


def stamped(told: Any, time_ns: int) -> Event:
    """What a node has told of itself, any object with an event's other fields, and when."""
    return Event(
        time_ns,
        *(told.node, told.incarnation, told.seq, told.event, told.message, told.cause, told.to),
        *(told.slot, told.ballot, told.value, told.accepted, told.promised, told.members),
        *(told.how, told.detail, getattr(told, "group", 0)),
    )


Trace = tuple[Event, ...]


def in_order(trace: Sequence[Event]) -> Sequence[Event]:
    """The events in the order of true time, and of the trace where times are equal.

    Traces are mostly recorded so, and are then returned as they are.
    """
    times = [event.time for event in trace]
    if all(map(operator.le, times, times[1:])):
        return trace
    return sorted(trace, key=lambda event: event.time)
