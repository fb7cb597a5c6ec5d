"""The size of a small world, and the result of its exploration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from ostrakon.harness.plan import Plan


class Size(msgspec.Struct, frozen=True):
    """The bounds of a small world; within them, everything that can happen is tried."""

    proposers: int = 2
    acceptors: int = 3
    crashes: int = 0
    """The maximum number of crashes, of any nodes."""
    timeouts: int = 0
    """The maximum number of timeouts; at each, a proposer sends again or begins a new ballot."""
    requests: int = 1
    """The number of values that clients propose to each proposer after each of its starts."""
    duplicates: bool = False
    """Whether messages may arrive several times. They may always be lost."""


class CannotExplore(Exception):
    """The size or the question makes no sense; the message says what would."""


@dataclass(frozen=True, slots=True)
class Found:
    """The result of the exploration of a small world."""

    valid: str
    """`valid`: everything was tried and is allowed. `invalid`: a property was violated. `unknown`: the
    exploration was not complete, or showed nothing."""
    why: str
    """The reason, in one sentence."""
    states: int
    """The number of different states, after reductions."""
    transitions: int
    depth: int
    """The number of steps to the farthest state."""
    wall_s: float
    property: str | None = None
    """The name of the violated property."""
    story: tuple[str, ...] = ()
    """A shortest counterexample, one line for each step."""
    plan: Plan | None = None
    """The counterexample as a plan for the substrate `model`."""
    simulation: Plan | None = None
    """A plan for the substrate `sim` that violates the same property; None if none was found."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further details, as plain data."""


class Explore(Protocol):
    """Tries everything that can happen in a small world of a workload's system."""

    def __call__(
        self,
        size: Size,
        *,
        bug: str | None,
        only: tuple[str, ...],
        states_max: int,
        note: Callable[[int, int, int], object] | None,
    ) -> Found:
        """Only the properties `only` are checked, or all if it is empty; `note` is as for `explore`.

        Raises: CannotExplore.
        """
