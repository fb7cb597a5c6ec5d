"""How small a world is, and what came of exploring it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from ostrakon.harness.plan import Plan


class Size(msgspec.Struct, frozen=True):
    """The bounds within which everything that can happen is tried."""

    proposers: int = 2
    acceptors: int = 3
    crashes: int = 0
    """How many there may be, of any nodes."""
    timeouts: int = 0
    """How many timers may run out, each letting a proposer send again or begin a new ballot."""
    requests: int = 1
    """How many values clients propose to each proposer in each of its lives."""
    duplicates: bool = False
    """Whether messages may arrive again and again. They may always be lost."""


class CannotExplore(Exception):
    """The size, or what is asked about it, makes no sense; the message says what would."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of exploring a small world."""

    valid: str
    """`valid`: everything was tried and is allowed. `unknown`: there is more, or it was in vain."""
    why: str
    """The reason, in one sentence."""
    states: int
    """Different states, after reductions."""
    transitions: int
    depth: int
    """How many steps the farthest state is away."""
    wall_s: float
    property: str | None = None
    """What is broken."""
    story: tuple[str, ...] = ()
    """A shortest way to break it, a line a step."""
    plan: Plan | None = None
    """The same as a plan for the substrate `model`."""
    simulation: Plan | None = None
    """A plan for the substrate `sim` that breaks the same property; None if none was found."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else is worth knowing, as plain data."""


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
        """`only` names the properties to look at, none meaning all; `note` is as for `explore`.

        Raises: CannotExplore.
        """
