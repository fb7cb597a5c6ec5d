"""One direction of one connection through the proxy: bytes come in, and go on when they may.

With a framing, a link acts on whole messages; without one it can only make them late, as TCP would. What a
connection carries never gets lost silently in the middle: a partition holds it up, as TCP's retransmission
does, and it goes on when the partition is over.
"""

from __future__ import annotations

import math
from contextlib import suppress
from heapq import heappop, heappush

import trio

from harness.live.link import Link
from harness.sim.framing import Framing, Splitter

RETRANSMISSION_NS = 200_000_000
"""How late TCP makes what was lost on its way."""
_CHUNK = 65_536


class Flow:
    """What came in and has not gone out."""

    def __init__(self, link: Link, framing: Framing | None) -> None:
        self._link = link
        self._splitter: Splitter | None = framing.splitter() if framing is not None else None
        self._waiting: list[tuple[int, int, bytes | None]] = []
        """When each message is due, by the clock of Trio; None is the end."""
        self._number, self._in_order_ns = 0, 0
        self._news = trio.Event()

    async def run(self, source: trio.SocketStream, sink: trio.SocketStream) -> None:
        """Hand on what comes, until it ends. Raises: trio.BrokenResourceError, trio.ClosedResourceError."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, sink)
            # Whether it ends in order or breaks: nobody hears of it through a link that is blocked.
            with suppress(trio.BrokenResourceError):
                while chunk := await source.receive_some(_CHUNK):
                    self._take(chunk)
            self._end()

    def _take(self, chunk: bytes) -> None:
        if self._splitter is None:
            self._schedule(chunk, is_whole=False)
            return
        for frame in self._splitter.feed(chunk):
            self._schedule(frame, is_whole=True)

    def _schedule(self, message: bytes, *, is_whole: bool) -> None:
        fate = self._link.fate(message, _now_ns())
        due_ns = _now_ns() + self._link.draw_ns() + fate.extra_ns
        if not is_whole:
            late_ns = 0 if fate.copies else RETRANSMISSION_NS
            self._put(max(due_ns + late_ns, self._in_order_ns), message)
            return
        if fate.corrupt_bit is not None and self._splitter is not None:
            message = self._splitter.corrupt(message, fate.corrupt_bit)
        for copy in range(fate.copies):
            if fate.may_be_overtaken or copy:
                self._put(due_ns, message, in_order=False)
            else:
                self._put(max(due_ns, self._in_order_ns), message)

    def _end(self) -> None:
        if self._splitter is not None and (rest := self._splitter.rest()):
            self._put(self._in_order_ns, rest)
        last_ns = max((due_ns for due_ns, *_ in self._waiting), default=0)
        self._put(max(last_ns, self._in_order_ns), None)

    def _put(self, due_ns: int, message: bytes | None, *, in_order: bool = True) -> None:
        if in_order:
            self._in_order_ns = due_ns
        heappush(self._waiting, (due_ns, self._number, message))
        self._number += 1
        self._news.set()

    async def _send(self, sink: trio.SocketStream) -> None:
        while True:
            self._news = trio.Event()
            due_s = self._waiting[0][0] / 1e9 if self._waiting else math.inf
            with trio.move_on_at(due_s):
                await self._news.wait()
            if not self._waiting or self._waiting[0][0] > _now_ns():
                continue
            _, _, message = heappop(self._waiting)
            await self._link.opened()
            if message is None:
                await sink.send_eof()
                return
            await sink.send_all(message)


def _now_ns() -> int:
    return int(trio.current_time() * 1e9)
