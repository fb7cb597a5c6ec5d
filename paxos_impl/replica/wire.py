"""What goes over the wire between replicas and from clients: the log's messages in frames.

A connection begins as one to an instance of Basic Paxos does, with the same `Hello`, but speaks another
protocol.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import Configuration, Member, Message, ReadHow
from ostrakon.paxos_impl.membership import Address
from ostrakon.paxos_impl.wire import Envelope, Hello, Response, Waiting, decoded

PROTOCOL = 1002
"""Raised when the wire format changes; replicas of different protocols do not talk."""


class Execute(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Have this command executed, once, and tell me its result."""

    request: int
    client: str
    number: int
    op: Any


class Read(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Tell me the result of an operation that only looks; no slot is spent on it."""

    request: int
    op: Any
    how: ReadHow = "lease"


class Change(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Have these be the members of the cluster."""

    request: int
    members: tuple[Member, ...]


class AskStatus(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Tell me how you are."""

    request: int


class InGroup(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """This is for one of the groups of a cluster that has several."""

    group: int
    asked: Execute | Read | Change | AskStatus

    @property
    def request(self) -> int:
        """See `connection.Request`."""
        return self.asked.request


class Done(msgspec.Struct, frozen=True, tag=True, gc=False):
    """It was executed, for good, and this is its result."""

    slot: int
    """The log up to this slot holds it, and all that it rests on."""
    result: Any


class Elsewhere(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Ask somebody else: this is no leader."""

    leader: Address | None
    """Whom to ask, if that is known."""
    maybe: bool
    """Whether the command was proposed, and so may be executed yet. If not, it won't be by this attempt."""


class Refused(msgspec.Struct, frozen=True, tag=True, gc=False):
    """It was not carried out and won't be by this attempt."""

    why: str
    is_final: bool
    """Whether trying again, here or elsewhere, would be in vain."""


class Status(msgspec.Struct, frozen=True, tag=True, gc=False):
    """What a replica says of itself."""

    server_id: int
    cluster_id: str
    incarnation: int
    members: dict[int, Address]
    phase: str
    """What it is doing: following, canvassing, campaigning or leading."""
    leader: int | None
    promised: Ballot | None
    upto: int
    """It knows of all slots up to this one what they hold."""
    executed: int
    """The last slot it has executed."""
    top: int
    """The last slot in which it has voted, or knows what it holds."""
    configuration: Configuration | None = None
    """The newest one that it knows of; it may be in force only for slots to come."""
    lease_s: float | None = None
    """For how much longer, at least, nobody else can lead, as a leader knows; None from all others."""


class Groups(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Nothing was done: ask anew, and say which of so many groups is meant; if there is only one, don't."""

    count: int


Answer = Done | Elsewhere | Refused | Status | Waiting | Groups


Request = Execute | Read | Change | AskStatus | InGroup
Incoming = Hello | Envelope[Message] | Request

_incoming: msgspec.msgpack.Decoder[Incoming] = msgspec.msgpack.Decoder(Incoming)
_response: msgspec.msgpack.Decoder[Response[Answer]] = msgspec.msgpack.Decoder(Response[Answer])


def read_incoming(body: bytes) -> Incoming:
    """The message in a frame that a replica received.

    Raises: BadFrame, saying what is wrong with it.
    """
    return decoded(body, _incoming, "a message that a replica takes")


def read_response(body: bytes) -> Response[Answer]:
    """The message in a frame that a client received.

    Raises: BadFrame, saying what is wrong with it.
    """
    return decoded(body, _response, "a response")
