"""What can happen to a replica; every event is handled by one call of `Replica.step`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ostrakon.paxos_impl.core.event import Started
from ostrakon.paxos_impl.core.multi.command import Command
from ostrakon.paxos_impl.core.multi.configuration import Member
from ostrakon.paxos_impl.core.multi.message import Message
from ostrakon.paxos_impl.core.multi.snapshot import Image

Timer = Literal["election", "heartbeat"]
"""`election` runs out when a leader was silent for too long, or, at a leader, its followers were; `heartbeat`
is when a leader next says that it lives, and sends again what was lost."""


ReadHow = Literal["lease", "index", "stale"]
"""What makes sure that a read shows all that was done before it.

`lease`: nobody but the leader asked can lead; where that is not certain, it is as with `index`. `index`: a
quorum still goes by the leader asked. `stale`: nothing does; anybody answers, from what may be long ago.
"""


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message arrived. Losing, repeating or reordering messages is allowed; altering them is not."""

    message: Message
    sender: int
    id: str
    """The id under which it was sent."""


class Submitted(msgspec.Struct, frozen=True, gc=False):
    """A client wants a command executed."""

    request: int
    """Names the request in the answer; unique within an incarnation."""
    command: Command
    size: int
    """About how many bytes the command has."""


class ReadRequested(msgspec.Struct, frozen=True, gc=False):
    """A client wants to see the state, without a slot being spent on it."""

    request: int
    op: Any
    how: ReadHow = "lease"


class ReadsRequested(msgspec.Struct, frozen=True, gc=False):
    """Several clients do, at once."""

    wanted: tuple[ReadRequested, ...]


class ChangeRequested(msgspec.Struct, frozen=True, gc=False):
    """Somebody wants these to be the members, by a decision of the log."""

    request: int
    members: tuple[Member, ...]


class TimerFired(msgspec.Struct, frozen=True, gc=False):
    """A timer that was set ran out."""

    timer: Timer


class SnapshotSaved(msgspec.Struct, frozen=True, gc=False):
    """A snapshot, taken here or fetched, is durable."""

    image: Image


class Drained(msgspec.Struct, frozen=True, gc=False):
    """All that had arrived is handled; what is done once for all of it is done now, before the next sync."""


Event = (
    Started
    | Received
    | Submitted
    | ReadRequested
    | ReadsRequested
    | ChangeRequested
    | TimerFired
    | SnapshotSaved
    | Drained
)
