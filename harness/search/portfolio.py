"""Chooses the recipe of each seed of a campaign: recipes that find something new get more seeds.

What counts is new shapes and, much more, new ways to fail, for what they cost. Cost is measured in events
recorded rather than in time, and what seeds found is credited in the order in which they were handed out,
whoever finished first. The shares of a round of seeds rest on what was handed out a round before it, or
earlier. So a campaign tries the same plans whatever the number of workers, as long as no trial is a whole
round late; if one is, the next round goes by what is known by then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ostrakon.harness.search.outcome import Outcome
from ostrakon.harness.search.recipe import Recipe
from ostrakon.harness.search.shape import TransitionCount, shapes
from ostrakon.harness.search.swarm import Swarm

ROUND = 200
"""The number of seeds that are drawn with the same shares."""
_WAY, _SHAPE = 20.0, 1.0
"""The merit of a new kind of failure, and of a new shape."""
_FORGET = 0.9
"""The factor for earlier merits after each round, so a recipe that finds nothing more loses its share."""
_FLOOR = 0.3
"""The part of all seeds that is shared as at the beginning, so that every recipe keeps some seeds."""
_CREDIT, _CREDIT_EVENTS = 3.0, 3000.0
"""The assumed merit of a recipe before its first trial, and the assumed number of events."""


class Merit(msgspec.Struct, frozen=True):
    """The merits of a recipe."""

    trials: int = 0
    events: int = 0
    """The number of events that nodes reported in its trials, which is the measure of cost."""
    shapes: int = 0
    """The number of shapes that were new."""
    ways: int = 0
    """The number of kinds of failure that were new."""
    recent: float = 0.0
    """The merit, in which earlier discoveries have less weight."""
    recent_events: float = 0.0

    @property
    def yields(self) -> float:
        """The expected merit for each event."""
        return (self.recent + _CREDIT) / (self.recent_events + _CREDIT_EVENTS)


@dataclass(slots=True)
class Portfolio:
    """The recipes of a swarm and their merits."""

    swarm: Swarm
    merits: dict[str, Merit] = field(default_factory=dict)
    seen: set[TransitionCount] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)
    """The kinds of failure that are known."""
    shares: tuple[float, ...] = ()
    """The present shares of the recipes; their sum is 1."""
    _line: deque[int] = field(default_factory=deque)
    """The seeds that were handed out and not credited yet, in this order."""
    _arrived: dict[int, Outcome | None] = field(default_factory=dict)
    """The outcomes of some of these seeds."""
    _handed_out: int = 0
    _credited: int = 0
    _next_shares: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """The shares of later rounds, by number."""

    def __post_init__(self) -> None:
        self.shares = self.shares or _usual(self.swarm.recipes)

    def hand_out(self, seed: int) -> Recipe:
        """The recipe of a seed."""
        at_round, within = divmod(self._handed_out, ROUND)
        if within == 0:
            for number in [number for number in self._next_shares if number <= at_round]:
                self.shares = self._next_shares.pop(number)
        self._handed_out += 1
        self._line.append(seed)
        return self.swarm.recipe_of(seed, self.shares)

    def note(self, outcome: Outcome) -> None:
        """Record the outcome of a seed that was handed out."""
        self._arrived[outcome.seed] = outcome
        self._credit()

    def forget(self, seed: int) -> None:
        """Record that a seed that was handed out will have no outcome."""
        self._arrived[seed] = None
        self._credit()

    def settle(self) -> None:
        """Credit all known outcomes, although the outcomes of some earlier seeds are missing."""
        for seed in [seed for seed in self._line if seed not in self._arrived]:
            self._arrived[seed] = None
        self._credit()

    def _credit(self) -> None:
        while self._line and self._line[0] in self._arrived:
            outcome = self._arrived.pop(self._line.popleft())
            if outcome is not None:
                self._add(outcome)
            self._credited += 1
            if self._credited % ROUND == 0:
                # What is known after round r decides round r + 2: r + 1 is being tried meanwhile.
                self._next_shares[self._credited // ROUND + 1] = self._weigh()

    def _add(self, outcome: Outcome) -> None:
        fresh = set(shapes(outcome.transitions)) - self.seen
        is_new_way = outcome.valid == "invalid" and outcome.reason not in self.reasons
        self.seen |= fresh
        if is_new_way:
            self.reasons.add(outcome.reason)
        merit = self.merits.get(outcome.recipe, Merit())
        events = sum(outcome.transitions.values())
        self.merits[outcome.recipe] = Merit(
            trials=merit.trials + 1,
            events=merit.events + events,
            shapes=merit.shapes + len(fresh),
            ways=merit.ways + is_new_way,
            recent=merit.recent + _SHAPE * bool(fresh) + _WAY * is_new_way,
            recent_events=merit.recent_events + events,
        )

    def _weigh(self) -> tuple[float, ...]:
        """The shares by merit; all merits count less from now on."""
        usual = _usual(self.swarm.recipes)
        yields = [self.merits.get(recipe.name, Merit()).yields for recipe in self.swarm.recipes]
        for name, merit in self.merits.items():
            self.merits[name] = msgspec.structs.replace(
                merit, recent=merit.recent * _FORGET, recent_events=merit.recent_events * _FORGET
            )
        return tuple(
            _FLOOR * part + (1 - _FLOOR) * one / sum(yields) for part, one in zip(usual, yields, strict=True)
        )


def told_merits(
    merits: Mapping[str, Merit], recipes: Iterable[Recipe], shares: Iterable[float]
) -> list[dict[str, Any]]:
    """The merits and present shares of the recipes, as plain data."""
    return [_told(recipe.name, share, merits) for recipe, share in zip(recipes, shares, strict=True)]


def _told(name: str, share: float, merits: Mapping[str, Merit]) -> dict[str, Any]:
    merit = merits.get(name, Merit())
    return {
        "name": name,
        "share": round(share, 3),
        "trials": merit.trials,
        "events": merit.events,
        "new_shapes": merit.shapes,
        "new_failures": merit.ways,
    }


def _usual(recipes: Iterable[Recipe]) -> tuple[float, ...]:
    shares = [recipe.share for recipe in recipes]
    return tuple(share / sum(shares) for share in shares)
