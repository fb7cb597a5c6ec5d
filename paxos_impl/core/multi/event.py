"""Events: what can happen to a replica. One call of `Replica.step` handles one event."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ostrakon.paxos_impl.core.event import Started
from ostrakon.paxos_impl.core.multi.command import Command
from ostrakon.paxos_impl.core.multi.configuration import Member
from ostrakon.paxos_impl.core.multi.message import Message
from ostrakon.paxos_impl.core.multi.snapshot import Image

Timer = Literal["election", "heartbeat"]
"""`election` fires when no leader was heard for too long, or, at a leader, when it checks that a quorum has
answered. `heartbeat` fires when a leader sends its next heartbeat."""


ReadHow = Literal["lease", "index", "stale"]
"""What ensures that a read reflects all that was acknowledged before it.

`lease`: the leader's lease, under which nobody else can lead; without a lease it is as with `index`.
`index`: a quorum has confirmed that it still follows the leader. `stale`: nothing; any replica answers, and
the answer may be long out of date.
"""


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message arrived. Losing, repeating or reordering messages is allowed; altering them is not."""

    message: Message
    sender: int
    id: str
    """The id of the `Send` that sent it."""


class Submitted(msgspec.Struct, frozen=True, gc=False):
    """A client wants a command executed."""

    request: int
    """Identifies the request in the answer; unique within an incarnation."""
    command: Command
    size: int
    """The approximate size of the command, in bytes."""


class ReadRequested(msgspec.Struct, frozen=True, gc=False):
    """A client wants to read the state, without a slot being decided for it."""

    request: int
    op: Any
    how: ReadHow = "lease"


class ReadsRequested(msgspec.Struct, frozen=True, gc=False):
    """Several reads that came in together."""

    wanted: tuple[ReadRequested, ...]


class ChangeRequested(msgspec.Struct, frozen=True, gc=False):
    """An operator wants these members, by a decision of the log."""

    request: int
    members: tuple[Member, ...]


class TimerFired(msgspec.Struct, frozen=True, gc=False):
    """A timer fired that was set before."""

    timer: Timer


class SnapshotSaved(msgspec.Struct, frozen=True, gc=False):
    """A snapshot is durable, which was taken here or fetched."""

    image: Image


class Drained(msgspec.Struct, frozen=True, gc=False):
    """All events that had come in are handled, and the driver is about to sync its disk.

    The replica now does what it does once for all of them, such as proposing a batch.
    """


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
