"""What the proxy does with the bytes of one direction between two live nodes.

A `Link` is one direction between two nodes, with the faults on it. A `Flow` is one direction of one
connection; it forwards bytes when its link allows it.

With a framing, a link acts on whole messages; without one it can only delay data, like TCP. Like TCP, a
connection never loses data in the middle: a partition holds the data, like retransmissions, and the data
continues when the partition ends. With datagrams, a partition loses messages, and a message may overtake a
slower one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush

import trio

from ostrakon.harness.substrates.framing import Framing, Splitter
from ostrakon.harness.substrates.message_faults import Disturbed, Fate, fate_of


@dataclass(eq=False, slots=True)
class Blockade:
    """An active partition or clog: no message passes it."""

    links: tuple[Link, ...]
    loses: bool = False
    """Whether messages that meet it are lost. Otherwise they wait until it is over."""
    messages: int = 0
    """The number of messages that it has held or lost."""


@dataclass(eq=False, slots=True)
class Link:
    """One direction between two nodes, over all their connections."""

    name: tuple[str, str]
    draw_ns: Callable[[], int]
    """Draw a latency in nanoseconds."""
    rng: random.Random
    disturbed: list[Disturbed] = field(default_factory=list)
    blockades: list[Blockade] = field(default_factory=list)
    messages: int = 0
    _opened: trio.Event = field(default_factory=trio.Event)

    def fate(self, message: bytes, now_ns: int) -> Fate:
        """Decide the fate of the next message."""
        self.messages += 1
        return fate_of(message, self.disturbed, self.rng, self.name, now_ns)

    def lift(self, blockade: Blockade) -> None:
        """End this blockade and no other. A second call has no effect."""
        if blockade in self.blockades:
            self.blockades.remove(blockade)
        if not self.blockades:
            self._opened.set()
            self._opened = trio.Event()

    async def passes(self) -> bool:
        """Wait until no blockade holds the message; returns False if a blockade loses it.

        Each blockade counts the message.
        """
        counted: set[int] = set()
        while self.blockades:
            for blockade in self.blockades:
                if id(blockade) not in counted:
                    counted.add(id(blockade))
                    blockade.messages += 1
            if any(blockade.loses for blockade in self.blockades):
                return False
            await self._opened.wait()
        return True


RETRANSMISSION_S = 0.2
"""The delay of lost data by TCP's retransmission, in seconds."""
_CHUNK = 65_536

Observer = Callable[[tuple[str, str], bytes, float, float | None], object]
"""Told of a message's link and bytes, and of when it came in and went out by Trio's clock; None if never."""


class Flow:
    """The data that was received and not yet forwarded."""

    def __init__(
        self, link: Link, framing: Framing | None, observe: Observer | None = None, *, datagrams: bool = False
    ) -> None:
        self._link, self._observe, self._datagrams = link, observe, datagrams
        self._splitter: Splitter | None = framing.splitter() if framing is not None else None
        self._waiting: list[tuple[float, int, bytes | None, float]] = []
        """For each message, the time at which it is forwarded, its number, its bytes, and the time at which
        it came in, in seconds of Trio's clock. Its bytes are None for the end of the data."""
        self._number, self._in_order_s = 0, 0.0
        self._news = trio.Event()

    async def run(self, source: trio.abc.ReceiveStream, sink: trio.abc.HalfCloseableStream) -> None:
        """Forward data until it ends. Raises: trio.BrokenResourceError, trio.ClosedResourceError."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, sink)
            # A blocked link also delays the end of a connection, whether it was closed or reset.
            with suppress(trio.BrokenResourceError):
                while chunk := await source.receive_some(_CHUNK):
                    self._take(bytes(chunk))
            self._end()

    def _take(self, chunk: bytes) -> None:
        if self._splitter is None:
            self._schedule(chunk, is_whole=False)
            return
        for frame in self._splitter.feed(chunk):
            self._schedule(frame, is_whole=True)

    def _schedule(self, message: bytes, *, is_whole: bool) -> None:
        now_s = trio.current_time()
        fate = self._link.fate(message, int(now_s * 1e9))
        due_s = now_s + (self._link.draw_ns() + fate.extra_ns) / 1e9
        if not is_whole:
            late_s = 0.0 if fate.copies else RETRANSMISSION_S
            self._put(max(due_s + late_s, self._in_order_s), message)
            return
        if fate.corrupt_bit is not None and self._splitter is not None:
            message = self._splitter.corrupt(message, fate.corrupt_bit)
        if fate.copies == 0:
            self._tell(message, now_s, None)
        for copy in range(fate.copies):
            if fate.may_be_overtaken or copy or self._datagrams:
                self._put(due_s, message, in_order=False)
            else:
                self._put(max(due_s, self._in_order_s), message)

    def _end(self) -> None:
        if self._splitter is not None and (rest := self._splitter.rest()):
            self._put(self._in_order_s, rest)
        self._put(max((due_s for due_s, *_ in self._waiting), default=self._in_order_s), None)

    def _put(self, due_s: float, message: bytes | None, *, in_order: bool = True) -> None:
        if in_order:
            self._in_order_s = due_s
        heappush(self._waiting, (due_s, self._number, message, trio.current_time()))
        self._number += 1
        self._news.set()

    async def _send(self, sink: trio.abc.HalfCloseableStream) -> None:
        while True:
            self._news = trio.Event()
            with trio.move_on_at(self._waiting[0][0] if self._waiting else math.inf):
                await self._news.wait()
            while self._waiting and self._waiting[0][0] <= trio.current_time():
                _, _, message, begun_s = heappop(self._waiting)
                if message is None and self._datagrams:
                    return await sink.send_eof()  # The end of a connection is no datagram.
                passes = await self._link.passes()
                if message is None:
                    return await sink.send_eof()
                if passes:
                    await sink.send_all(message)
                self._tell(message, begun_s, trio.current_time() if passes else None)

    def _tell(self, message: bytes, begun_s: float, ended_s: float | None) -> None:
        if self._observe is not None:
            self._observe(self._link.name, message, begun_s, ended_s)
