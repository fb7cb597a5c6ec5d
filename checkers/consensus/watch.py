"""Hold a growing trace to the rules of Paxos, event by event."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import replace

from checkers.consensus.rules import HARM, LATENT, RULES, Rule
from checkers.consensus.seen import Seen
from checkers.value import Key
from checkers.verdict import Anomaly
from harness.history import Event

_Judge = Callable[[Seen, Event], Anomaly | None]


class Watch:
    """Tells the first violation at the very event that commits it.

    Events are fed in the order of true time. `invited` holds the canonical form of each value that clients
    asked for, if known; `only` names the properties to watch, by default all of them.

        watch = Watch()
        if (anomaly := watch.feed(event)) is not None: ...
    """

    def __init__(self, *, invited: Container[Key] | None = None, only: Iterable[str] = tuple(RULES)) -> None:
        self.seen = Seen(invited)
        self.harmed = False
        """Whether agreement itself has been violated."""
        self._judges = _judges(RULES[name] for name in only)

    def feed(self, event: Event) -> Anomaly | None:
        """Judge the next event; if it breaks several rules, the one that does most harm is told."""
        found = self.judge(event)
        return found[0] if found else None

    def judge(self, event: Event) -> list[Anomaly]:
        """All violations that the next event commits, worst first."""
        found = []
        for name, judge in self._judges.get(event.event, ()):
            anomaly = judge(self.seen, event)
            if anomaly is not None:
                self.harmed = self.harmed or name in HARM
                found.append(replace(anomaly, property=name, latent=name in LATENT and not self.harmed))
        self.seen.add(event)
        return found


def _judges(rules: Iterable[Rule]) -> dict[str, list[tuple[str, _Judge]]]:
    judges: dict[str, list[tuple[str, _Judge]]] = {}
    for rule in rules:
        for kind in rule.kinds:
            judges.setdefault(kind, []).append((rule.property, rule.judge))
    return judges
