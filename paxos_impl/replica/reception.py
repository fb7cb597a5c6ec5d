"""The reception of a replica: who connects to it, and what may be said to it.

Whatever is odd closes the connection it came by and is logged; nobody else is disturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from paxos_impl.core.log import Command, Event, ReadRequested, Received, Submitted
from paxos_impl.frame import BadFrame, FrameReader
from paxos_impl.kv.machine import BadOperation
from paxos_impl.membership import Membership
from paxos_impl.peers import Peers
from paxos_impl.reception import BACKLOG_MAX, is_plain
from paxos_impl.replica.wire import (
    PROTOCOL,
    AskStatus,
    Envelope,
    Execute,
    Read,
    Refused,
    Response,
    Status,
    read_incoming,
)
from paxos_impl.visitor import CHUNK_BYTES, Visitor
from paxos_impl.wire import Hello

if TYPE_CHECKING:
    from paxos_impl.replica.node import ReplicaNode

COMMAND_BYTES_MAX = 8192
"""The longest command in bytes: as many as a promise may have to report still fit in a frame."""


class Reception:
    """Receives connections on behalf of one replica."""

    def __init__(
        self, node: ReplicaNode, membership: Membership, server_id: int, log: Callable[[str], None]
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
                        raise BadFrame("a message from a replica that did not say hello")
                    case _:
                        await Visitor(self._node, self._take).serve(stream, reader, bodies)
                        return None
        return None

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
                        raise BadFrame(f"server {hello.sender} sent {type(incoming).__name__} to a replica")
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
            case AskStatus(request):
                visitor.answer(Response(request, self._status()))
            case Execute(request) | Read(request) if self._node.backlog >= BACKLOG_MAX:
                why = "too much to do; try again later"
                visitor.answer(Response(request, Refused(why, is_final=False)))
            case Execute(request, op=op) | Read(request, op) if why := self._objection(op, len(body)):
                visitor.answer(Response(request, Refused(why, is_final=True)))
            case Execute(request, client, number, op):
                command = Command(client, number, op)
                self._pass_on(visitor, request, lambda n: Submitted(n, command, len(body)))
            case Read(request, op) if not self._node.machine.is_query(op):
                why = "this operation does more than look; have it executed instead"
                visitor.answer(Response(request, Refused(why, is_final=True)))
            case Read(request, op):
                self._pass_on(visitor, request, lambda n: ReadRequested(n, op))
            case incoming:
                raise BadFrame(f"a client sent {type(incoming).__name__}")

    def _objection(self, op: Any, size: int) -> str:
        """Why an operation can't be taken up; empty if it can."""
        if size > COMMAND_BYTES_MAX:
            return f"the command is too long: {size} bytes, of at most {COMMAND_BYTES_MAX}"
        if not is_plain(op):
            return "the operation is not plain data, such as JSON can carry"
        try:
            self._node.machine.check(op)
        except BadOperation as error:
            return str(error)
        return ""

    def _pass_on(self, visitor: Visitor, request: int, event: Callable[[int], Event]) -> None:
        visitor.pass_on(
            lambda answer: self._node.ask(event, answer), lambda outcome: Response(request, outcome)
        )

    def _status(self) -> Status:
        replica = self._node.replica
        return Status(
            self._me,
            self._membership.cluster_id,
            replica.incarnation,
            self._membership.members,
            type(replica.phase).__name__.lower(),
            replica.leader,
            replica.promised,
            replica.upto,
            replica.ledger.top,
        )
