"""A client's connection to one server, for one request at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from itertools import count
from typing import Generic, Protocol, TypeVar

import anyio
from anyio.abc import AnyByteStream

from ostrakon.paxos_impl.wire.decree import Response, framed
from ostrakon.paxos_impl.wire.frame import BadFrame, FrameReader
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

_A = TypeVar("_A")
_A_co = TypeVar("_A_co", covariant=True)
BROKEN = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, BadFrame)
"""What a connection that breaks raises: a stream of TLS raises errors of `ssl`, which are OSErrors."""


class NoAnswer(Exception):
    """No answer arrived. The request may have been executed, may be executed later, or never."""


class Unsendable(ValueError):
    """The request can't be sent to any server; it was not sent."""


class NotReady(NoAnswer):
    """The cluster is not complete yet, and nothing was done."""


class Request(Protocol):
    """Any request."""

    @property
    def request(self) -> int:
        """The number that its response repeats."""


def encoded(request: Request) -> bytes:
    """A request in its frame. Raises: Unsendable."""
    try:
        return framed(request)
    except (BadFrame, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unsendable(str(error)) from error


class Channel(Protocol[_A_co]):
    """What a session uses to ask one server: a `Connection`, or its use of one that is shared."""

    address: Address
    is_sent: bool

    async def open(self) -> None:
        """Connect, if there is no connection. Raises: NoAnswer."""

    async def ask(self, request: Request) -> _A_co:
        """Send a request and wait for its answer. Raises: NoAnswer; Unsendable."""

    async def drop(self) -> None:
        """Give up the connection at once; it can be opened again."""


class Channels(Protocol[_A_co]):
    """Where a session gets its channels from, and the numbers of its requests."""

    def to(self, address: Address) -> Channel[_A_co]:
        """A channel to this server, which is not open yet."""

    def next_number(self) -> int:
        """A number that no other request in the same channel has."""


class Connection(Generic[_A]):
    """Opened by `open`; closed by `drop`, after which it can be opened again."""

    def __init__(
        self, address: Address, read_response: Callable[[bytes], Response[_A]], transport: Transport = PLAIN
    ) -> None:
        self.address = address
        self._read_response, self._transport = read_response, transport
        self._stream: AnyByteStream | None = None
        self._reader = FrameReader()
        self.is_sent = False
        """Whether any part of the last request may have left."""

    async def open(self) -> None:
        """Connect, if there is no connection.

        Raises: NoAnswer.
        """
        if self._stream is None:
            try:
                self._stream = await self._transport.connect(self.address)
            except OSError as error:
                raise NoAnswer(f"{self.address}: {error}") from error
            self._reader = FrameReader()

    async def ask(self, request: Request) -> _A:
        """Send a request and wait for its answer, without a time limit.

        Raises: NoAnswer, when the connection breaks; the request may have been executed if it `is_sent`;
        Unsendable.
        """
        assert self._stream is not None, "open it first"
        self.is_sent = False
        frame = encoded(request)
        try:
            await anyio.lowlevel.checkpoint_if_cancelled()
            self.is_sent = True
            await self._stream.send(frame)
            while True:
                for body in self._reader.feed(await self._stream.receive()):
                    response = self._read_response(body)
                    if response.request == request.request:
                        return response.answer
        except anyio.EndOfStream:
            raise NoAnswer(f"{self.address}: it closed the connection") from None
        except BROKEN as error:
            raise NoAnswer(f"{self.address}: {error.__cause__ or error}") from error

    async def answers(self, request: Request) -> AsyncGenerator[_A, None]:
        """Send a request that is answered again and again; its answers, until the connection ends.

        Raises: NoAnswer.
        """
        assert self._stream is not None, "open it first"
        try:
            await self._stream.send(framed(request))
            while True:
                for body in self._reader.feed(await self._stream.receive()):
                    response = self._read_response(body)
                    if response.request == request.request:
                        yield response.answer
        except anyio.EndOfStream:
            return
        except BROKEN as error:
            raise NoAnswer(f"{self.address}: {error.__cause__ or error}") from error

    async def drop(self) -> None:
        """Close the connection at once."""
        if (stream := self._stream) is not None:
            self._stream = None
            # `aclose_forcefully` is a checkpoint, and closes all the same when it is cancelled.
            await anyio.aclose_forcefully(stream)


class Connections(Generic[_A]):
    """Connections of one session only. `Channels`."""

    def __init__(self, read_response: Callable[[bytes], Response[_A]], transport: Transport = PLAIN) -> None:
        self._read_response, self._transport = read_response, transport
        self._numbers = count(1)

    def to(self, address: Address) -> Connection[_A]:
        """A connection to this server, which is not open yet."""
        return Connection(address, self._read_response, self._transport)

    def next_number(self) -> int:
        """A number that no other request of the session has."""
        return next(self._numbers)
