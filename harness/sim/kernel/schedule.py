"""Chooses the order of processes and tasks that are ready at the same time.

A schedule is asked for every choice between ready processes and for the order of every batch of ready tasks
of one process. Which orders it prefers is a search strategy. Random orders find most bugs. Strategies that
are less fair find bugs that need one particular order among thousands.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from trio.lowlevel import Task


class Schedule(Protocol):
    """Makes the choices. In equal situations it must make equal choices."""

    def pick(self, ready: Sequence[Any]) -> int:
        """Which of the ready processes runs next; there are at least 2, the one ready longest first."""

    def order(self, batch: list[Task]) -> None:
        """Order the ready tasks of one process in place; there are at least 2, and the *last* runs first.

        They come in order of creation.
        """


class RandomSchedule:
    """Every order is equally likely."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng.random
        self.order = rng.shuffle

    def pick(self, ready: Sequence[Any]) -> int:
        """A random one."""
        return int(self._random() * len(ready))


class DelayBounded:
    """First come, first served, but for a few choices at which the first is sent to the back.

    Most concurrency bugs need only a few such delays (Emmi, Qadeer, Rakamaric: Delay-bounded scheduling,
    2011). With no delays it is the plainest schedule there is.
    """

    def __init__(self, rng: random.Random, *, delays: int = 2, horizon: int = 1000) -> None:
        self._delayed = frozenset(rng.sample(range(horizon), min(delays, horizon)))
        self._choices = 0

    def pick(self, ready: Sequence[Any]) -> int:
        """The first, or the second if the first is delayed."""
        return int(self._is_delay())

    def order(self, batch: list[Task]) -> None:
        """In order of creation, or the first one last."""
        if self._is_delay():
            batch.append(batch.pop(0))
        batch.reverse()

    def _is_delay(self) -> bool:
        self._choices += 1
        return self._choices - 1 in self._delayed


class PriorityChanges:
    """PCT: random priorities, strictly obeyed, that change at `depth - 1` random points.

    Finds any bug that needs `depth` ordering constraints with a probability that can be computed (Burckhardt
    et al.: A randomized scheduler with probabilistic guarantees of finding bugs, 2010). Processes and the
    tasks within a process have priorities of their own.
    """

    def __init__(self, rng: random.Random, *, depth: int = 3, horizon: int = 1000) -> None:
        self._rng = rng
        self._changes = frozenset(rng.sample(range(horizon), min(max(0, depth - 1), horizon)))
        self._choices = 0
        self._priorities: dict[Any, float] = {}

    def pick(self, ready: Sequence[Any]) -> int:
        """The one with the highest priority."""
        best = max(range(len(ready)), key=lambda at: self._priority(ready[at].machine))
        self._maybe_demote(ready[best].machine)
        return best

    def order(self, batch: list[Task]) -> None:
        """By priority."""
        batch.sort(key=self._priority)
        self._maybe_demote(batch[-1])

    def _priority(self, who: Any) -> float:
        priority = self._priorities.get(who)
        if priority is None:
            priority = self._priorities[who] = self._rng.random()
        return priority

    def _maybe_demote(self, who: Any) -> None:
        if self._choices in self._changes:
            self._priorities[who] = -self._rng.random()  # Below everything that was not demoted.
        self._choices += 1


def draw_schedule(rng: random.Random) -> Schedule:
    """One of the strategies with parameters drawn for it: a portfolio, one seed at a time."""
    strategies: list[Callable[[], Schedule]] = [
        lambda: RandomSchedule(rng),
        lambda: RandomSchedule(rng),
        lambda: DelayBounded(rng, delays=rng.randrange(1, 6)),
        lambda: PriorityChanges(rng, depth=rng.randrange(1, 5)),
    ]
    return rng.choice(strategies)()
