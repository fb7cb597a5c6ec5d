"""What storage needs of an event loop: events, the time, and things that happen concurrently.

It is Trio's by default. A simulation that has no event loop gives its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio


class Event(Protocol):
    """Something that happens once."""

    def set(self) -> None:
        """It has happened."""

    async def wait(self) -> None:
        """Return when it has happened."""


class EventLoop(Protocol):
    """Waits."""

    def event(self) -> Event:
        """An event that has not happened."""

    def now_s(self) -> float:
        """The monotonic clock, in seconds."""

    async def run_all(self, works: list[Callable[[], Awaitable[None]]]) -> None:
        """Run all of these concurrently; they raise nothing."""


class TrioLoop:
    """Trio's event loop. An `EventLoop`."""

    def event(self) -> Event:
        """A Trio event."""
        return trio.Event()

    def now_s(self) -> float:
        """Trio's clock."""
        return trio.current_time()

    async def run_all(self, works: list[Callable[[], Awaitable[None]]]) -> None:
        """Run these in a nursery."""
        async with trio.open_nursery() as nursery:
            for work in works:
                nursery.start_soon(work)


TRIO = TrioLoop()
