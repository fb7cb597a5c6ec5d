"""Effects: what an instance asks its driver to do. The driver carries them out in their order.

`after=n` on an effect means that nobody may see it before `Persist` number n, and every one before it, is
durable. `after=None` means that it need not wait. The driver delivers a message that an instance sends to
itself like any other, and no earlier than its `after`: otherwise a vote could count before it is durable.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Value, Vote
from ostrakon.paxos_impl.core.event import Timer
from ostrakon.paxos_impl.core.message import Message


class Durable(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an instance must remember across restarts."""

    promised: Ballot | None = None
    accepted: Vote | None = None
    chosen: Vote | None = None


class Persist(msgspec.Struct, frozen=True, gc=False):
    """Make this state durable, in place of what was persisted before it."""

    n: int
    """Counts from 1 in each incarnation."""
    state: Durable


class Send(msgspec.Struct, frozen=True, gc=False):
    """Hand a message to the transport, for each of these members."""

    to: tuple[int, ...]
    message: Message
    id: str
    """Unique over all nodes and incarnations: "n2.0.17" is the 17th send of n2's first incarnation."""
    cause: str | None = None
    """The id of the message that was answered."""
    after: int | None = None


class Chosen(msgspec.Struct, frozen=True, tag=True, gc=False):
    """This value is chosen, for ever. This instance learned it at this ballot."""

    value: Value
    ballot: Ballot


class Unknown(msgspec.Struct, frozen=True, tag=True, gc=False):
    """This instance does not know whether anything is chosen."""


class Refused(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The request was not carried out and never will be."""

    why: str


Outcome = Chosen | Unknown | Refused


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Answer a client."""

    request: int
    outcome: Outcome
    after: int | None = None


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Let `timer` fire after a while, and not when an earlier setting of the same timer says.

    The driver draws the length at random, and draws longer ones the higher `attempt` (from 0) is.
    """

    timer: Timer
    attempt: int


class Learned(msgspec.Struct, frozen=True, gc=False):
    """This instance knows from now on what is chosen."""

    vote: Vote
    how: Literal["votes", "told"]
    slot: int
    cause: str | None = None
    after: int | None = None


class Restarted(msgspec.Struct, frozen=True, gc=False):
    """The instance starts, with what it found on its disk."""

    state: Durable
    slot: int


class ConfigActive(msgspec.Struct, frozen=True, gc=False):
    """From now on these members count towards quorums."""

    members: tuple[int, ...]


Effect = Persist | Send | Reply | SetTimer | Learned | Restarted | ConfigActive
