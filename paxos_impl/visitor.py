"""A visitor: one connection of a client, whose requests are taken as they come and answered when ready."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import trio

from paxos_impl.frame import BadFrame, FrameReader
from paxos_impl.outbox import Outbox
from paxos_impl.wire import Response, framed

CHUNK_BYTES = 1 << 16
UNREAD_MAX = 1000
"""How many responses a client may leave unread before the oldest are dropped."""


class Host(Protocol):
    """Who does what visitors ask for."""

    def ask(self, event: Callable[[int], Any], answer: Callable[[Any], None]) -> int:
        """Begin with a request, made by `event` from the number returned; call `answer` with the outcome."""

    def forget(self, request: int) -> None:
        """Nobody waits for the answer to this request any more."""


class Visitor:
    """`take` begins to serve one request, and may raise BadFrame."""

    def __init__(self, take: Callable[[Visitor, bytes], None]) -> None:
        self._take = take
        self._outbox = Outbox(UNREAD_MAX)
        self._waiting: dict[int, Host] = {}

    async def stay(self, stream: trio.abc.Stream, reader: FrameReader, bodies: list[bytes]) -> None:
        """Be served to the end of the connection, beginning with what has been read of it.

        What was asked for stays so when the client is gone. Raises: BadFrame, trio.BrokenResourceError.
        """
        broken: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, stream)
            try:
                while bodies or (chunk := await stream.receive_some(CHUNK_BYTES)):
                    for body in bodies or reader.feed(chunk):
                        self._take(self, body)
                    bodies = []
            except (BadFrame, trio.BrokenResourceError) as error:
                broken = error
            for number, host in self._waiting.items():
                host.forget(number)
            nursery.cancel_scope.cancel()
        if broken is not None:
            raise broken

    def answer(self, request: int, answer: object) -> None:
        """Write this when possible."""
        self._outbox.put(framed(Response(request, answer)))

    def pass_on(self, request: int, host: Host, event: Callable[[int], Any]) -> None:
        """Have a request answered with what the host says to an event."""

        def answer(outcome: Any) -> None:
            del self._waiting[number]
            self.answer(request, outcome)

        number = host.ask(event, answer)
        self._waiting[number] = host

    async def _write(self, stream: trio.abc.Stream) -> None:
        """Write answers until cancelled, or until nobody reads them."""
        with suppress(trio.BrokenResourceError):
            while True:
                await self._outbox.wait_filled()
                await stream.send_all(self._outbox.take())
