"""Messages that are held back in flight, to be looked at, delivered, dropped or released by hand.

Whoever clogs links holds them for a while; a directed test delivers exactly the message it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ostrakon.harness.sim.kernel.errors import SimulationError
from ostrakon.harness.sim.network.link import Link


@dataclass(frozen=True, slots=True, eq=False)
class InFlight:
    """One message, or the mark at the end of a connection's handshake or stream."""

    sender: str
    receiver: str
    payload: bytes
    """The bytes of the message; empty for a mark."""
    is_whole: bool
    """Whether it stands alone: a framed message or a datagram. Others can only be released in order."""
    arrive: Callable[[], object]


class Hold:
    """An active hold; pass it to `Network.release` to deliver all held messages."""

    def __init__(self, links: tuple[Link, ...]) -> None:
        self.links = links
        self.waiting: list[InFlight] = []
        """What has arrived at the held end of the links, in order."""
        self.messages = 0
        """The number of messages held so far."""

    def keep(self, message: InFlight) -> None:
        """Keep a message that has arrived."""
        self.messages += 1
        self.waiting.append(message)

    def deliver(self, message: InFlight) -> None:
        """Let one message arrive now, before those that came earlier.

        Raises: SimulationError if it does not wait here, or is part of a stream whose framing is unknown.
        """
        self._take(message)
        message.arrive()

    def drop(self, message: InFlight) -> None:
        """Drop one message.

        Raises: SimulationError if it does not wait here, or is part of a stream whose framing is unknown.
        """
        self._take(message)

    def _take(self, message: InFlight) -> None:
        if message not in self.waiting:
            raise SimulationError("this message is not held any more")
        if not message.is_whole:
            raise SimulationError(
                "TCP cannot lose or reorder part of a stream: give the world a framing, to handle messages"
            )
        self.waiting.remove(message)
