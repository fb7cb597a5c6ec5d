"""Membership: the member sets that nodes use for quorums, on which they must agree (M8)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ostrakon.checkers.consensus.phrases import names_text
from ostrakon.checkers.verdict import Anomaly
from ostrakon.harness.history import Event

if TYPE_CHECKING:
    from ostrakon.checkers.consensus.seen import Seen


class Membership:
    """The member sets in force, by slot; more than one for a slot only if nodes disagree."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._views: list[dict[frozenset[str], Event]] = []
        self._least = 1
        """The size of the smallest majority of any member set."""

    def add(self, event: Event) -> None:
        """Record a `config_active`: its members count from its slot on, until the next change."""
        start = event.slot or 0
        at = bisect_right(self._starts, start)
        if at == 0 or self._starts[at - 1] != start:
            self._starts.insert(at, start)
            self._views.insert(at, {})
            at += 1
        self._views[at - 1].setdefault(frozenset(event.members), event)
        self._least = min(len(members) // 2 + 1 for views in self._views for members in views)

    def views(self, slot: int) -> Mapping[frozenset[str], Event]:
        """The member sets in force at a slot, each with the first event that said so."""
        at = bisect_right(self._starts, slot)
        return self._views[at - 1] if at else {}

    def starting(self, slot: int) -> Mapping[frozenset[str], Event]:
        """The member sets that come into force at exactly this slot."""
        at = bisect_right(self._starts, slot)
        return self._views[at - 1] if at and self._starts[at - 1] == slot else {}

    def quorum(self, slot: int, nodes: Mapping[str, Any]) -> bool:
        """Whether these nodes are a majority of any of the member sets in force."""
        if len(nodes) < self._least:
            return False
        at = bisect_right(self._starts, slot)
        for members in self._views[at - 1] if at else ():
            enough = len(members) // 2 + 1
            if len(nodes) >= enough and members.issuperset(nodes):  # Usually true, and faster than counting.
                return True
            if len(members.intersection(nodes)) >= enough:
                return True
        return False


def members_agreed(seen: Seen, event: Event) -> Anomaly | None:
    """M8: all nodes that count votes for a slot count the same members."""
    slot = event.slot or 0
    views = seen.membership.starting(slot)
    if not views or frozenset(event.members) in views:
        return None
    earlier = next(iter(views.values()))
    return Anomaly(
        "membership skew",
        f"{event.node} counts quorums of {names_text(event.members)} and {earlier.node} of "
        f"{names_text(earlier.members)}, both from slot {slot} on: their quorums need not intersect",
        (earlier, event),
    )
