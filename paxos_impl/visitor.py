"""A visitor: one connection of a client, whose requests are taken as they come and answered when ready."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import trio

from ostrakon.paxos_impl.frame import BadFrame, FrameReader
from ostrakon.paxos_impl.outbox import Outbox
from ostrakon.paxos_impl.wire import Response, framed

CHUNK_BYTES = 1 << 16
UNANSWERED_MAX = 1000
"""How many requests and unread answers of one client there may be; it is not listened to while there are
more, and so its own writing comes to a halt."""


class Host(Protocol):
    """Who does what visitors ask for."""

    def ask(self, event: Callable[[int], Any], answer: Callable[[Any], None]) -> int:
        """Begin with a request, made by `event` from the number returned; call `answer` with the outcome."""

    def forget(self, request: int) -> None:
        """Nobody waits for the answer to this request any more."""


class Visitor:
    """`take` begins to serve requests that have come together, and may raise BadFrame."""

    def __init__(
        self, take: Callable[[Visitor, Sequence[bytes]], None], answered: Counter[type] | None = None
    ) -> None:
        """`answered` counts the answers by their kind."""
        self._take, self._answered = take, Counter[type]() if answered is None else answered
        self._outbox = Outbox(None)
        self._waiting: dict[tuple[Host, int], None] = {}
        self._is_writing = self._is_gone = False
        self._progress = trio.Event()

    @property
    def is_satisfied(self) -> bool:
        """Whether all that it asked for is answered, and the answers are written."""
        return self._is_gone or not (self._waiting or self._is_writing or len(self._outbox))

    async def stay(self, stream: trio.abc.Stream, reader: FrameReader, bodies: list[bytes]) -> None:
        """Be served to the end of the connection, beginning with what has been read of it.

        What was asked for stays so when the client is gone. Raises: BadFrame, trio.BrokenResourceError.
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
            for host, number in self._waiting:
                host.forget(number)
            nursery.cancel_scope.cancel()
        if broken is not None:
            raise broken

    async def leave(self, stream: trio.abc.Stream) -> None:
        """Be given the answers there are, and no more. Raises: trio.BrokenResourceError."""
        await stream.send_all(self._outbox.take())

    def answer(self, request: int, answer: object) -> None:
        """Write this when possible."""
        self._answered[type(answer)] += 1
        self._outbox.put(framed(Response(request, answer)))

    def pass_on(self, request: int, host: Host, event: Callable[[int], Any]) -> None:
        """Have a request answered with what the host says to an event."""

        def answer(outcome: Any) -> None:
            del self._waiting[host, number]
            self.answer(request, outcome)

        number = host.ask(event, answer)
        self._waiting[host, number] = None

    async def _wait_room(self) -> None:
        """Return when it has few enough requests and answers, or is gone."""
        while len(self._waiting) + len(self._outbox) > UNANSWERED_MAX and not self._is_gone:
            self._progress = trio.Event()
            await self._progress.wait()

    async def _write(self, stream: trio.abc.Stream) -> None:
        """Write answers until cancelled, or until nobody reads them."""
        try:
            while True:
                await self._outbox.wait_filled()
                self._is_writing = True
                await stream.send_all(self._outbox.take())
                self._is_writing = False
                self._progress.set()
        except trio.BrokenResourceError:
            self._is_gone = True
            self._progress.set()
