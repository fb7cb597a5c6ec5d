"""The reception of a server: who connects to it, and whom what they say is passed on to.

Whatever is odd closes the connection it came by, and the log says why; nobody else is disturbed. However
many connect, and whatever they send or leave unread, what is kept for them is bounded.
"""

from __future__ import annotations

from typing import Any, Protocol

import trio

from paxos_impl.door import FIRST_WORDS_S, Crowded, Door
from paxos_impl.frame import BadFrame, FrameReader
from paxos_impl.remark import Remarks
from paxos_impl.transport import PLAIN, Stranger, Transport
from paxos_impl.visitor import CHUNK_BYTES, Visitor
from paxos_impl.wire import Envelope, Hello

CLIENTS_MAX = 1000
"""How many clients may be connected; a further one is told that it is one too many."""
GRACE_S = 3.0
"""How long clients that wait for answers are waited for when the server stops."""


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

    def hear(self, envelope: Envelope[Any], sender: int) -> None:
        """A server that was admitted has sent a message."""

    def serve(self, visitor: Visitor, request: Any, size: int) -> None:
        """Begin to serve a client's request, which was so many bytes long.

        Raises: BadFrame.
        """

    def turn_away(self, visitor: Visitor, request: Any, why: str) -> None:
        """Answer a request: nothing was done for it, and who wants it done should ask another server.

        Raises: BadFrame.
        """


class Reception:
    """Receives connections on behalf of a desk.

    If it is not open yet, other servers wait in it until it is, and clients until it is or `speaks`.
    """

    def __init__(
        self, desk: Desk, log: Remarks, transport: Transport = PLAIN, *, is_open: bool = True
    ) -> None:
        self._desk = desk
        self._speaks, self._opened = trio.Event(), trio.Event()
        if is_open:
            self.open(desk)
        self._visitors: dict[Visitor, None] = {}
        self._is_closing = False
        self.door = Door(self._receive, log, transport)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._visitors)

    def open(self, desk: Desk) -> None:
        """From now on this desk serves clients, and admits other servers."""
        self._desk = desk
        self._speaks.set()
        self._opened.set()

    def speak(self) -> None:
        """From now on clients are served by the desk there is."""
        self._speaks.set()

    async def close(self) -> None:
        """Turn away whoever asks for something from now on; return when all who waited are answered.

        That takes at most `GRACE_S`.
        """
        self._is_closing = True
        with trio.move_on_after(GRACE_S):
            while not all(visitor.is_satisfied for visitor in self._visitors):
                await trio.sleep(0.01)

    async def _receive(self, stream: trio.abc.Stream) -> None:
        """What the first message is decides who is there."""
        reader, bodies = FrameReader(), list[bytes]()
        try:
            with trio.fail_after(FIRST_WORDS_S):
                while not bodies:
                    if not (chunk := await stream.receive_some(CHUNK_BYTES)):
                        return
                    bodies = reader.feed(chunk)
        except trio.TooSlowError:
            raise Stranger(f"it did not say within {FIRST_WORDS_S:g} s what it wants") from None
        match self._desk.read(bodies[0]):
            case Hello() as hello:
                await self._opened.wait()
                self._desk.admit(hello)
                await self._hear(stream, reader, bodies[1:], hello)
            case Envelope():
                raise BadFrame("a message from a server that did not say hello")
            case request:
                await self._speaks.wait()
                await self._entertain(stream, reader, bodies, request)

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

    async def _entertain(
        self, stream: trio.abc.Stream, reader: FrameReader, bodies: list[bytes], request: object
    ) -> None:
        """A client's connection."""
        visitor = Visitor(self._serve)
        if len(self._visitors) >= CLIENTS_MAX:
            why = f"{CLIENTS_MAX} clients are connected already"
            self._desk.turn_away(visitor, request, why)
            await visitor.leave(stream)
            raise Crowded(why)
        self._visitors[visitor] = None
        try:
            await visitor.stay(stream, reader, bodies)
        finally:
            del self._visitors[visitor]

    def _serve(self, visitor: Visitor, body: bytes) -> None:
        request = self._desk.read(body)
        if self._is_closing:
            self._desk.turn_away(visitor, request, "this server is about to stop")
        else:
            self._desk.serve(visitor, request, len(body))
