"""Traces: the events of nodes, each at the moment when others can observe it."""

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
    """True time in nanoseconds since the trial began; the node's own clock may differ."""
    node: str
    """The name of the node."""
    incarnation: int
    """The number of earlier starts of this node."""
    seq: int
    """The number of the event in its incarnation, from 0."""
    event: str
    """The kind of event."""
    message: str | None = None
    """The id of the message that was sent, for events of sending."""
    cause: str | None = None
    """The id of the message that caused the event."""
    to: tuple[str, ...] = ()
    """The receivers of the message."""
    slot: int | None = None
    """The slot of the log, for events about a slot."""
    ballot: tuple[int, int] | None = None
    """The ballot: round and server id, compared in this order."""
    value: Any = None
    """The value of a proposal, a vote or a decision; for other events as the program reports it."""
    accepted: tuple[tuple[int, tuple[int, int], Any], ...] = ()
    """The votes that a promise or a restart reports, each as (slot, ballot, value)."""
    promised: tuple[int, int] | None = None
    """The promised ballot that a nack or a restart reports."""
    members: tuple[str, ...] = ()
    """The members whose votes count from `config_active` on."""
    how: str | None = None
    """How a value was learned: "votes" if the node counted a quorum, "told" if another node reported it."""
    detail: Any = None
    """Further fields of the event, by name."""
    group: int = 0
    """The group, that is the number of the log, if a node has several logs."""


def stamped(told: Any, time_ns: int) -> Event:
    """Make an event from its time and an object with all other fields of an event."""
    # One argument a field: unpacking tuples of them would take half as long again, and a trial has thousands.
    return Event(
        time_ns,
        told.node,
        told.incarnation,
        told.seq,
        told.event,
        told.message,
        told.cause,
        told.to,
        told.slot,
        told.ballot,
        told.value,
        told.accepted,
        told.promised,
        told.members,
        told.how,
        told.detail,
        getattr(told, "group", 0),
    )


Trace = tuple[Event, ...]


def in_order(trace: Sequence[Event]) -> Sequence[Event]:
    """The events in order of true time; events of the same time keep their order in the trace.

    Most traces are recorded in this order and are returned unchanged.
    """
    times = [event.time for event in trace]
    if all(map(operator.le, times, times[1:])):
        return trace
    return sorted(trace, key=lambda event: event.time)
