"""What goes over the network, and how it is written: msgpack in frames.

A connection to a server begins either with a `Hello`, and then carries envelopes one way, from one server to
another; or with a client's request, and then carries requests and their responses. What an instance of Basic
Paxos is told and asked is here; `replica.wire` has the same for replicas of a log.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Value, Vote
from ostrakon.paxos_impl.core.effect import Chosen, Refused, Unknown
from ostrakon.paxos_impl.core.message import Message
from ostrakon.paxos_impl.frame import BadFrame, frame
from ostrakon.paxos_impl.membership import Address

PROTOCOL = 2
"""Raised when the wire format changes; instances of different protocols do not talk."""

_M = TypeVar("_M")
_A = TypeVar("_A")


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Opens a connection between servers: who I am, and whom I believe to be talking to."""

    protocol: int
    cluster_id: str
    sender: int
    receiver: int
    incarnation: int
    address: str = ""
    """Where I am found, for who does not know me yet; empty if that goes without saying."""
    groups: int = 1
    """Over how many groups my cluster spreads its keys."""


class Envelope(msgspec.Struct, Generic[_M], frozen=True, array_like=True, tag=True, gc=False):
    """A message under way, with the id it was sent under."""

    id: str
    message: _M
    cluster: int
    """The mark of the cluster that it belongs to: see `mark_of`."""
    group: int = 0
    """Which of the groups of that cluster it is for."""


class Postmark(NamedTuple):
    """What all envelopes of one sender have in common."""

    cluster: int
    group: int = 0


def mark_of(cluster_id: str) -> int:
    """What stands for a cluster in each message: 8 bytes, which no two clusters share but by chance."""
    return int.from_bytes(blake2b(cluster_id.encode(), digest_size=8).digest(), "big")


class Response(msgspec.Struct, Generic[_A], frozen=True, array_like=True, tag=True, gc=False):
    """The answer to a client's request of the same number."""

    request: int
    answer: _A


class ClientPropose(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Have this value chosen, or tell me which one was; answered once that is known."""

    request: int
    value: Value


class ClientGet(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Tell me the chosen value; answered at once."""

    request: int


class ClientStatus(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Tell me how you are; answered at once."""

    request: int


class Status(msgspec.Struct, frozen=True, tag=True, gc=False):
    """What an instance says of itself."""

    server_id: int
    cluster_id: str
    incarnation: int
    members: dict[int, Address]
    promised: Ballot | None
    accepted: Vote | None
    chosen: Vote | None
    phase: str
    """What its proposer is doing: idle, preparing, proposing or backingoff."""


class Waiting(msgspec.Struct, frozen=True, tag=True, gc=False):
    """There is no cluster yet: not all who are to make it have registered."""

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


def framed(message: object) -> bytes:
    """A message in its frame.

    Raises: BadFrame, when it is too long.
    """
    return frame(_encode(message))


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
