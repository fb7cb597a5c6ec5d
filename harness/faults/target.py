"""Targets that are known only while a trial runs: the leader, the nodes that hold the newest value.

A plan names such a target. When the fault begins, a pure function of what nodes have reported so far finds
the nodes, and the history says which they were. The same plan therefore strikes the same nodes again. The
targets here are for protocols that report ballots, as Paxos does; `latest` makes one of any event. Without
events, see `traffic`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ostrakon.harness.faults.grudge import majority_of
from ostrakon.harness.history import Event

Target = Callable[[Sequence[Event], Sequence[str]], Sequence[str]]
"""Given all events so far and the nodes of the cluster: the nodes that the target means now."""


def leader(events: Sequence[Event], nodes: Sequence[str]) -> Sequence[str]:
    """The node that was last to propose, or to announce a decision, at the highest ballot; if there is
    none, the node that prepares it."""
    told = _highest(events, "propose_sent", "commit_sent") or _highest(events, "prepare_sent")
    return [told.node] if told is not None else []


def quorum(events: Sequence[Event], nodes: Sequence[str]) -> Sequence[str]:
    """The majority that was first to vote for the latest proposal; fewer nodes if fewer have voted yet."""
    last = _last(events, "accept_sent")
    if last is None:
        return []
    voters = dict.fromkeys(
        event.node
        for event in events
        if event.event == "accept_sent" and (event.slot, event.ballot) == (last.slot, last.ballot)
    )
    return sorted(list(voters)[: majority_of(nodes)])


def followers(events: Sequence[Event], nodes: Sequence[str]) -> Sequence[str]:
    """All nodes but the leader, if there is one."""
    return _but(nodes, leader(events, nodes))


def behind(events: Sequence[Event], nodes: Sequence[str]) -> Sequence[str]:
    """All nodes but the quorum, if there is one."""
    return _but(nodes, quorum(events, nodes))


def latest(event: str, until: str = "") -> Target:
    """The node that was last to report `event`, unless it has reported `until` since.

    Workload(..., targets={"leader": latest("leading"), "holder": latest("acquired", until="released")})
    """

    def target(events: Sequence[Event], nodes: Sequence[str]) -> Sequence[str]:
        last = _last(events, event)
        if last is None:
            return []
        ended = _last([told for told in events if told.node == last.node], until)
        return [] if ended is not None and ended.time >= last.time else [last.node]

    return target


TARGETS: Mapping[str, Target] = {
    "leader": leader,
    "followers": followers,
    "quorum": quorum,
    "behind": behind,
}
"""The targets of protocols that report ballots, by name."""


def _but(nodes: Sequence[str], some: Sequence[str]) -> Sequence[str]:
    return [node for node in nodes if node not in some] if some else []


def _highest(events: Sequence[Event], *kinds: str) -> Event | None:
    """The last event of these kinds at the highest ballot."""
    highest: Event | None = None
    for event in events:
        if event.event in kinds and (highest is None or _ballot(event) >= _ballot(highest)):
            highest = event
    return highest


def _ballot(event: Event) -> tuple[int, int]:
    return event.ballot or (0, 0)


def _last(events: Sequence[Event], kind: str) -> Event | None:
    return next((event for event in reversed(events) if event.event == kind), None)
