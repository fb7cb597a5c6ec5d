"""A link: everything that goes from one machine to another, in this direction.

It draws the latencies and, when something disturbs it, the fate of each message, both from streams of its
own: what happens on one link never changes the draws of another.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from ostrakon.harness.sim.hold import Hold
    from ostrakon.harness.sim.machine import Machine
    from ostrakon.harness.sim.network import Network

FaultKind = Literal["delay", "reorder", "drop", "duplicate", "throttle", "corrupt"]
_LOOPBACK_NS = 20_000
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

    kind: FaultKind
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
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"unknown disturbance {self.kind!r}; there are {', '.join(get_args(FaultKind))}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"a probability is between 0 and 1, not {self.probability}")
        if self.ms < 0:
            raise ValueError(f"a delay cannot be negative, as {self.ms} ms is")


@dataclass(frozen=True, slots=True)
class Deviation:
    """What happens to one message, given by its number: a schedule is the default and a few of these.

    A message that is delayed is held back alone: those behind it overtake.
    """

    kind: Literal["delay", "drop", "duplicate"]
    ms: float = 0.0


class Disturbed:
    """A disturbance at work; hand it to `Network.settle` to end it."""

    def __init__(self, disturbance: Disturbance) -> None:
        self.disturbance = disturbance
        self.messages = 0
        """How many messages it has struck."""
        self._spared = 0
        self._busy_until_ns: dict[tuple[str, str], int] = {}

    def strikes(self, message: Any, rng: random.Random) -> bool:
        """Whether the next message is struck; if so, it counts."""
        what = self.disturbance
        if what.only is not None and not what.only(message):
            return False
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


class Cut:
    """A partition at work; hand it to `Network.mend` to end it."""

    def __init__(self, links: tuple[Link, ...]) -> None:
        self.links = links
        self.messages = 0
        """How many messages and segments it has dropped or held up, retransmissions included."""
        self.mended = False


class Fate(NamedTuple):
    """What becomes of a message."""

    extra_ns: int = 0
    may_be_overtaken: bool = False
    copies: int = 1
    """0 if it is lost, 2 if it is duplicated."""
    corrupt_bit: int | None = None
    """The bit to turn, modulo their number; None if it arrives as it was."""


NORMAL = Fate()
LOST = Fate(copies=0)


class Link:
    """One direction between two machines; made by the network when first used."""

    def __init__(self, network: Network, sender: Machine, receiver: Machine) -> None:
        self._network = network
        self.sender, self.receiver = sender, receiver
        self.number = network.next_number()
        self.is_loopback = sender is receiver
        self.is_between_nodes = sender.is_node and receiver.is_node and not self.is_loopback
        self.cuts: list[Cut] = []
        self.disturbed: list[Disturbed] = []
        self.holds: list[Hold] = []
        self.bytes_per_s: float | None = None
        """The bandwidth; None if there is no limit."""
        self.down = 0
        """For how many reasons nothing gets through."""
        self._busy_until_ns = 0
        self.sent = self.delivered = self.dropped = self.duplicated = self.delayed = 0
        self.name = sender.name, receiver.name
        """The names of sender and receiver."""
        self.draw_ns: Callable[[], int] = self._draw_first
        """Draw a latency in nanoseconds."""
        self._faults: random.Random | None = None

    def change_latency(self) -> None:
        """Draw by the distribution that holds here from now on."""
        self.draw_ns = self._draw_first

    def _draw_first(self) -> int:
        # Only now, because a stream of randomness takes longer to make than all the rest of a link.
        if self.is_loopback:
            self.draw_ns = lambda: _LOOPBACK_NS
        else:
            latency = self._network.latency_of(self)
            self.draw_ns = latency.sampler(self._network.world.rng("link", *self.name))
        return self.draw_ns()

    def queueing_ns(self, size: int) -> int:
        """How long so many bytes wait for their turn and take to be sent, at the link's bandwidth."""
        if self.bytes_per_s is None:
            return 0
        now_ns = self._network.kernel.now_ns
        self._busy_until_ns = max(now_ns, self._busy_until_ns) + int(size / self.bytes_per_s * 1e9)
        return self._busy_until_ns - now_ns

    def count_cut(self) -> None:
        """Something was stopped here by whatever holds the link down."""
        for cut in self.cuts:
            cut.messages += 1

    def fate(self, message: Any) -> Fate:
        """Draw what happens to the next message by the disturbances at work."""
        if self._faults is None:
            self._faults = self._network.world.rng("faults", *self.name)
        return fate_of(message, self.disturbed, self._faults, self.name, self._network.kernel.now_ns)


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
