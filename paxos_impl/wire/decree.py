"""The messages that all connections carry, and those of Basic Paxos: msgpack in frames.

A connection to a server begins either with a `Hello`, and then carries envelopes from one server to another
in one direction; or with a client's request, and then carries requests and responses. `wire.replica` has the
messages of replicas of a log.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Value, Vote
from ostrakon.paxos_impl.core.effect import Chosen, Refused, Unknown
from ostrakon.paxos_impl.core.message import Message
from ostrakon.paxos_impl.wire.frame import FRAME_MAX, BadFrame, frame
from ostrakon.paxos_impl.wire.membership import Address

PROTOCOL = 2
"""Raised when the wire format changes; instances of different protocols do not talk."""

_M = TypeVar("_M")
_A = TypeVar("_A")


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Opens a connection between servers: names its sender and the server that it is meant for."""

    protocol: int
    cluster_id: str
    sender: int
    receiver: int
    incarnation: int
    address: str = ""
    """Address of the sender, for a receiver that does not know it yet; empty if all members know it."""
    groups: int = 1
    """Number of groups of the sender's cluster."""


class Envelope(msgspec.Struct, Generic[_M], frozen=True, array_like=True, tag=True, gc=False):
    """A message between servers, with the id under which it was sent."""

    id: str
    message: _M
    cluster: int
    """The tag of its cluster: see `cluster_tag`."""
    group: int = 0
    """The group of the cluster that it is for."""


class EnvelopeHeader(NamedTuple):
    """The fields that all envelopes of one sender share."""

    cluster: int
    group: int = 0


def cluster_tag(cluster_id: str) -> int:
    """A hash of the cluster id, of 8 bytes: short enough for every message, and different for each
    cluster."""
    return int.from_bytes(blake2b(cluster_id.encode(), digest_size=8).digest(), "big")


class Response(msgspec.Struct, Generic[_A], frozen=True, array_like=True, tag=True, gc=False):
    """The answer to a client's request of the same number."""

    request: int
    answer: _A


class ClientPropose(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Proposes a value; answered with the chosen value once that is known."""

    request: int
    value: Value


class ClientGet(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Asks for the chosen value; answered at once."""

    request: int


class ClientStatus(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Asks for the status; answered at once."""

    request: int


class Status(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The status of an instance."""

    server_id: int
    cluster_id: str
    incarnation: int
    members: dict[int, Address]
    promised: Ballot | None
    accepted: Vote | None
    chosen: Vote | None
    phase: str
    """Phase of its proposer: idle, preparing, proposing or backingoff."""


class Waiting(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The cluster is not complete: not all of its members have registered."""

    registered: int
    cluster_size: int

    def __str__(self) -> str:
        return f"waiting for members: {self.registered} of {self.cluster_size} have registered"


Answer = Chosen | Unknown | Refused | Status | Waiting
Request = ClientPropose | ClientGet | ClientStatus
Incoming = Hello | Envelope[Message] | Request

_encode = msgspec.msgpack.Encoder().encode
_incoming: msgspec.msgpack.Decoder[Incoming] = msgspec.msgpack.Decoder(Incoming)
_response: msgspec.msgpack.Decoder[Response[Answer]] = msgspec.msgpack.Decoder(Response[Answer])


def framed(message: object, limit: int = FRAME_MAX) -> bytes:
    """A message in its frame.

    Raises: BadFrame, when it is longer than `limit`.
    """
    return frame(_encode(message), limit)


def decoded(body: bytes, decoder: msgspec.msgpack.Decoder[_M], what: str) -> _M:
    """The message in a frame.

    Raises: BadFrame, saying that it is not `what`, and why.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadFrame(f"not {what}: {error}") from None


def read_incoming(body: bytes) -> Incoming:
    """The message in a frame that an instance received.

    Raises: BadFrame, saying what is wrong with it.
    """
    return decoded(body, _incoming, "a message that an instance takes")


def read_response(body: bytes) -> Response[Answer]:
    """The message in a frame that a client received.

    Raises: BadFrame, saying what is wrong with it.
    """
    return decoded(body, _response, "a response")
