"""A client's connection to one server, for one request at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Generic, Protocol, TypeVar

import trio

from ostrakon.paxos_impl.wire.decree import Response, framed
from ostrakon.paxos_impl.wire.frame import BadFrame, FrameReader
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

_A = TypeVar("_A")


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


class Connection(Generic[_A]):
    """Opened by `open`; closed by `drop`, after which it can be opened again."""

    def __init__(
        self, address: Address, read_response: Callable[[bytes], Response[_A]], transport: Transport = PLAIN
    ) -> None:
        self.address = address
        self._read_response, self._transport = read_response, transport
        self._stream: trio.abc.Stream | None = None
        self._reader = FrameReader()
        self.is_sent = False
        """Whether any part of the last request may have left."""

    async def open(self) -> None:
        """Connect, if there is no connection.

        Raises: NoAnswer.
        """
        if self._stream is None:
            try:
                self._stream = await self._transport.dial(self.address)
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
        try:
            frame = framed(request)
        except (BadFrame, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise Unsendable(str(error)) from error
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            self.is_sent = True
            await self._stream.send_all(frame)
            while chunk := await self._stream.receive_some():
                for body in self._reader.feed(chunk):
                    response = self._read_response(body)
                    if response.request == request.request:
                        return response.answer
        except (OSError, trio.BrokenResourceError, BadFrame) as error:
            raise NoAnswer(f"{self.address}: {error}") from error
        raise NoAnswer(f"{self.address}: it closed the connection")

    async def answers(self, request: Request) -> AsyncGenerator[_A, None]:
        """Send a request that is answered again and again; its answers, until the connection ends.

        Raises: NoAnswer.
        """
        assert self._stream is not None, "open it first"
        try:
            await self._stream.send_all(framed(request))
            while chunk := await self._stream.receive_some():
                for body in self._reader.feed(chunk):
                    response = self._read_response(body)
                    if response.request == request.request:
                        yield response.answer
        except (OSError, trio.BrokenResourceError, BadFrame) as error:
            raise NoAnswer(f"{self.address}: {error}") from error

    async def drop(self) -> None:
        """Close the connection at once."""
        if (stream := self._stream) is not None:
            self._stream = None
            # `aclose_forcefully` is a checkpoint, and closes all the same when it is cancelled.
            await trio.aclose_forcefully(stream)
