"""A link of the proxy: one direction between two live nodes, and the faults on it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

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
