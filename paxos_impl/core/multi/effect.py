"""What a replica wants done; the driver carries effects out in their order.

`after=n` on an effect means, as for Basic Paxos, that nobody may see it before `Persist` number n, and all
before it, are durable.
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
    """To be remembered: nothing below this ballot."""

    ballot: Ballot


class Voted(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """To be remembered: this vote, and with it a promise of its ballot."""

    entry: Entry


class Chose(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Worth remembering: what this slot holds. Without an entry, it is what was voted for last."""

    slot: int
    entry: Entry | None = None


Fact = Promised | Voted | Chose


class Persist(msgspec.Struct, frozen=True, gc=False):
    """Make these facts durable, after all facts before them."""

    n: int
    """Counts from 1 in each incarnation."""
    fact: Fact


class PersistLazily(msgspec.Struct, frozen=True, gc=False):
    """Write this fact down before the next `Persist`. Nobody waits for it: it can be found out again."""

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
    """What an `Accepted` votes for: the message leaves it out, a trace must not."""


class Learned(msgspec.Struct, frozen=True, gc=False):
    """This replica now knows what a slot holds."""

    slot: int
    vote: Vote
    how: Literal["votes", "told"]
    cause: str | None = None


class Apply(msgspec.Struct, frozen=True, gc=False):
    """Have the state machine execute a batch; slots come in order, without gaps."""

    slot: int
    batch: Batch
    requests: tuple[tuple[int, ...], ...]
    """For each command, the requests that wait for its result here."""


class Changed(msgspec.Struct, frozen=True, gc=False):
    """Answer a request to change the configuration."""

    request: int
    slot: int
    """The log up to this slot says so; the members of before decide none after it."""
    is_made: bool
    """Whether it is in force; if not, another change came before it, and it never will be."""


class Configured(msgspec.Struct, frozen=True, gc=False):
    """These are the members from a slot on."""

    configuration: Configuration


class TakeSnapshot(msgspec.Struct, frozen=True, gc=False):
    """Put the state machine as it is now, having executed this slot last, into a snapshot.

    Once it is durable, `SnapshotSaved` is to say so.
    """

    slot: int
    configurations: tuple[Configuration, ...]


class SaveSnapshot(msgspec.Struct, frozen=True, gc=False):
    """Make a snapshot that was fetched durable; then `SnapshotSaved` is to say so."""

    image: Image


class SnapshotTaken(msgspec.Struct, frozen=True, gc=False):
    """The newest durable snapshot goes up to this slot."""

    slot: int


class Install(msgspec.Struct, frozen=True, gc=False):
    """Let the state machine be as this snapshot shows it; slots are executed from there on."""

    image: Image


class Compacted(msgspec.Struct, frozen=True, gc=False):
    """This slot and all below are gone."""

    commit_index: int


class Query(msgspec.Struct, frozen=True, gc=False):
    """Answer a request with what the state machine says now, having executed this slot last."""

    request: int
    op: Any
    slot: int
    how: ReadHow = "index"
    ballot: Ballot | None = None
    """That of the leader whose lease allows it, if one does."""


class Decline(msgspec.Struct, frozen=True, gc=False):
    """Answer a request: ask somebody else."""

    request: int
    leader: int | None
    """Whom to ask, if that is known."""
    maybe: bool
    """Whether the command was proposed, and so may be executed yet. If not, it won't be by this attempt."""


class Overloaded(msgspec.Struct, frozen=True, gc=False):
    """Answer a request: too much waits already; it was not taken up and won't be."""

    request: int


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Answer a request: it can't be done. It was not taken up and won't be."""

    request: int
    why: str
    is_final: bool
    """Whether it never can; if not, it is in vain only as things are."""


class Leads(msgspec.Struct, frozen=True, gc=False):
    """This replica leads from now on."""

    ballot: Ballot


class HoldsLease(msgspec.Struct, frozen=True, gc=False):
    """This replica holds a lease from now on."""

    ballot: Ballot
    slot: int
    """It knows all slots up to this one."""


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Fire `timer` after a while; an earlier setting of the same timer is void."""

    timer: Timer
    soon: bool = False
    """Sooner than usual: a new attempt, where the wait before the first one was long."""
    attempt: int = 1
    """Which attempt is given that long. Each must be given longer than the one before: how long one takes
    depends on the network, which nobody knows."""


class Restarted(msgspec.Struct, frozen=True, gc=False):
    """The replica begins, with what it found on its disk."""

    promised: Ballot | None
    votes: tuple[Entry, ...]
    """Those above the slots that it knows to be chosen."""
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
