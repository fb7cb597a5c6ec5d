"""Visits every state that a model can reach, breadth first, so that each counterexample is a shortest one.

What must always hold: each state is expanded once, and two runs visit the same states in the same order.
States are compared in full and not by a hash, so no collision can hide a state.
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
    """A world: its initial states and what can happen in each state. A model may apply reductions."""

    def initial(self) -> Iterable[StateT]:
        """The initial states."""

    def successors(self, state: StateT) -> Iterable[tuple[ActionT_co, StateT]]:
        """The possible actions in a state, each with the state after it; always in the same order."""


@dataclass(frozen=True, slots=True)
class Path(Generic[StateT, ActionT]):
    """A shortest sequence of actions that reaches a state."""

    actions: tuple[ActionT, ...]
    states: tuple[StateT, ...]
    """The state before the first action, and the state after each action."""

    @property
    def end(self) -> StateT:
        """The last state."""
        return self.states[-1]


@dataclass(frozen=True, slots=True)
class Exploration(Generic[StateT, ActionT]):
    """The result of an exploration."""

    states: int
    """The number of different states that were reached."""
    transitions: int
    """The number of actions that were tried, including those that led to a known state."""
    depth: int
    """The number of actions to the farthest state."""
    wall_s: float
    exhausted: bool
    """Whether all states were reached. False after a violation, or at the limit."""
    violated: Mapping[str, Path[StateT, ActionT]]
    """The properties that do not always hold, each with a shortest counterexample."""
    reached: Mapping[str, Path[StateT, ActionT]]
    """The properties that sometimes hold, each with a shortest path to such a state."""

    @property
    def states_per_s(self) -> float:
        """The number of new states per second of wall time."""
        return self.states / max(self.wall_s, 1e-9)


def explore(
    model: Model[StateT, ActionT],
    *,
    always: Mapping[str, Callable[[StateT], bool]] | None = None,
    sometimes: Mapping[str, Callable[[StateT], bool]] | None = None,
    states_max: int | None = None,
    note: Callable[[int, int, int], object] | None = None,
) -> Exploration[StateT, ActionT]:
    """Visit every state, and check the properties in each.

    The exploration ends with the first state in which a property of `always` does not hold, or when
    `states_max` states are known. Before each level, `note` is called with the depth, the number of known
    states and the number of states to be expanded.
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
        # Only the parent of each state is stored; `path` finds the actions again.
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
