"""Reads the first message of each connection and routes it: peers to the drivers, clients to the handler.

A connection that sends anything unexpected is closed, and the log says why; no other connection is affected.
Memory kept for connections is bounded, however many there are and whatever they send or leave unread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import trio

from ostrakon.paxos_impl.server.client_connection import CHUNK_BYTES, ClientConnection, Usage
from ostrakon.paxos_impl.server.driver import Driver
from ostrakon.paxos_impl.server.limits import LIMITS, Limits
from ostrakon.paxos_impl.server.listener import Listener, TooManyConnections
from ostrakon.paxos_impl.server.log_record import LogSink
from ostrakon.paxos_impl.server.request_handler import RequestHandler
from ostrakon.paxos_impl.wire.decree import Envelope, Hello, cluster_tag
from ostrakon.paxos_impl.wire.frame import PEER_FRAME_MAX, BadFrame, FrameReader
from ostrakon.paxos_impl.wire.transport import PLAIN, NotAuthenticated, Transport

SHUTDOWN_GRACE_S = 3.0
"""Time that clients have to receive their answers when the server stops, in seconds."""


class Backend(Protocol):
    """A server that knows its cluster."""

    @property
    def drivers(self) -> Sequence[Driver[Any, Any]]:
        """One for each group; they receive the messages of other servers."""

    @property
    def handler(self) -> RequestHandler:
        """Serves clients."""

    def check(self, hello: Hello) -> None:
        """Check that a peer may talk to this server.

        Raises: BadFrame.
        """


class Dispatcher:
    """Receives connections for a backend.

    Until `open`, peers wait. Clients wait until `serve_clients` or `open`.
    """

    def __init__(
        self,
        handler: RequestHandler,
        log: LogSink,
        transport: Transport = PLAIN,
        limits: Limits = LIMITS,
    ) -> None:
        """`handler` serves clients until `open` replaces it with the backend's."""
        self._handler = handler
        self._serves_clients, self._opened = trio.Event(), trio.Event()
        self._backend: Backend | None = None
        self._clients: dict[ClientConnection, None] = {}
        self._is_closing = False
        self.usage = Usage(limits)
        """What clients use of the limits."""
        self.listener = Listener(self._receive, log, transport, limits)

    @property
    def clients(self) -> int:
        """Number of connected clients."""
        return len(self._clients)

    def open(self, backend: Backend) -> None:
        """Pass messages of peers and requests of clients to this backend from now on."""
        self._backend, self._handler = backend, backend.handler
        self._serves_clients.set()
        self._opened.set()

    def serve_clients(self) -> None:
        """Let the present handler serve clients from now on."""
        self._serves_clients.set()

    async def close(self) -> None:
        """Refuse new requests; return when all clients have their answers, or after `SHUTDOWN_GRACE_S`."""
        self._is_closing = True
        with trio.move_on_after(SHUTDOWN_GRACE_S):
            while not all(client.is_idle for client in self._clients):
                await trio.sleep(0.01)

    async def _receive(self, stream: trio.abc.Stream) -> None:
        """The first message shows whether a peer or a client has connected."""
        reader, bodies = FrameReader(), list[bytes]()
        first_s = self.usage.limits.first_request_s
        try:
            with trio.fail_after(first_s):
                while not bodies:
                    if not (chunk := await stream.receive_some(CHUNK_BYTES)):
                        return
                    bodies = reader.feed(chunk)
        except trio.TooSlowError:
            raise NotAuthenticated(f"it sent no message within {first_s:g} s") from None
        match self._handler.read(bodies[0]):
            case Hello() as hello:
                await self._opened.wait()
                assert self._backend is not None, "it was opened"
                self._backend.check(hello)
                reader.limit = PEER_FRAME_MAX
                await self._serve_peer(self._backend, stream, reader, bodies[1:], hello)
            case Envelope():
                raise BadFrame("a message from a server that did not say hello")
            case request:
                await self._serves_clients.wait()
                await self._serve_client(stream, reader, bodies, request)

    async def _serve_peer(
        self,
        backend: Backend,
        stream: trio.abc.Stream,
        reader: FrameReader,
        bodies: list[bytes],
        hello: Hello,
    ) -> None:
        """Serve another server's connection; its hello says who sends every message on it."""
        tag, drivers, sender = cluster_tag(hello.cluster_id), backend.drivers, hello.sender
        while True:
            for body in bodies:
                match backend.handler.read(body):
                    case Envelope(id, message, cluster, group):
                        if cluster != tag:
                            raise BadFrame(f"server {sender} sent a message of another cluster")
                        if not 0 <= group < len(drivers):
                            raise BadFrame(f"server {sender} sent a message to group {group}; there is none")
                        drivers[group].receive(message, sender, id)
                    case message if message != hello:  # A network may deliver the same hello twice.
                        raise BadFrame(f"server {sender} sent {type(message).__name__} to a server")
            chunk = await stream.receive_some(CHUNK_BYTES)
            if not chunk:
                return
            bodies = reader.feed(chunk)

    async def _serve_client(
        self, stream: trio.abc.Stream, reader: FrameReader, bodies: list[bytes], request: object
    ) -> None:
        client = ClientConnection(self._serve, self._handler.refusal, self.usage)
        if len(self._clients) >= self.usage.limits.clients:
            why = f"{self.usage.limits.clients} clients are connected already"
            self._handler.refuse(client, request, why)
            await client.send_queued(stream)
            raise TooManyConnections(why)
        self._clients[client] = None
        try:
            await client.serve(stream, reader, bodies)
        finally:
            del self._clients[client]

    def _serve(self, client: ClientConnection, body: bytes) -> None:
        handler = self._handler
        request = handler.read(body)
        if self._is_closing:
            handler.refuse(client, request, "this server is about to stop")
        else:
            handler.serve(client, request, len(body))
