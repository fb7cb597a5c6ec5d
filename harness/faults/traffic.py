"""Targets by traffic: nodes that are found without events, by the messages that they sent and by their
restarts.

Messages are counted from the beginning of the previous fault. If none was sent since, they are counted from
an earlier fault, or from the beginning of the trial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Protocol, runtime_checkable

from ostrakon.harness.faults.cluster import Cluster


@runtime_checkable
class Counting(Protocol):
    """A network that counts what goes over its links."""

    def sent(self, sender: str, receiver: str) -> int:
        """How many messages a node has sent to another so far."""


class Traffic:
    """Counts the messages of each link between two calls of `look`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._counting = cluster.network if isinstance(cluster.network, Counting) else None
        self._before: dict[tuple[str, str], int] = {}
        self._now: dict[tuple[str, str], int] = {}

    def look(self) -> None:
        """A fault begins: messages from now on count for the next fault."""
        network = self._counting
        if network is not None:
            now = {pair: network.sent(*pair) for pair in permutations(self._cluster.nodes, 2)}
            if now != self._now:
                self._before, self._now = self._now, now

    def find(self, target: str) -> Sequence[str]:
        """The nodes that a target of `TRAFFIC` means at the last look; none if nothing was sent."""
        return TRAFFIC[target](self)

    @property
    def restarted(self) -> Sequence[str]:
        """The nodes that were restarted, in that order, a node as often as it was."""
        return self._cluster.machines.restarted

    def most(self, ends: tuple[int, ...]) -> Sequence[str]:
        """The node with the most messages at these ends of its links (0 sends, 1 receives)."""
        counts = dict.fromkeys(self._cluster.nodes, 0)
        for pair, now in self._now.items():
            for end in ends:
                counts[pair[end]] += now - self._before.get(pair, 0)
        busiest = max(counts, key=lambda node: counts[node])
        return [busiest] if counts[busiest] else []


def busiest(traffic: Traffic) -> Sequence[str]:
    """The node that sent and received the most messages."""
    return traffic.most((0, 1))


def sender(traffic: Traffic) -> Sequence[str]:
    """The node that sent the most messages."""
    return traffic.most((0,))


def latest_restarted(traffic: Traffic) -> Sequence[str]:
    """The node that was restarted last, by the end of a fault or by a supervisor."""
    return traffic.restarted[-1:]


TRAFFIC: Mapping[str, Callable[[Traffic], Sequence[str]]] = {
    "busiest": busiest,
    "sender": sender,
    "latest-restarted": latest_restarted,
}
"""The targets by traffic, by name. Every workload has them."""
