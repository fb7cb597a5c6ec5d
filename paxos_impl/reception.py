"""The reception of a server: who connects to it, and whom what they say is passed on to.

Whatever is odd closes the connection it came by, and the log says why; nobody else is disturbed. However
many connect, and whatever they send or leave unread, what is kept for them is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import trio

from ostrakon.paxos_impl.door import FIRST_WORDS_S, Crowded, Door
from ostrakon.paxos_impl.driver import Driver
from ostrakon.paxos_impl.frame import BadFrame, FrameReader
from ostrakon.paxos_impl.peers import Peers
from ostrakon.paxos_impl.remark import Remarks
from ostrakon.paxos_impl.transport import PLAIN, Stranger, Transport
from ostrakon.paxos_impl.visitor import CHUNK_BYTES, Visitor
from ostrakon.paxos_impl.wire import Envelope, Hello, mark_of

CLIENTS_MAX = 1000
"""How many clients may be connected; a further one is told that it is one too many."""
GRACE_S = 3.0
"""How long clients that wait for answers are waited for when the server stops."""


class Desk(Protocol):
    """What stands behind a reception: it knows what messages there are, and serves clients."""

    def read(self, body: bytes) -> object:
        """The message in a frame.

        Raises: BadFrame.
        """

    def serve(self, visitor: Visitor, request: Any, size: int) -> None:
        """Begin to serve a client's request, which was so many bytes long.

        Raises: BadFrame.
        """

    def turn_away(self, visitor: Visitor, request: Any, why: str) -> None:
        """Answer a request: nothing was done for it, and who wants it done should ask another server.

        Raises: BadFrame.
        """


class Host(Protocol):
    """Who has a reception: a server that knows who the others are."""

    @property
    def drivers(self) -> Sequence[Driver[Any, Any]]:
        """What messages of other servers are for: one for each group."""

    @property
    def peers(self) -> Peers:
        """Knows the others."""

    @property
    def desk(self) -> Desk:
        """Serves clients."""


class Reception:
    """Receives connections on behalf of a host.

    As long as it is not open, other servers wait in it, and so do clients until it `speaks`.
    """

    def __init__(self, desk: Desk, log: Remarks, transport: Transport = PLAIN) -> None:
        """`desk` stands in for that of the host until there is one."""
        self._desk = desk
        self._speaks, self._opened = trio.Event(), trio.Event()
        self._host: Host | None = None
        self._visitors: dict[Visitor, None] = {}
        self._is_closing = False
        self.answered: Counter[type] = Counter()
        """How many answers were given, by their kind."""
        self.door = Door(self._receive, log, transport)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._visitors)

    def open(self, host: Host) -> None:
        """From now on other servers are heard, and clients served, by this host."""
        self._host, self._desk = host, host.desk
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
                assert self._host is not None, "it was opened"
                self._host.peers.check(hello)
                await self._hear(self._host, stream, reader, bodies[1:], hello)
            case Envelope():
                raise BadFrame("a message from a server that did not say hello")
            case request:
                await self._speaks.wait()
                await self._entertain(stream, reader, bodies, request)

    async def _hear(
        self, host: Host, stream: trio.abc.Stream, reader: FrameReader, bodies: list[bytes], hello: Hello
    ) -> None:
        """Another server's connection. What it said of itself holds for each message of it, too."""
        mark, drivers, sender = mark_of(hello.cluster_id), host.drivers, hello.sender
        while True:
            for body in bodies:
                match host.desk.read(body):
                    case Envelope(id, message, cluster, group):
                        if cluster != mark:
                            raise BadFrame(f"server {sender} sent a message of another cluster")
                        if not 0 <= group < len(drivers):
                            raise BadFrame(f"server {sender} sent a message to group {group}; there is none")
                        drivers[group].receive(message, sender, id)
                    case message if message != hello:  # The same hello may come twice.
                        raise BadFrame(f"server {sender} sent {type(message).__name__} to a server")
            chunk = await stream.receive_some(CHUNK_BYTES)
            if not chunk:
                return
            bodies = reader.feed(chunk)

    async def _entertain(
        self, stream: trio.abc.Stream, reader: FrameReader, bodies: list[bytes], request: object
    ) -> None:
        """A client's connection."""
        visitor = Visitor(self._serve, self.answered)
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

    def _serve(self, visitor: Visitor, bodies: Sequence[bytes]) -> None:
        desk, read = self._desk, self._desk.read
        for body in bodies:
            request = read(body)
            if self._is_closing:
                desk.turn_away(visitor, request, "this server is about to stop")
            else:
                desk.serve(visitor, request, len(body))
