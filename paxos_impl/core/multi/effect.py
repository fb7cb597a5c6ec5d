"""Effects: what a replica asks its driver to do. The driver carries them out in their order.

`after=n` on an effect means, as for Basic Paxos, that nobody may see the effect before `Persist` number n,
and every one before it, is durable.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Vote
from ostrakon.paxos_impl.core.multi.command import Batch
from ostrakon.paxos_impl.core.multi.configuration import Configuration
from ostrakon.paxos_impl.core.multi.event import ReadHow, Timer
from ostrakon.paxos_impl.core.multi.message import Entry, Message
from ostrakon.paxos_impl.core.multi.snapshot import Image


class Promised(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """This replica promised to accept nothing below this ballot."""

    ballot: Ballot


class Voted(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """This replica voted, and by that promised the ballot of its vote."""

    entry: Entry


class Chose(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A slot is known to be chosen. Without an entry, this replica's last vote in it is what was chosen."""

    slot: int
    entry: Entry | None = None


Fact = Promised | Voted | Chose


class Persist(msgspec.Struct, frozen=True, gc=False):
    """Make this fact durable, after all facts before it."""

    n: int
    """Counts from 1 in each incarnation."""
    fact: Fact


class PersistLazily(msgspec.Struct, frozen=True, gc=False):
    """Write this fact before the next `Persist`. Nothing waits for it, because it can be learned again."""

    fact: Fact


class Send(msgspec.Struct, frozen=True, gc=False):
    """Hand a message to the transport, for each of these members."""

    to: tuple[int, ...]
    message: Message
    id: str
    """Unique over all nodes and incarnations: "n2.0.17" is the 17th send of n2's first incarnation."""
    cause: str | None = None
    """The id of the message that was answered."""
    after: int | None = None
    about: Batch | None = None
    """The batch that an `Accepted` votes for. The message leaves it out, and the trace needs it."""


class Learned(msgspec.Struct, frozen=True, gc=False):
    """This replica knows from now on what is chosen in a slot."""

    slot: int
    vote: Vote
    how: Literal["votes", "told"]
    cause: str | None = None


class Apply(msgspec.Struct, frozen=True, gc=False):
    """Have the state machine execute a batch. Slots come in order, without gaps."""

    slot: int
    batch: Batch
    requests: tuple[tuple[int, ...], ...]
    """For each command, the requests to be answered with its result."""


class Changed(msgspec.Struct, frozen=True, gc=False):
    """Answer a request to change the configuration."""

    request: int
    slot: int
    """The last slot that the members of before decide."""
    is_made: bool
    """Whether the change is in force. If not, another change was made first, and this one never will be."""


class Configured(msgspec.Struct, frozen=True, gc=False):
    """A configuration is known, which is in force from its first slot on."""

    configuration: Configuration


class TakeSnapshot(msgspec.Struct, frozen=True, gc=False):
    """Make a durable snapshot of the state machine as it is now, when it has executed this slot last.

    The driver answers with the event `SnapshotSaved`.
    """

    slot: int
    configurations: tuple[Configuration, ...]


class SaveSnapshot(msgspec.Struct, frozen=True, gc=False):
    """Make a fetched snapshot durable. The driver answers with the event `SnapshotSaved`."""

    image: Image


class SnapshotTaken(msgspec.Struct, frozen=True, gc=False):
    """This replica's newest durable snapshot contains all slots up to this one."""

    slot: int


class Install(msgspec.Struct, frozen=True, gc=False):
    """Replace the state of the state machine by this snapshot. Slots after it are executed next."""

    image: Image


class Compacted(msgspec.Struct, frozen=True, gc=False):
    """This slot and all below it were dropped from the log."""

    commit_index: int


class Query(msgspec.Struct, frozen=True, gc=False):
    """Answer a read from the state machine as it is now, when it has executed this slot last."""

    request: int
    op: Any
    slot: int
    how: ReadHow = "index"
    ballot: Ballot | None = None
    """The ballot of the leader, if its lease is what allows the read."""


class Decline(msgspec.Struct, frozen=True, gc=False):
    """Answer a request: this replica does not lead."""

    request: int
    leader: int | None
    """The server that probably leads, if one is known."""
    maybe: bool
    """Whether the command was proposed, and may still be executed. If False, this attempt has no effect."""


class Overloaded(msgspec.Struct, frozen=True, gc=False):
    """Answer a request: too many wait already, and this one has no effect."""

    request: int


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Answer a request: it cannot be done, and has no effect."""

    request: int
    why: str
    is_final: bool
    """Whether it never can be done. If False, it can perhaps be done later."""


class Leads(msgspec.Struct, frozen=True, gc=False):
    """This replica leads from now on, at this ballot."""

    ballot: Ballot


class HoldsLease(msgspec.Struct, frozen=True, gc=False):
    """This leader holds a lease from now on."""

    ballot: Ballot
    slot: int
    """Its commit index."""


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Let `timer` fire after a while, and not when an earlier setting of the same timer says.

    The driver knows how long, and draws it at random, so that replicas do not all time out at once.
    """

    timer: Timer
    soon: bool = False
    """Whether the wait is short: a new attempt, where the wait before the first one was long."""
    attempt: int = 1
    """Which attempt this is, from 1. The wait must grow with it, because nobody knows how long an
    attempt takes in this network."""


class Restarted(msgspec.Struct, frozen=True, gc=False):
    """The replica starts, with what it found on its disk."""

    promised: Ballot | None
    votes: tuple[Entry, ...]
    """The replica's votes in the slots above its commit index."""
    commit_index: int


Effect = (
    Persist
    | PersistLazily
    | Send
    | Learned
    | Apply
    | TakeSnapshot
    | SaveSnapshot
    | SnapshotTaken
    | Install
    | Compacted
    | Query
    | Decline
    | Overloaded
    | Rejected
    | SetTimer
    | Leads
    | HoldsLease
    | Restarted
    | Configured
    | Changed
)
