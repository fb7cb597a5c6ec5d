"""One connection of a client: requests are taken as they arrive and answered when their answers are ready."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import trio

from ostrakon.paxos_impl.server.send_queue import SendQueue
from ostrakon.paxos_impl.wire.decree import Response, framed
from ostrakon.paxos_impl.wire.frame import BadFrame, FrameReader

CHUNK_BYTES = 1 << 16
UNANSWERED_MAX = 1000
"""Maximum number of requests in progress plus unread answers of one client. While there are more, the server
does not read from the connection, so TCP stops the client from sending."""


class RequestQueue(Protocol):
    """Executes requests: a `Driver`."""

    def ask(self, event: Callable[[int], Any], answer: Callable[[Any], None]) -> int:
        """Submit a request. `event` makes it from the number returned; `answer` is called with the
        outcome."""

    def forget(self, request: int) -> None:
        """Drop the answer to this request, because its client is gone."""


class ClientConnection:
    """Serves one client. `take` begins to serve requests that arrived together; it may raise BadFrame."""

    def __init__(
        self,
        take: Callable[[ClientConnection, Sequence[bytes]], None],
        answered: Counter[type] | None = None,
    ) -> None:
        """`answered` counts the answers by type."""
        self._take, self._answered = take, Counter[type]() if answered is None else answered
        self._queue = SendQueue(None)
        self._waiting: dict[tuple[RequestQueue, int], None] = {}
        self._is_writing = self._is_gone = False
        self._progress = trio.Event()

    @property
    def is_idle(self) -> bool:
        """Whether every request is answered and every answer is written."""
        return self._is_gone or not (self._waiting or self._is_writing or len(self._queue))

    async def serve(self, stream: trio.abc.Stream, reader: FrameReader, bodies: list[bytes]) -> None:
        """Serve the connection until it ends; `bodies` are the messages that were read before.

        Requests that were submitted are executed even if the client is gone. Raises: BadFrame,
        trio.BrokenResourceError.
        """
        broken: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, stream)
            try:
                while bodies or (chunk := await stream.receive_some(CHUNK_BYTES)):
                    self._take(self, bodies or reader.feed(chunk))
                    bodies = []
                    await self._wait_room()
            except (BadFrame, trio.BrokenResourceError) as error:
                broken = error
            for queue, number in self._waiting:
                queue.forget(number)
            nursery.cancel_scope.cancel()
        if broken is not None:
            raise broken

    async def send_queued(self, stream: trio.abc.Stream) -> None:
        """Write the answers that are queued now. Raises: trio.BrokenResourceError."""
        await stream.send_all(self._queue.take())

    def answer(self, request: int, answer: object) -> None:
        """Queue the answer to a request."""
        self._answered[type(answer)] += 1
        self._queue.put(framed(Response(request, answer)))

    def submit(self, request: int, queue: RequestQueue, event: Callable[[int], Any]) -> None:
        """Submit a request to a queue and answer it with the outcome."""

        def answer(outcome: Any) -> None:
            del self._waiting[queue, number]
            self.answer(request, outcome)

        number = queue.ask(event, answer)
        self._waiting[queue, number] = None

    async def _wait_room(self) -> None:
        """Return when there are few enough requests and answers, or when the client is gone."""
        while len(self._waiting) + len(self._queue) > UNANSWERED_MAX and not self._is_gone:
            self._progress = trio.Event()
            await self._progress.wait()

    async def _write(self, stream: trio.abc.Stream) -> None:
        """Write answers until cancelled, or until the connection breaks."""
        try:
            while True:
                await self._queue.wait_filled()
                self._is_writing = True
                await stream.send_all(self._queue.take())
                self._is_writing = False
                self._progress.set()
        except trio.BrokenResourceError:
            self._is_gone = True
            self._progress.set()
