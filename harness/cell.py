"""Cells of a matrix of faults: each is a plan that arranges one combination, or the reason why it cannot be.

Scenarios that people think up cover what they thought of. A matrix lists every kind of message, durable
write, timer and change of state with everything that can happen to it, so a cell that no trial reaches is
known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ostrakon.harness.history import Event
from ostrakon.harness.plan import Plan


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One combination."""

    about: str
    """What happens, in a clause."""
    plan: Plan | None = None
    """The plan that arranges it; None if it cannot be."""
    impossible: str = ""
    """Why it cannot be, in a clause."""
    events: tuple[str, ...] = ()
    """Kinds of event that nodes must report for it to be reached."""
    leaders: int = 1
    """How many different nodes must have led."""

    def is_reached(self, effects: Sequence[Mapping[str, Any]], trace: Iterable[Event]) -> bool:
        """Whether a trial of the plan has reached it: all its faults had an effect, and what is needed of
        events occurred. `effects` are those of the trial's faults, in order.
        """
        assert self.plan is not None, "it cannot be"
        if any(effect["inert"] for effect in effects) or len(effects) < len(self.plan.faults):
            return False
        trace = tuple(trace)
        told = {event.event for event in trace}
        leaders = {event.node for event in trace if event.event == "leading"}
        return told.issuperset(self.events) and len(leaders) >= self.leaders
