"""Which of three oracles would have convicted a trial: one that hears less needs more trials.

`history` has only what clients saw, as against a system that reports nothing of itself; `chosen` has the
values that were voted for and learned, as against one that tells its decisions; `trace` has all there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any, Literal, NamedTuple

Oracle = Literal["history", "chosen", "trace"]
ORACLES: tuple[Oracle, ...] = ("history", "chosen", "trace")

_OF_CHOSEN = frozenset({"P2", "P3"})
"""The properties that are about which values were chosen and learned, and about nothing else."""


class Cost(NamedTuple):
    """What was spent until an oracle convicted."""

    trials: float
    cpu_s: float
    """Of whole trials, with all checkers: the oracles are told apart by what they could have known."""


class Convicted(NamedTuple):
    """What several hunts for one bug came to by one oracle."""

    hunts: int
    """How many of them it convicted."""
    cost: Cost | None
    """The medians of these; None if there are none."""


def convicting(trial: Any) -> list[Oracle]:
    """The oracles to which this trial, an `outcome.Trial`, is invalid."""
    if trial.valid != "invalid":
        return []
    found = {oracle for anomaly in trial.anomalies for oracle in _heard_by(anomaly)}
    return [oracle for oracle in ORACLES if oracle == "trace" or oracle in found]


def _heard_by(anomaly: Mapping[str, Any]) -> Iterable[Oracle]:
    if anomaly.get("ops") and not anomaly.get("events"):
        return ("history",)
    return ("chosen",) if anomaly.get("property") in _OF_CHOSEN else ()


def tally(costs: Iterable[Mapping[Oracle, Cost]]) -> dict[Oracle, Convicted]:
    """The hunts for one bug together, by oracle."""
    hunts = list(costs)
    return {oracle: _convicted([hunt[oracle] for hunt in hunts if oracle in hunt]) for oracle in ORACLES}


def _convicted(costs: list[Cost]) -> Convicted:
    if not costs:
        return Convicted(0, None)
    return Convicted(
        len(costs), Cost(median(cost.trials for cost in costs), median(cost.cpu_s for cost in costs))
    )
