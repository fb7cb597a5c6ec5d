"""The reception: who connects to an instance, and what may be said to it.

Whatever is odd closes the connection it came by and is logged; nobody else is disturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import trio

from paxos_impl.core import Event, GetRequested, Outcome, ProposeRequested, Received, Refused, Value
from paxos_impl.frame import BadFrame, FrameReader
from paxos_impl.membership import Membership
from paxos_impl.outbox import Outbox
from paxos_impl.wire import (
    PROTOCOL,
    Answer,
    ClientGet,
    ClientPropose,
    ClientStatus,
    Envelope,
    Hello,
    Response,
    Status,
    framed,
    read_incoming,
)

if TYPE_CHECKING:
    from paxos_impl.node import Node

VALUE_BYTES_MAX = 1 << 18
"""The longest request in bytes: a message that reports two such values still fits in a frame."""
BACKLOG_MAX = 10_000
"""How many unhandled events there may be before messages are dropped and clients refused."""
UNREAD_MAX = 1000
"""How many responses a client may leave unread before the oldest are dropped."""

_CHUNK_BYTES = 1 << 16


class Reception:
    """Receives connections on behalf of one node."""

    def __init__(
        self, node: Node, membership: Membership, server_id: int, log: Callable[[str], None]
    ) -> None:
        self._node, self._membership, self._me, self._log = node, membership, server_id, log
        self._newest: dict[int, int] = {}

    async def welcome(self, stream: trio.SocketStream) -> None:
        """Serve one connection to its end."""
        async with stream:
            try:
                await self._listen(stream)
            except BadFrame as error:
                self._log(f"closed a connection: {error}")
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # It broke; who was there will connect again.

    async def _listen(self, stream: trio.SocketStream) -> None:
        """What the first message is decides who is there."""
        reader = FrameReader()
        while chunk := await stream.receive_some(_CHUNK_BYTES):
            if bodies := reader.feed(chunk):
                match read_incoming(bodies[0]):
                    case Hello() as hello:
                        self._check(hello)
                        return await self._hear_peer(stream, reader, bodies[1:], hello)
                    case Envelope():
                        raise BadFrame("a message from an instance that did not say hello")
                    case _:
                        return await self._hear_client(stream, reader, bodies)
        return None

    # Other instances.

    def _check(self, hello: Hello) -> None:
        for what, theirs, ours in (
            ("speaks protocol", hello.protocol, PROTOCOL),
            ("belongs to cluster", hello.cluster_id, self._membership.cluster_id),
            ("means to talk to server", hello.receiver, self._me),
        ):
            if theirs != ours:
                raise BadFrame(f"server {hello.sender} {what} {theirs!r}; this is {ours!r}")
        if hello.sender not in self._membership.members or hello.sender == self._me:
            raise BadFrame(f"server {hello.sender} is no other member of {self._membership.cluster_id!r}")
        newest = self._newest.get(hello.sender)
        if newest is not None and hello.incarnation < newest:
            raise BadFrame(f"server {hello.sender} has been restarted since it said this hello")
        if newest is not None and hello.incarnation > newest:
            # It was restarted: what we still have open leads to the process before.
            self._node.links[hello.sender].reconnect()
        self._newest[hello.sender] = hello.incarnation

    async def _hear_peer(
        self, stream: trio.SocketStream, reader: FrameReader, bodies: list[bytes], hello: Hello
    ) -> None:
        while True:
            for body in bodies:
                match read_incoming(body):
                    case Envelope(id, message):
                        if self._node.backlog < BACKLOG_MAX:
                            self._node.submit(Received(message, hello.sender, id))
                    case incoming if incoming != hello:  # The same hello may come twice.
                        raise BadFrame(f"server {hello.sender} sent {type(incoming).__name__} to an instance")
            chunk = await stream.receive_some(_CHUNK_BYTES)
            if not chunk:
                return
            bodies = reader.feed(chunk)

    # Clients.

    async def _hear_client(self, stream: trio.SocketStream, reader: FrameReader, bodies: list[bytes]) -> None:
        client = _Client(self._node, self._status)
        broken: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.write, stream)
            try:
                while bodies or (chunk := await stream.receive_some(_CHUNK_BYTES)):
                    for body in bodies or reader.feed(chunk):
                        client.take(body)
                    bodies = []
            except (BadFrame, trio.BrokenResourceError) as error:
                broken = error
            client.leave()
            nursery.cancel_scope.cancel()
        if broken is not None:
            raise broken

    def _status(self) -> Status:
        instance = self._node.instance
        return Status(
            self._me,
            self._membership.cluster_id,
            instance.incarnation,
            self._membership.members,
            instance.acceptor.promised,
            instance.acceptor.accepted,
            instance.learner.chosen,
            type(instance.proposer.phase).__name__.lower(),
        )


class _Client:
    """One connection of a client: takes requests as they come, and writes answers as they are ready."""

    def __init__(self, node: Node, status: Callable[[], Status]) -> None:
        self._node, self._status = node, status
        self._outbox = Outbox(UNREAD_MAX)
        self._waiting: dict[int, None] = {}

    def take(self, body: bytes) -> None:
        """Begin to serve a request.

        Raises: BadFrame.
        """
        match read_incoming(body):
            case ClientStatus(request):
                self._answer(request, self._status())
            case ClientPropose(request) | ClientGet(request) if self._node.backlog >= BACKLOG_MAX:
                self._answer(request, Refused("too much to do; try again later"))
            case ClientPropose(request) if len(body) > VALUE_BYTES_MAX:
                self._answer(request, Refused(f"the value is too long: at most {VALUE_BYTES_MAX} bytes"))
            case ClientPropose(request, None):
                self._answer(request, Refused("null stands for no value, and can't be proposed"))
            case ClientPropose(request, value) if not _is_plain(value):
                self._answer(request, Refused("the value is not plain data, such as JSON can carry"))
            case ClientPropose(request, value):
                self._pass_on(request, lambda number: ProposeRequested(number, value))
            case ClientGet(request):
                self._pass_on(request, GetRequested)
            case incoming:
                raise BadFrame(f"a client sent {type(incoming).__name__}")

    async def write(self, stream: trio.SocketStream) -> None:
        """Write answers until cancelled, or until nobody reads them."""
        with suppress(trio.BrokenResourceError):
            while True:
                await self._outbox.wait_filled()
                await stream.send_all(self._outbox.take())

    def leave(self) -> None:
        """The client is gone. What it proposed stays proposed."""
        for number in self._waiting:
            self._node.forget(number)

    def _pass_on(self, request: int, event: Callable[[int], Event]) -> None:
        def answer(outcome: Outcome) -> None:
            del self._waiting[number]
            self._answer(request, outcome)

        number = self._node.ask(event, answer)
        self._waiting[number] = None

    def _answer(self, request: int, answer: Answer) -> None:
        self._outbox.put(framed(Response(request, answer)))


def _is_plain(value: Value) -> bool:
    """Whether a value can be traced and shown; msgpack can carry more than that."""
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
