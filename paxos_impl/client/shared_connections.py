"""Connections that many requests share, one to each server: the connections of an `AsyncClient`.

Requests are written in the order in which they were asked, as many at once as are waiting; each answer goes
to the request whose number it repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

import anyio
from anyio.abc import AnyByteStream, TaskGroup

from ostrakon.paxos_impl.client.connection import BROKEN, NoAnswer, Request, Unsendable, encoded
from ostrakon.paxos_impl.wire.decree import Response
from ostrakon.paxos_impl.wire.frame import FrameReader
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.transport import Transport

_A = TypeVar("_A")


class SharedConnections(Generic[_A]):
    """The connections of one client. Their tasks run in its task group, and end with it. `Channels`."""

    def __init__(
        self, tasks: TaskGroup, read_response: Callable[[bytes], Response[_A]], transport: Transport
    ) -> None:
        self._tasks, self._read_response, self._transport = tasks, read_response, transport
        self._links: dict[Address, _Link[_A]] = {}
        self._numbers = count(1)
        self._is_closed = False

    def close(self) -> None:
        """Refuse what is asked from now on; the connections end with the task group."""
        self._is_closed = True

    def to(self, address: Address) -> SharedConnection[_A]:
        """One session's use of the connection to this server."""
        return SharedConnection(address, self)

    def next_number(self) -> int:
        """A number for a request, different from all others of this client."""
        return next(self._numbers)

    def link(self, address: Address) -> _Link[_A]:
        """The connection to this server, which may not be open yet; a new one if the last has ended.

        Raises: Unsendable, if the client is closed.
        """
        if self._is_closed:
            raise Unsendable("the client is closed")
        link = self._links.get(address)
        if link is None or link.is_over:
            link = self._links[address] = _Link(address, self._read_response)
            self._tasks.start_soon(link.run, self._transport)
        return link


class SharedConnection(Generic[_A]):
    """One session's use of a shared connection, with the methods of a `Connection`.

    Its requests must have numbers of `SharedConnections.next_number`.
    """

    def __init__(self, address: Address, links: SharedConnections[_A]) -> None:
        self.address = address
        self._links = links
        self._link: _Link[_A] | None = None
        self.is_sent = False
        """Whether any part of the last request may have left."""

    async def open(self) -> None:
        """Connect, if there is no connection. Raises: NoAnswer; Unsendable."""
        if self._link is None or self._link.is_over:
            self._link = self._links.link(self.address)
            await self._link.wait_open()

    async def ask(self, request: Request) -> _A:
        """Send a request and wait for its answer, without a time limit.

        Raises: NoAnswer, when the connection breaks; the request may have been executed if it `is_sent`;
        Unsendable.
        """
        assert self._link is not None, "open it first"
        self.is_sent = False
        frame = encoded(request)
        await anyio.lowlevel.checkpoint_if_cancelled()
        self.is_sent = not self._link.is_over
        return await self._link.ask(request.request, frame)

    async def drop(self) -> None:
        """Leave the connection to the others. One that nobody could open yet is given up for all."""
        link, self._link = self._link, None
        if link is not None:
            link.give_up_opening()


class _Answering(Generic[_A]):
    """A request that waits for its answer."""

    __slots__ = ("answer", "ended")

    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.answer: _A | None = None


class _Link(Generic[_A]):
    """A connection that is being opened, is open, or is over."""

    def __init__(self, address: Address, read_response: Callable[[bytes], Response[_A]]) -> None:
        self._address, self._read_response = address, read_response
        self._scope = anyio.CancelScope()
        self._settled = anyio.Event()  # Open, or over.
        self._is_open = self.is_over = False
        self._why = "the client is closed"
        self._unsent: list[bytes] = []
        self._filled = anyio.Event()
        self._waiting: dict[int, _Answering[_A]] = {}

    async def wait_open(self) -> None:
        """Return when it is open. Raises: NoAnswer."""
        await self._settled.wait()
        if self.is_over:
            raise self._no_answer()

    def give_up_opening(self) -> None:
        """End it, unless it is open."""
        if not self._is_open:
            self._end("no connection in time")
            self._scope.cancel()

    async def ask(self, number: int, frame: bytes) -> _A:
        """Send the request of this number and wait for its answer. Raises: NoAnswer."""
        if self.is_over:
            raise self._no_answer()
        assert number not in self._waiting, f"two requests have the number {number}"
        answering = self._waiting[number] = _Answering()
        self._unsent.append(frame)
        self._filled.set()
        try:
            await answering.ended.wait()
        finally:
            del self._waiting[number]
        if answering.answer is None:
            raise self._no_answer()
        return answering.answer

    async def run(self, transport: Transport) -> None:
        """Connect, write requests and read answers, until the connection breaks or nobody needs it."""
        try:
            with self._scope:
                try:
                    stream = await transport.connect(self._address)
                except OSError as error:
                    self._end(str(error))
                    return
                try:
                    await self._serve(stream)
                finally:
                    await anyio.aclose_forcefully(stream)
        finally:
            self._end(self._why)

    async def _serve(self, stream: AnyByteStream) -> None:
        self._is_open = True
        self._settled.set()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write, stream)
            await self._read(stream)
            tasks.cancel_scope.cancel()

    async def _read(self, stream: AnyByteStream) -> None:
        """Pass on answers until the connection breaks."""
        reader = FrameReader()
        try:
            while True:
                for body in reader.feed(await stream.receive()):
                    response = self._read_response(body)
                    # An answer that nobody waits for any more came too late.
                    if (answering := self._waiting.get(response.request)) is not None:
                        answering.answer = response.answer
                        answering.ended.set()
        except anyio.EndOfStream:
            self._why = "it closed the connection"
        except BROKEN as error:
            self._why = str(error.__cause__ or error)

    async def _write(self, stream: AnyByteStream) -> None:
        """Write requests until cancelled; what breaks the connection is told by reading."""
        try:
            while True:
                await self._filled.wait()
                self._filled = anyio.Event()
                frames, self._unsent = self._unsent, []
                await stream.send(b"".join(frames))
        except BROKEN as error:
            self._end(str(error.__cause__ or error))
            self._scope.cancel()

    def _end(self, why: str) -> None:
        if self.is_over:
            return
        self.is_over, self._why = True, why
        self._settled.set()
        for answering in self._waiting.values():
            answering.ended.set()

    def _no_answer(self) -> NoAnswer:
        return NoAnswer(f"{self._address}: {self._why}")
