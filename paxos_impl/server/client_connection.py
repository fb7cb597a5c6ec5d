"""One connection of a client: requests are taken as they arrive and answered when their answers are ready."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import trio

from ostrakon.paxos_impl.server.limits import LIMITS, Limits
from ostrakon.paxos_impl.server.metrics import Histogram
from ostrakon.paxos_impl.server.send_queue import SendQueue
from ostrakon.paxos_impl.wire.decree import Response, framed
from ostrakon.paxos_impl.wire.frame import BadFrame, FrameReader

CHUNK_BYTES = 1 << 16
UNANSWERED_MAX = 1000
"""Maximum number of requests in progress plus unread answers of one client. While there are more, the server
does not read from the connection, so TCP stops the client from sending."""
UNREAD_BYTES_MAX = 4 << 20
"""The same for the length of its unread answers, in bytes."""


class RequestQueue(Protocol):
    """Executes requests: a `Driver`."""

    def ask(self, event: Callable[[int], Any], answer: Callable[[Any], None], size: int = 0) -> int:
        """Submit a request of `size` bytes. `event` makes it from the number returned; `answer` is called
        with the outcome."""

    def forget(self, request: int) -> None:
        """Drop the answer to this request, because its client is gone."""


@dataclass(slots=True)
class Usage:
    """What all clients of a server share: the limits, and what they use of them."""

    limits: Limits = LIMITS
    answered: Counter[type] = field(default_factory=Counter)
    """Number of answers by type."""
    latencies: dict[str, Histogram] = field(default_factory=dict)
    """How long requests took, by kind."""
    unread_bytes: int = 0
    """Length of all answers that were not sent yet."""
    unsendable: int = 0
    """Number of answers that could not be encoded, or were too long."""


class ClientConnection:
    """Serves one client.

    `take` begins to serve one request; it may raise BadFrame. `refusal` makes the answer that is sent in
    place of one that can't be sent, from a reason.
    """

    def __init__(
        self,
        take: Callable[[ClientConnection, bytes], None],
        refusal: Callable[[str], object],
        usage: Usage | None = None,
    ) -> None:
        self._take, self._refusal = take, refusal
        self._usage = Usage() if usage is None else usage
        self._queue = SendQueue(None)
        self._waiting: dict[tuple[RequestQueue, int], None] = {}
        self._is_writing = self._is_gone = False
        self._nursery: trio.Nursery | None = None
        self.streams = 0
        """Number of requests that are answered again and again."""
        self._progress = trio.Event()
        self._scope = trio.CancelScope()
        self._overflow = False
        self._cut_since_s: float | None = None
        """When the first byte of a message arrived that is not whole yet."""

    @property
    def is_idle(self) -> bool:
        """Whether every request is answered and every answer is written."""
        return self._is_gone or not (self._waiting or self._is_writing or len(self._queue))

    async def serve(self, stream: trio.abc.Stream, reader: FrameReader, bodies: Sequence[bytes]) -> None:
        """Serve the connection until it ends; `bodies` are the messages that were read before.

        Requests that were submitted are executed even if the client is gone. Raises: BadFrame,
        trio.BrokenResourceError.
        """
        broken: Exception | None = None
        with self._scope:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._write, stream)
                try:
                    while bodies or (chunk := await self._receive(stream, reader)):
                        for body in bodies or self._feed(reader, chunk):
                            self._take(self, body)
                            await self._wait_room()
                        bodies = ()
                except (BadFrame, trio.BrokenResourceError) as error:
                    broken = error
                nursery.cancel_scope.cancel()
        for queue, number in self._waiting:
            queue.forget(number)
        self._usage.unread_bytes -= self._queue.size
        self._queue.take()
        if self._overflow:
            raise BadFrame("it does not read its answers")
        if broken is not None:
            raise broken

    async def _receive(self, stream: trio.abc.Stream, reader: FrameReader) -> bytes | bytearray:
        """The next bytes; empty at the end of the connection, or after a time-out. Raises: BadFrame."""
        limits = self._usage.limits
        while True:
            if self._cut_since_s is not None:
                with trio.move_on_at(self._cut_since_s + limits.first_request_s):
                    return await stream.receive_some(CHUNK_BYTES)
                raise BadFrame(f"a message did not arrive whole within {limits.first_request_s:g} s")
            if limits.idle_s is None:
                return await stream.receive_some(CHUNK_BYTES)
            with trio.move_on_after(limits.idle_s):
                return await stream.receive_some(CHUNK_BYTES)
            if self.is_idle and not self.streams:
                return b""

    def _feed(self, reader: FrameReader, chunk: bytes | bytearray) -> list[bytes]:
        bodies = reader.feed(chunk)
        if reader.is_empty:
            self._cut_since_s = None
        elif bodies or self._cut_since_s is None:
            self._cut_since_s = trio.current_time()
        return bodies

    async def send_queued(self, stream: trio.abc.Stream) -> None:
        """Write the answers that are queued now. Raises: trio.BrokenResourceError."""
        self._usage.unread_bytes -= self._queue.size
        await stream.send_all(self._queue.take())

    def answer(self, request: int, answer: object) -> None:
        """Queue the answer to a request. An answer that can't be sent is replaced by a refusal."""
        if self._overflow:
            return
        try:
            frame = framed(Response(request, answer))
        except Exception as error:  # An answer must never be the end of the server that gives it.
            self._usage.unsendable += 1
            answer = self._refusal(f"the answer can't be sent: {error}")
            frame = framed(Response(request, answer))
        usage = self._usage
        usage.answered[type(answer)] += 1
        self._queue.put(frame)
        usage.unread_bytes += len(frame)
        if usage.unread_bytes > usage.limits.answer_bytes and self._queue.size > UNREAD_BYTES_MAX:
            self._overflow = True
            self._scope.cancel()

    def submit(
        self,
        request: int,
        queue: RequestQueue,
        event: Callable[[int], Any],
        size: int = 0,
        kind: str = "request",
    ) -> None:
        """Submit a request of `size` bytes to a queue and answer it with the outcome.

        Its latency is counted with others of its kind.
        """
        latencies = self._usage.latencies.get(kind)
        if latencies is None:
            latencies = self._usage.latencies[kind] = Histogram()
        begun_s = trio.current_time()

        def answer(outcome: Any) -> None:
            latencies.add(trio.current_time() - begun_s)
            del self._waiting[queue, number]
            self.answer(request, outcome)

        number = queue.ask(event, answer, size)
        self._waiting[queue, number] = None

    async def _wait_room(self) -> None:
        """Return when there are few enough requests and answers, or when the client is gone."""
        while not self._is_gone and (
            len(self._waiting) + len(self._queue) > UNANSWERED_MAX or self._queue.size > UNREAD_BYTES_MAX
        ):
            await self._progress.wait()

    def stream(self, answer: Callable[[], Awaitable[None]]) -> None:
        """Answer a request again and again, by `answer`, until that returns or the client is gone."""
        assert self._nursery is not None, "the client is being served"
        self.streams += 1
        self._nursery.start_soon(self._stream, answer)

    async def _stream(self, answer: Callable[[], Awaitable[None]]) -> None:
        await answer()
        self.streams -= 1

    async def wait_read(self) -> None:
        """Return when the client has read most of its answers. A client that is gone is never waited for."""
        while self._queue.size > UNREAD_BYTES_MAX // 4:
            await self._progress.wait()

    async def _write(self, stream: trio.abc.Stream) -> None:
        """Write answers until cancelled, or until the connection breaks."""
        try:
            while True:
                await self._queue.wait_filled()
                self._is_writing = True
                self._usage.unread_bytes -= self._queue.size
                await stream.send_all(self._queue.take())
                self._is_writing = False
                self._tell_progress()
        except trio.BrokenResourceError:
            self._is_gone = True
            self._tell_progress()

    def _tell_progress(self) -> None:
        progress, self._progress = self._progress, trio.Event()
        progress.set()
