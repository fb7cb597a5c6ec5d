"""Rare branches that a simulation takes more often: slow paths, small buffers, early timeouts.

    if sometimes("flush early"):
        await flush()

Outside of a simulation, and in worlds that were not asked to, this is False and costs next to nothing. Else
each name is at work in some worlds only and then fires now and then, so that every world is unusual in its
own way (FoundationDB calls this BUGGIFY).

What was reached and what fired is counted in `World.sometimes`. In a trial, the plan's `buggify` is the
chance of each point to be at work, the workload's `points` are those that there are, and the counts are in
`Recording.sometimes` and, as "sometimes", in `results.json`: by name, in order, `{"reached": 7, "fired": 2}`.
A point that the workload lists and nothing reached is there with zeros, so that a campaign can add them up
and say which were never reached, and which were reached and never fired. On substrates other than `sim`
there are no points, and the field is empty.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from ostrakon.harness.sim.machine.process import Process

FIRES = 0.25
"""The probability that an enabled point fires."""


@dataclass(slots=True)
class Point:
    """One place in a program, by name."""

    is_at_work: bool
    reached: int = 0
    fired: int = 0


@dataclass(slots=True)
class Sometimes:
    """The points of one world."""

    probability: float
    """The probability that a point is enabled in this world; 0 disables all points."""
    rng: Callable[..., random.Random]
    points: dict[str, Point] = field(default_factory=dict)

    def point(self, name: str) -> Point:
        """The point of this name; known, if not reached, from when it is first asked for."""
        point = self.points.get(name)
        if point is None:
            is_at_work = self.rng("sometimes", name).random() < self.probability
            point = self.points[name] = Point(is_at_work)
        return point

    def counts(self) -> dict[str, dict[str, int]]:
        """How often each point was reached and how often it fired, sorted by name."""
        return {
            name: {"reached": point.reached, "fired": point.fired}
            for name, point in sorted(self.points.items())
        }

    def fires(self, name: str, process: Process) -> bool:
        """Whether this point fires now, by the process's own randomness."""
        point = self.point(name)
        point.reached += 1
        fires = point.is_at_work and process.rng.random() < FIRES
        point.fired += fires
        return fires


def sometimes(name: str) -> bool:
    """Whether to take the rare branch called `name` this time."""
    sandbox = sys.modules.get("ostrakon.harness.sim.sandbox.sandbox")
    process = sandbox.running_process() if sandbox is not None else None
    return process is not None and process.machine.world.sometimes.fires(name, process)
