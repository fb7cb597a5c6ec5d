"""What faults do to messages on a link: delay, reorder, drop, duplicate, corrupt and throttle.

All substrates strike messages by these rules. They differ in what a message is there: a datagram, a frame
of a TCP connection, or an object on the model's wires.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

MessageFaultKind = Literal["delay", "reorder", "drop", "duplicate", "throttle", "corrupt"]
_SIZE = 100
"""Bytes that a message counts as that is not made of bytes."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What happens to some of the messages on some links.

    `delay` makes a message late and, as on any connection, those behind it. `reorder` makes it late and lets
    those behind it overtake. `drop` loses it, `duplicate` delivers it twice and `corrupt` turns one of its
    bits. `throttle` makes messages wait in line, each for as long as those before it take. On connections
    whose framing the network knows, these act on whole messages; on others TCP hides what happens to its
    segments, and what is left of it is delay.
    """

    kind: MessageFaultKind
    probability: float
    """Of each message to be struck."""
    ms: float = 50.0
    """Mean extra delay, exponentially distributed, where the kind has one; with `most`, just that long. On a
    throttled link, how long each KiB takes."""
    links: Collection[tuple[str, str]] | None = None
    """Pairs of sender and receiver; None for all links between nodes."""
    only: Callable[[Any], bool] | None = None
    """Says of a message whether it may be struck; None if any may."""
    after: int = 0
    """How many messages that would be struck are spared first."""
    most: int = 0
    """After how many it is over; 0 for no limit."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(MessageFaultKind):
            raise ValueError(
                f"there is no disturbance {self.kind!r}; there are {', '.join(get_args(MessageFaultKind))}"
            )
        if not 0 <= self.probability <= 1:
            raise ValueError(f"the probability is {self.probability}, expected 0 to 1")
        if self.ms < 0:
            raise ValueError(f"the delay is {self.ms} ms, expected 0 or more")


@dataclass(frozen=True, slots=True)
class MessageDeviation:
    """What happens to one message, given by its number: a schedule is the default and a few of these.

    A message that is delayed is held back alone: those behind it overtake.
    """

    kind: Literal["delay", "drop", "duplicate"]
    ms: float = 0.0


class Disturbed:
    """An active disturbance; pass it to `Network.settle` to end it."""

    def __init__(self, disturbance: Disturbance) -> None:
        self.disturbance = disturbance
        self.messages = 0
        """How many messages it has struck."""
        self.seen = 0
        """How many messages it could have struck, by their kind and link."""
        self._spared = 0
        self._busy_until_ns: dict[tuple[str, str], int] = {}

    def strikes(self, message: Any, rng: random.Random) -> bool:
        """Whether the next message is struck; if so, it counts."""
        what = self.disturbance
        if what.only is not None and not what.only(message):
            return False
        self.seen += 1
        if rng.random() >= what.probability or 0 < what.most <= self.messages:
            return False
        if self._spared < what.after:
            self._spared += 1
            return False
        self.messages += 1
        return True

    def late_ns(self, rng: random.Random) -> int:
        """How late a message is that it strikes."""
        share = 1.0 if self.disturbance.most else rng.expovariate(1.0)
        return int(share * self.disturbance.ms * 1e6)

    def queueing_ns(self, link: tuple[str, str], now_ns: int, message: Any) -> int:
        """How long a message waits in line on a throttled link, and takes itself."""
        size = len(message) if isinstance(message, bytes) else _SIZE
        begin_ns = max(now_ns, self._busy_until_ns.get(link, 0))
        self._busy_until_ns[link] = begin_ns + int(size / 1024 * self.disturbance.ms * 1e6)
        return self._busy_until_ns[link] - now_ns


class Fate(NamedTuple):
    """The fate of one message: its delay, its copies and its damage."""

    extra_ns: int = 0
    may_be_overtaken: bool = False
    copies: int = 1
    """0 if it is lost, 2 if it is duplicated."""
    corrupt_bit: int | None = None
    """The bit to turn, modulo their number; None if it arrives as it was."""


NORMAL = Fate()
LOST = Fate(copies=0)


def fate_of(
    message: Any, disturbed: Iterable[Disturbed], rng: random.Random, link: tuple[str, str], now_ns: int
) -> Fate:
    """Draw what the disturbances at work on a link make of the next message."""
    extra_ns, may_be_overtaken, copies, corrupt_bit = 0, False, 1, None
    for at_work in disturbed:
        if not at_work.strikes(message, rng):
            continue
        match at_work.disturbance.kind:
            case "drop":
                copies = 0
            case "duplicate":
                copies *= 2
            case "corrupt":
                corrupt_bit = rng.getrandbits(32)
            case "delay":
                extra_ns += at_work.late_ns(rng)
            case "reorder":
                extra_ns += at_work.late_ns(rng)
                may_be_overtaken = True
            case "throttle":
                extra_ns += at_work.queueing_ns(link, now_ns, message)
    return Fate(extra_ns, may_be_overtaken, copies, corrupt_bit)
