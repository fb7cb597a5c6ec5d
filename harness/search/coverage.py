"""What a campaign has exercised, and what of that never: shapes, rare branches, operations during faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ostrakon.harness.search.outcome import BranchCount, Outcome
from ostrakon.harness.search.shape import TransitionCount, Windows, shapes

_RARE = 3
"""A transition that fewer trials had than this is told of as rare."""


@dataclass(slots=True)
class Coverage:
    """What trials have been through, all in all."""

    shapes: Counter[TransitionCount] = field(default_factory=Counter)
    """In how many trials each was seen."""
    points: dict[str, BranchCount] = field(default_factory=dict)
    """Rare branches of the program, by name; one that was never reached is there with zeros."""
    windows: dict[str, Windows] = field(default_factory=dict)
    """What clients did during faults, by kind of fault."""

    def add(self, outcome: Outcome) -> None:
        """Count what a trial went through."""
        self.shapes.update(shapes(outcome.transitions))
        for name, point in outcome.points.items():
            self.points[name] = _sum(self.points.get(name, BranchCount()), point)
        for kind, window in outcome.windows.items():
            self.windows[kind] = self.windows.get(kind, Windows()).plus(window)

    @property
    def transitions(self) -> Counter[str]:
        """In how many trials each transition was seen."""
        found: Counter[str] = Counter()
        for shape, trials in self.shapes.items():
            found[shape.transition] += trials
        return found

    @property
    def unseen(self) -> list[str]:
        """Pairs of kinds of event of which the second never came after the first, at any node.

        Both kinds were seen. Some pairs cannot be.
        """
        seen = {_kinds(transition) for transition in self.transitions}
        kinds = sorted({kind for pair in seen for kind in pair})
        return [f"{one} {other}" for one, other in product(kinds, kinds) if (one, other) not in seen]

    @property
    def unreached(self) -> list[str]:
        """Rare branches of the program that no trial has reached."""
        return sorted(name for name, point in self.points.items() if not point.reached)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        transitions = self.transitions
        return {
            "shapes": len(self.shapes),
            "transitions": len(transitions),
            "rare_transitions": sorted(name for name, trials in transitions.items() if trials < _RARE),
            "unseen_transitions": self.unseen,
            "points": [{"name": name, **point._asdict()} for name, point in sorted(self.points.items())],
            "windows": list(_told_windows(self.windows)),
        }


def _told_windows(windows: dict[str, Windows]) -> Iterator[dict[str, Any]]:
    for kind, window in sorted(windows.items()):
        ops = round(window.ops / max(1, window.faults), 2)
        yield {"kind": kind, "faults": window.faults, "quiet": window.quiet, "ops_per_fault": ops}


def _sum(one: BranchCount, other: BranchCount) -> BranchCount:
    return BranchCount(one.reached + other.reached, one.fired + other.fired)


def _kinds(transition: str) -> tuple[str, str]:
    before, _, after = transition.partition(" ")
    return before, after.lstrip("<=>")
