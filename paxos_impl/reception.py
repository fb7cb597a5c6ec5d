"""The reception: who connects to an instance, and what may be said to it.

Whatever is odd closes the connection it came by and is logged; nobody else is disturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import trio

from paxos_impl.core import Event, GetRequested, ProposeRequested, Received, Refused, Value
from paxos_impl.frame import BadFrame, FrameReader
from paxos_impl.membership import Membership
from paxos_impl.peers import Peers
from paxos_impl.visitor import CHUNK_BYTES, Visitor
from paxos_impl.wire import (
    PROTOCOL,
    ClientGet,
    ClientPropose,
    ClientStatus,
    Envelope,
    Hello,
    Response,
    Status,
    read_incoming,
)

if TYPE_CHECKING:
    from paxos_impl.node import Node

VALUE_BYTES_MAX = 1 << 18
"""The longest request in bytes: a message that reports two such values still fits in a frame."""
BACKLOG_MAX = 10_000
"""How many unhandled events there may be before messages are dropped and clients refused."""


class Reception:
    """Receives connections on behalf of one node."""

    def __init__(
        self, node: Node, membership: Membership, server_id: int, log: Callable[[str], None]
    ) -> None:
        self._node, self._membership, self._me, self._log = node, membership, server_id, log
        self._peers = Peers(membership, server_id, PROTOCOL, node.links)

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
        while chunk := await stream.receive_some(CHUNK_BYTES):
            if bodies := reader.feed(chunk):
                match read_incoming(bodies[0]):
                    case Hello() as hello:
                        self._peers.check(hello)
                        return await self._hear_peer(stream, reader, bodies[1:], hello)
                    case Envelope():
                        raise BadFrame("a message from an instance that did not say hello")
                    case _:
                        return await Visitor(self._node, self._take).serve(stream, reader, bodies)
        return None

    # Other instances.

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
            chunk = await stream.receive_some(CHUNK_BYTES)
            if not chunk:
                return
            bodies = reader.feed(chunk)

    # Clients.

    def _take(self, visitor: Visitor, body: bytes) -> None:
        """Begin to serve a request.

        Raises: BadFrame.
        """
        match read_incoming(body):
            case ClientStatus(request):
                visitor.answer(Response(request, self._status()))
            case ClientPropose(request) | ClientGet(request) if self._node.backlog >= BACKLOG_MAX:
                visitor.answer(Response(request, Refused("too much to do; try again later")))
            case ClientPropose(request) if len(body) > VALUE_BYTES_MAX:
                why = f"the value is too long: at most {VALUE_BYTES_MAX} bytes"
                visitor.answer(Response(request, Refused(why)))
            case ClientPropose(request, None):
                visitor.answer(Response(request, Refused("null stands for no value, and can't be proposed")))
            case ClientPropose(request, value) if not is_plain(value):
                why = "the value is not plain data, such as JSON can carry"
                visitor.answer(Response(request, Refused(why)))
            case ClientPropose(request, value):
                self._pass_on(visitor, request, lambda number: ProposeRequested(number, value))
            case ClientGet(request):
                self._pass_on(visitor, request, GetRequested)
            case incoming:
                raise BadFrame(f"a client sent {type(incoming).__name__}")

    def _pass_on(self, visitor: Visitor, request: int, event: Callable[[int], Event]) -> None:
        visitor.pass_on(
            lambda answer: self._node.ask(event, answer), lambda outcome: Response(request, outcome)
        )

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


def is_plain(value: Value) -> bool:
    """Whether a value can be traced and shown; msgpack can carry more than that."""
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
