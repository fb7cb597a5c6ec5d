"""Which recipe a campaign's next seed is drawn by: those that find something new get more of the seeds.

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
"""So many seeds are drawn by the same shares."""
_WAY, _SHAPE = 20.0, 1.0
"""What a new way to fail is worth, and a new shape."""
_FORGET = 0.9
"""What is left of earlier merits after a round: a recipe that has given all it has makes room."""
_FLOOR = 0.3
"""The part of all seeds that is shared out as at the beginning, so that no recipe is ever given up."""
_CREDIT, _CREDIT_EVENTS = 3.0, 3000.0
"""What every recipe is thought to have found before it was tried, in so many events."""


class Merit(msgspec.Struct, frozen=True):
    """What a recipe has found."""

    trials: int = 0
    events: int = 0
    """What nodes reported in these trials: what it all cost."""
    shapes: int = 0
    """Shapes that no trial had before."""
    ways: int = 0
    """Ways to fail that no trial had failed in before."""
    recent: float = 0.0
    """What it found, with less weight the longer ago."""
    recent_events: float = 0.0

    @property
    def yields(self) -> float:
        """What may be expected of it, for an event."""
        return (self.recent + _CREDIT) / (self.recent_events + _CREDIT_EVENTS)


@dataclass(slots=True)
class Portfolio:
    """The recipes of a swarm, and what each of them is worth so far."""

    swarm: Swarm
    merits: dict[str, Merit] = field(default_factory=dict)
    seen: set[TransitionCount] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)
    """The ways to fail that are known."""
    shares: tuple[float, ...] = ()
    """The parts of all seeds that the swarm's recipes get, at present; they add up to 1."""
    _line: deque[int] = field(default_factory=deque)
    """Seeds that were handed out and are not credited, in that order."""
    _arrived: dict[int, Outcome | None] = field(default_factory=dict)
    """What came of some of these."""
    _handed_out: int = 0
    _credited: int = 0
    _next_shares: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """The shares of rounds to come, by number."""

    def __post_init__(self) -> None:
        self.shares = self.shares or _usual(self.swarm.recipes)

    def hand_out(self, seed: int) -> Recipe:
        """The recipe by which a seed is to be drawn."""
        at_round, within = divmod(self._handed_out, ROUND)
        if within == 0:
            for number in [number for number in self._next_shares if number <= at_round]:
                self.shares = self._next_shares.pop(number)
        self._handed_out += 1
        self._line.append(seed)
        return self.swarm.recipe_of(seed, self.shares)

    def note(self, outcome: Outcome) -> None:
        """What came of a seed that was handed out."""
        self._arrived[outcome.seed] = outcome
        self._credit()

    def forget(self, seed: int) -> None:
        """Nothing will come of a seed that was handed out."""
        self._arrived[seed] = None
        self._credit()

    def settle(self) -> None:
        """Credit all that has arrived, although some that came before it has not."""
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
        """The shares that recipes deserve; what they have done counts less from now on."""
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
    """The merits of recipes as plain data, with the share that each of them has now."""
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
