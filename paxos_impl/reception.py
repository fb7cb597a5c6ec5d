"""The reception of a server: who connects to it, and whom what they say is passed on to.

Whatever is odd closes the connection it came by and is logged; nobody else is disturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from paxos_impl.frame import BadFrame, FrameReader
from paxos_impl.transport import PLAIN, Stranger, Transport
from paxos_impl.visitor import CHUNK_BYTES, Visitor
from paxos_impl.wire import Envelope, Hello


class Desk(Protocol):
    """What stands behind a reception: it knows what messages there are, and what is to become of them."""

    def read(self, body: bytes) -> object:
        """The message in a frame.

        Raises: BadFrame.
        """

    def admit(self, hello: Hello) -> None:
        """Whether to listen to another server.

        Raises: BadFrame.
        """

    def hear(self, envelope: Envelope[object], sender: int) -> None:
        """A server that was admitted has sent a message."""

    def serve(self, visitor: Visitor, request: object, size: int) -> None:
        """Begin to serve a client's request, which was so many bytes long.

        Raises: BadFrame.
        """


class Reception:
    """Receives connections on behalf of one desk."""

    def __init__(self, desk: Desk, log: Callable[[str], None], transport: Transport = PLAIN) -> None:
        self._desk, self._log, self._transport = desk, log, transport

    async def welcome(self, connection: trio.SocketStream) -> None:
        """Serve one connection to its end."""
        async with connection:
            try:
                stream = await self._transport.take(connection)
                await self._listen(stream)
            except (BadFrame, Stranger) as error:
                self._log(f"closed a connection: {error}")
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # It broke; who was there will connect again.

    async def _listen(self, stream: trio.abc.Stream) -> None:
        """What the first message is decides who is there."""
        reader = FrameReader()
        while chunk := await stream.receive_some(CHUNK_BYTES):
            if bodies := reader.feed(chunk):
                match self._desk.read(bodies[0]):
                    case Hello() as hello:
                        self._desk.admit(hello)
                        return await self._hear(stream, reader, bodies[1:], hello)
                    case Envelope():
                        raise BadFrame("a message from a server that did not say hello")
                    case _:
                        return await Visitor(self._serve).stay(stream, reader, bodies)
        return None

    async def _hear(
        self, stream: trio.abc.Stream, reader: FrameReader, bodies: list[bytes], hello: Hello
    ) -> None:
        """Another server's connection."""
        while True:
            for body in bodies:
                match self._desk.read(body):
                    case Envelope() as envelope:
                        self._desk.hear(envelope, hello.sender)
                    case message if message != hello:  # The same hello may come twice.
                        raise BadFrame(f"server {hello.sender} sent {type(message).__name__} to a server")
            chunk = await stream.receive_some(CHUNK_BYTES)
            if not chunk:
                return
            bodies = reader.feed(chunk)

    def _serve(self, visitor: Visitor, body: bytes) -> None:
        """A client's request."""
        self._desk.serve(visitor, self._desk.read(body), len(body))
