"""The links of a trial's network: cut and counted by the packet filter of the hub.

What a cut drops, TCP sends again until it gets through. To keep messages back is therefore the same as to
cut.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ostrakon.harness.faults import Grudge
from ostrakon.harness.hosts.connections import reset_connections
from ostrakon.harness.hosts.topology import (
    HUB,
    Host,
    LinkEnds,
    change_of_cuts,
    counts,
    enter,
    list_counts,
)
from ostrakon.harness.substrates.message_faults import Disturbance

_FRESH_S = 0.05
"""For how long counters that were read are taken for those of now, in seconds."""


@dataclass(slots=True)
class Cut:
    """Links that are cut, and how many packets were dropped on them while this cut lasted."""

    links: frozenset[LinkEnds]
    _count: Mapping[LinkEnds, int]
    """What the counters showed when it began."""
    _bridge: Bridge
    _final: list[int] = field(default_factory=list)

    @property
    def messages(self) -> int:
        """The packets of IP that were dropped so far."""
        return self._final[0] if self._final else self._dropped()

    def end(self) -> None:
        """Keep the count as it is."""
        self._final.append(self._dropped())

    def _dropped(self) -> int:
        now = self._bridge.dropped()
        return sum(now.get(link, 0) - self._count.get(link, 0) for link in self.links)


class Bridge:
    """What the nemesis can do to the network, as `ostrakon.harness.faults.Links` has it."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._hosts = hosts
        self._cuts: Counter[LinkEnds] = Counter()
        self._sent: tuple[float, Mapping[LinkEnds, int]] = (-_FRESH_S, {})

    @property
    def messages(self) -> int:
        """How many packets nodes have sent each other."""
        return sum(self._counts("sent").values())

    def sent(self, sender: str, receiver: str) -> int:
        """How many packets a node has sent to another."""
        if time.monotonic() - self._sent[0] > _FRESH_S:
            self._sent = time.monotonic(), self._counts("sent")
        return self._sent[1].get((sender, receiver), 0)

    def dropped(self) -> Mapping[LinkEnds, int]:
        """The packets that were dropped on each link since it was cut; links that are not cut are not in
        it.
        """
        return self._counts("cut")

    def cut(self, grudge: Grudge) -> Cut:
        """Drop what a grudge says, receiver by receiver, until this cut is mended."""
        return self.hold({(sender, receiver) for receiver, senders in grudge.items() for sender in senders})

    def mend(self, cut: Cut) -> None:
        """End this cut and no other."""
        self.release(cut)

    def hold(self, links: Collection[LinkEnds]) -> Cut:
        """Drop what goes from these senders to these receivers."""
        before = frozenset(self._cuts)
        # Links that are cut already have counted for others.
        count = self.dropped() if before & set(links) else {}
        self._cuts.update(set(links))
        self._change(before)
        return Cut(frozenset(links), count, self)

    def release(self, hold: Cut) -> None:
        """Let everything through that this cut alone has stopped."""
        hold.end()
        before = frozenset(self._cuts)
        self._cuts.subtract(hold.links)
        self._cuts = +self._cuts
        self._change(before)

    def disturb(self, disturbance: Disturbance) -> Cut:
        """Never asked: a trial with such faults has a switch."""
        raise NotImplementedError(f"a bridge cannot {disturbance.kind} packets")

    def settle(self, disturbed: Cut) -> None:
        """There is none to settle."""

    def reset_connections(self, one: str, other: str) -> int:
        """Break every TCP connection between two nodes; returns how many."""
        return reset_connections(self._hosts, one, other)

    def _change(self, before: Collection[LinkEnds]) -> None:
        if script := change_of_cuts(self._hosts, before, frozenset(self._cuts)):
            _told((*enter(HUB), "nft", "-f", "-"), script)

    def _counts(self, name: str) -> Mapping[LinkEnds, int]:
        return counts(self._hosts, _told(list_counts(name)))


def _told(command: Sequence[str], script: str = "") -> str:
    """What nft prints; it does all that a script says at once, or nothing of it."""
    told = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    if told.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} refused {script!r}: {told.stderr.strip()}")
    return told.stdout
