"""Walks every state that a model can reach, breadth first, so that what it finds it finds by a shortest path.

What must always hold: a state is expanded once, whatever paths lead to it; and two runs visit the same states
in the same order. States are compared in full, not by a fingerprint: nothing is missed by a collision.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

StateT = TypeVar("StateT", bound=Hashable)
ActionT = TypeVar("ActionT")
ActionT_co = TypeVar("ActionT_co", covariant=True)


class Model(Protocol[StateT, ActionT_co]):
    """A world: where it begins and what can happen next. Reductions are the model's own affair."""

    def initial(self) -> Iterable[StateT]:
        """The states that it may begin in."""

    def successors(self, state: StateT) -> Iterable[tuple[ActionT_co, StateT]]:
        """What can happen in a state, and the state after it; always in the same order."""


@dataclass(frozen=True, slots=True)
class Path(Generic[StateT, ActionT]):
    """How a state is reached, by as few actions as possible."""

    actions: tuple[ActionT, ...]
    states: tuple[StateT, ...]
    """The state before the first action, and that after each."""

    @property
    def end(self) -> StateT:
        """The state that it leads to."""
        return self.states[-1]


@dataclass(frozen=True, slots=True)
class Exploration(Generic[StateT, ActionT]):
    """What there was to be found."""

    states: int
    """Different states that were reached."""
    transitions: int
    """Actions that were tried, also those that led to a state known before."""
    depth: int
    """How many actions the farthest state is away from the beginning."""
    wall_s: float
    exhausted: bool
    """Whether there is no state beyond those reached. False after a violation, or at the limit."""
    violated: Mapping[str, Path[StateT, ActionT]]
    """The properties that do not always hold, with a shortest way to break each."""
    reached: Mapping[str, Path[StateT, ActionT]]
    """The properties that sometimes hold, with a shortest way there."""

    @property
    def states_per_s(self) -> float:
        """How many new states were found in a second."""
        return self.states / max(self.wall_s, 1e-9)


def explore(
    model: Model[StateT, ActionT],
    *,
    always: Mapping[str, Callable[[StateT], bool]] | None = None,
    sometimes: Mapping[str, Callable[[StateT], bool]] | None = None,
    states_max: int | None = None,
    note: Callable[[int, int, int], object] | None = None,
) -> Exploration[StateT, ActionT]:
    """Visit every state, asking of each whether the properties hold.

    It ends with the first state in which a property of `always` does not hold, or when `states_max` states
    are known. `note` is told the depth, and how many states are known and are waiting, before each level.
    """
    search = _Search(model, dict(always or {}), dict(sometimes or {}), states_max)
    began = time.perf_counter()
    search.run(note)
    return Exploration(
        len(search.known),
        search.transitions,
        search.depth,
        time.perf_counter() - began,
        search.exhausted,
        {name: search.path(number) for name, number in search.violated.items()},
        {name: search.path(number) for name, number in search.reached.items()},
    )


class _Search(Generic[StateT, ActionT]):
    def __init__(
        self,
        model: Model[StateT, ActionT],
        always: dict[str, Callable[[StateT], bool]],
        sometimes: dict[str, Callable[[StateT], bool]],
        states_max: int | None,
    ) -> None:
        self.known: dict[StateT, int] = {}
        self.transitions = self.depth = 0
        self.exhausted = False
        self.violated: dict[str, int] = {}
        self.reached: dict[str, int] = {}
        self._model, self._always, self._hoped_for = model, always, sometimes
        self._states_max = states_max
        # Only whence each state was reached is kept; the actions are found again when a path is asked for.
        self._parents = array("q")

    def run(self, note: Callable[[int, int, int], object] | None) -> None:
        level = [state for state in self._model.initial() if self._is_new(state, -1)]
        while level and not self._is_over:
            if note is not None:
                note(self.depth, len(self.known), len(level))
            level = self._expand(level)
            self.depth += bool(level)
        self.exhausted = not level and not self._is_over

    @property
    def _is_over(self) -> bool:
        return bool(self.violated) or (self._states_max is not None and len(self.known) >= self._states_max)

    def _expand(self, level: list[StateT]) -> list[StateT]:
        further = []
        known, successors = self.known, self._model.successors
        for state in level:
            number = known[state]
            for _, after in successors(state):
                self.transitions += 1
                if after not in known and self._is_new(after, number):
                    further.append(after)
            if self._is_over:
                break
        return further

    def _is_new(self, state: StateT, parent: int) -> bool:
        if state in self.known:
            return False
        number = self.known[state] = len(self.known)
        self._parents.append(parent)
        for name, holds in self._always.items():
            if name not in self.violated and not holds(state):
                self.violated[name] = number
        for name, holds in list(self._hoped_for.items()):
            if holds(state):
                self.reached[name] = number
                del self._hoped_for[name]
        return True

    def path(self, number: int) -> Path[StateT, ActionT]:
        numbers = [number]
        while (parent := self._parents[numbers[-1]]) >= 0:
            numbers.append(parent)
        wanted = set(numbers)
        at = {found: state for state, found in self.known.items() if found in wanted}
        states = tuple(at[found] for found in reversed(numbers))
        return Path(tuple(self._action(before, after) for before, after in pairwise(states)), states)

    def _action(self, before: StateT, after: StateT) -> ActionT:
        return next(action for action, state in self._model.successors(before) if state == after)
