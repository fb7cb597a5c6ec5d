"""A client's connection to one server: a request, its answer, and then the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import trio

from ostrakon.paxos_impl.frame import BadFrame, FrameReader
from ostrakon.paxos_impl.membership import Address
from ostrakon.paxos_impl.transport import PLAIN, Transport
from ostrakon.paxos_impl.wire import Response, framed

_A = TypeVar("_A")


class NoAnswer(Exception):
    """Nothing was heard. What was asked for may be done, now or later, or never."""


class NotReady(NoAnswer):
    """There is no cluster to ask yet, and nothing was done."""


class Request(Protocol):
    """What can be asked."""

    @property
    def request(self) -> int:
        """By this number its response is recognised."""


class Connection(Generic[_A]):
    """Made when it is first needed; closed by `drop`, and made anew after that."""

    def __init__(
        self, address: Address, read_response: Callable[[bytes], Response[_A]], transport: Transport = PLAIN
    ) -> None:
        self.address = address
        self._read_response, self._transport = read_response, transport
        self._stream: trio.abc.Stream | None = None
        self._reader = FrameReader()

    async def open(self) -> None:
        """Be connected.

        Raises: NoAnswer.
        """
        if self._stream is None:
            try:
                self._stream = await self._transport.dial(self.address)
            except OSError as error:
                raise NoAnswer(f"{self.address}: {error}") from error
            self._reader = FrameReader()

    async def ask(self, request: Request) -> _A:
        """The answer to a request, which may take as long as it takes.

        Raises: NoAnswer, when the connection breaks; what was asked for may be done all the same.
        """
        assert self._stream is not None, "open it first"
        try:
            await self._stream.send_all(framed(request))
            while chunk := await self._stream.receive_some():
                for body in self._reader.feed(chunk):
                    response = self._read_response(body)
                    if response.request == request.request:
                        return response.answer
        except (OSError, trio.BrokenResourceError, BadFrame) as error:
            raise NoAnswer(f"{self.address}: {error}") from error
        raise NoAnswer(f"{self.address}: it closed the connection")

    async def drop(self) -> None:
        """Close the connection, at once."""
        if (stream := self._stream) is not None:
            self._stream = None
            # `aclose_forcefully` is a checkpoint, and closes all the same when it is cancelled.
            await trio.aclose_forcefully(stream)
