"""What goes over the network besides the core's messages, and how it is written: msgpack in frames.

A connection to an instance begins either with a `Hello`, and then carries envelopes one way, from one
instance to another; or with a client's request, and then carries requests and their responses.
"""

from __future__ import annotations

import msgspec

from paxos_impl.core.ballot import Ballot, Value, Vote
from paxos_impl.core.effect import Chosen, Refused, Unknown
from paxos_impl.core.message import Message
from paxos_impl.frame import BadFrame, frame
from paxos_impl.membership import Address

PROTOCOL = 1
"""Raised when the wire format changes; instances of different protocols do not talk."""


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Opens a connection between instances: who I am, and whom I believe to be talking to."""

    protocol: int
    cluster_id: str
    sender: int
    receiver: int
    incarnation: int


class Envelope(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A message under way, with the id it was sent under."""

    id: str
    message: Message


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


Answer = Chosen | Unknown | Refused | Status


class Response(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The answer to a client's request of the same number."""

    request: int
    answer: Answer


Request = ClientPropose | ClientGet | ClientStatus
Incoming = Hello | Envelope | ClientPropose | ClientGet | ClientStatus

_encode = msgspec.msgpack.Encoder().encode
_incoming: msgspec.msgpack.Decoder[Incoming] = msgspec.msgpack.Decoder(Incoming)
_response = msgspec.msgpack.Decoder(Response)


def framed(message: object) -> bytes:
    """A message in its frame.

    Raises: BadFrame, when it is too long.
    """
    return frame(_encode(message))


def read_incoming(body: bytes) -> Incoming:
    """The message in a frame that an instance received.

    Raises: BadFrame, saying what is wrong with it.
    """
    try:
        return _incoming.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadFrame(f"not a message that an instance takes: {error}") from None


def read_response(body: bytes) -> Response:
    """The message in a frame that a client received.

    Raises: BadFrame, saying what is wrong with it.
    """
    try:
        return _response.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadFrame(f"not a response: {error}") from None
