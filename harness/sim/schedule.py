"""Who goes first when several could: the one place where a simulation chooses an order.

A schedule is asked for every choice between ready processes and for every batch of ready tasks. Which
orders it prefers is a search strategy; see `RandomSchedule` for the plain one.
"""

from __future__ import annotations

import random
from typing import Protocol

from trio.lowlevel import Task


class Schedule(Protocol):
    """Makes the choices. Asked in the same situations, it must answer the same."""

    def pick(self, count: int) -> int:
        """Which of `count` ready processes runs next; `count` is at least 2."""

    def order(self, batch: list[Task]) -> None:
        """Order the ready tasks of one process in place; there are at least 2, and the last runs first."""


class RandomSchedule:
    """Every order is equally likely."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng.random
        self.order = rng.shuffle

    def pick(self, count: int) -> int:
        """Any of them."""
        return int(self._random() * count)
