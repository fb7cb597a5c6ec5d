"""The network of the model: whole messages, and the faults that affect them.

Unlike the simulator's network it has no connections and no bytes. Each message travels alone and may overtake
others, as messages of a protocol with framing do in simulation. Message numbers, deviations, cuts and
disturbances have the same meaning as there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ostrakon.harness.faults import Grudge
from ostrakon.harness.model.heap import Heap
from ostrakon.harness.plan import Deviation, Plan
from ostrakon.harness.substrates.latency import Latency
from ostrakon.harness.substrates.message_faults import Disturbance, Disturbed
from ostrakon.harness.substrates.seeds import substream

Arrive = Callable[[str, Any], None]
"""Takes the sender and the message."""


class Cutting:
    """A partition that is in effect."""

    def __init__(self, pairs: Collection[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        self.messages = 0
        """The number of messages that it has dropped."""


class Holding:
    """Links whose messages are held back."""

    def __init__(self, pairs: Collection[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        self.messages = 0
        """The number of messages that were held back."""
        self.waiting: list[tuple[_Wire, Any]] = []


class Wires:
    """All directed links; the `Links` of the nemesis."""

    def __init__(self, plan: Plan, latency: Latency, heap: Heap) -> None:
        self.messages = 0
        """The number of messages that were sent between nodes."""
        self.delivered = 0
        self.held_up_until_ns = 0
        """The time at which the last message arrives that a fault has delayed, in nanoseconds."""
        self._heap, self._seed = heap, plan.seed
        self._latency = latency
        self._deviations: dict[int, Deviation] = {d.message: d for d in plan.deviations}
        self._wires: dict[tuple[str, str], _Wire] = {}
        self._everywhere: list[Disturbed] = []
        self._arrive: Mapping[str, Arrive] = {}

    def join(self, arrive: Mapping[str, Arrive]) -> None:
        """Set the function that takes the messages for each node."""
        self._arrive = arrive

    def latency_ns(self, sender: str, receiver: str) -> int:
        """Draw the latency of one message on a link, in nanoseconds."""
        return self._wire(sender, receiver).draw_ns()

    def send(self, sender: str, receiver: str, message: Any, *, after_ns: int = 0) -> None:
        """Send a message from one node to another; it leaves after `after_ns` nanoseconds."""
        wire = self._wire(sender, receiver)
        number, self.messages = self.messages, self.messages + 1
        if wire.cuts:
            wire.count_cut()
            return
        if not wire.disturbed and not self._deviations:
            self._heap.call_in(after_ns + wire.draw_ns(), self._end, wire, message)
            return
        extra_ns, copies = wire.fate(message, self._heap.now_ns)
        if (deviation := self._deviations.get(number)) is not None:
            copies *= {"drop": 0, "delay": 1, "duplicate": 2}[deviation.action]
            extra_ns += int(deviation.ms * 1e6) if deviation.action == "delay" else 0
        for copy in range(copies):
            late_ns = int(deviation.ms * 1e6) if copy and deviation is not None else 0
            delay_ns = after_ns + wire.draw_ns() + extra_ns + late_ns
            self.held_up_until_ns = max(self.held_up_until_ns, self._heap.now_ns + delay_ns)
            self._heap.call_in(delay_ns, self._end, wire, message)

    def cut(self, grudge: Grudge) -> Cutting:
        """Drop, at each receiver, all messages of these senders, including those that are under way."""
        cutting = Cutting(
            [(sender, receiver) for receiver in sorted(grudge) for sender in sorted(set(grudge[receiver]))]
        )
        for sender, receiver in cutting.pairs:
            self._wire(sender, receiver).cuts.append(cutting)
        return cutting

    def mend(self, cut: Cutting) -> None:
        """End this cut; other cuts remain."""
        for sender, receiver in cut.pairs:
            self._wire(sender, receiver).cuts.remove(cut)

    def disturb(self, disturbance: Disturbance) -> Disturbed:
        """Begin a disturbance."""
        disturbed = Disturbed(disturbance)
        if disturbance.links is None:
            self._everywhere.append(disturbed)
            struck = list(self._wires.values())
        else:
            struck = [self._wire(*pair) for pair in sorted(set(disturbance.links))]
        for wire in struck:
            wire.disturbed.append(disturbed)
        return disturbed

    def settle(self, disturbed: Disturbed) -> None:
        """End this disturbance; other disturbances remain."""
        for wire in self._wires.values():
            if disturbed in wire.disturbed:
                wire.disturbed.remove(disturbed)
        if disturbed in self._everywhere:
            self._everywhere.remove(disturbed)

    def hold(self, links: Collection[tuple[str, str]]) -> Holding:
        """Hold back the messages on these links."""
        holding = Holding(sorted(set(links)))
        for pair in holding.pairs:
            self._wire(*pair).holdings.append(holding)
        return holding

    def release(self, hold: Holding) -> None:
        """End a hold; its messages arrive now, in order."""
        for pair in hold.pairs:
            self._wire(*pair).holdings.remove(hold)
        waiting, hold.waiting = hold.waiting, []
        for wire, message in waiting:
            self._end(wire, message)

    def _end(self, wire: _Wire, message: Any) -> None:
        if wire.cuts:
            wire.count_cut()
            return
        if wire.holdings:
            wire.holdings[0].messages += 1
            wire.holdings[0].waiting.append((wire, message))
            return
        self.delivered += 1
        self._arrive[wire.receiver](wire.sender, message)

    def _wire(self, sender: str, receiver: str) -> _Wire:
        wire = self._wires.get((sender, receiver))
        if wire is None:
            draw_ns = self._latency.sampler(substream(self._seed, "link", sender, receiver))
            wire = self._wires[sender, receiver] = _Wire(sender, receiver, draw_ns, self._seed)
            wire.disturbed.extend(self._everywhere)
        return wire


class _Wire:
    """The link from one machine to another."""

    __slots__ = ("_faults", "_seed", "cuts", "disturbed", "draw_ns", "holdings", "receiver", "sender")

    def __init__(self, sender: str, receiver: str, draw_ns: Callable[[], int], seed: int) -> None:
        self.sender, self.receiver, self.draw_ns, self._seed = sender, receiver, draw_ns, seed
        self._faults: random.Random | None = None
        self.cuts: list[Cutting] = []
        self.disturbed: list[Disturbed] = []
        self.holdings: list[Holding] = []

    @property
    def faults(self) -> random.Random:
        """The random numbers that decide which messages faults affect. Most wires never need them."""
        if self._faults is None:
            self._faults = substream(self._seed, "faults", self.sender, self.receiver)
        return self._faults

    def count_cut(self) -> None:
        for cut in self.cuts:
            cut.messages += 1

    def fate(self, message: Any, now_ns: int) -> tuple[int, int]:
        """The additional delay of the next message, in nanoseconds, and the number of its copies."""
        extra_ns, copies = 0, 1
        for disturbed in self.disturbed:
            if not disturbed.strikes(message, self.faults):
                continue
            match disturbed.disturbance.kind:
                case "drop" | "corrupt":  # The receiver drops a message whose checksum is wrong.
                    copies = 0
                case "duplicate":
                    copies *= 2
                case "delay" | "reorder":
                    extra_ns += disturbed.late_ns(self.faults)
                case "throttle":
                    extra_ns += disturbed.queueing_ns((self.sender, self.receiver), now_ns, message)
        return extra_ns, copies
