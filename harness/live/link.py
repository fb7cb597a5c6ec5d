"""A link of the proxy: what goes from one live node to another, and what the nemesis has done to it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from ostrakon.harness.substrates.message_faults import Disturbed, Fate, fate_of


@dataclass(eq=False, slots=True)
class Blockade:
    """A partition or a clog at work: nothing gets through, and nothing is lost."""

    links: tuple[Link, ...]
    messages: int = 0
    """How many messages it has held up."""


@dataclass(eq=False, slots=True)
class Link:
    """One direction between two nodes, over however many connections."""

    name: tuple[str, str]
    draw_ns: Callable[[], int]
    """Draw a latency in nanoseconds."""
    rng: random.Random
    disturbed: list[Disturbed] = field(default_factory=list)
    blockades: list[Blockade] = field(default_factory=list)
    messages: int = 0
    _opened: trio.Event = field(default_factory=trio.Event)

    def fate(self, message: bytes, now_ns: int) -> Fate:
        """What becomes of the next message."""
        self.messages += 1
        return fate_of(message, self.disturbed, self.rng, self.name, now_ns)

    def lift(self, blockade: Blockade) -> None:
        """End this blockade and no other; again is harmless."""
        if blockade in self.blockades:
            self.blockades.remove(blockade)
        if not self.blockades:
            self._opened.set()
            self._opened = trio.Event()

    async def opened(self) -> None:
        """Wait until nothing blocks the way, and let whatever does count that it held something up."""
        counted: set[int] = set()
        while self.blockades:
            for blockade in self.blockades:
                if id(blockade) not in counted:
                    counted.add(id(blockade))
                    blockade.messages += 1
            await self._opened.wait()
