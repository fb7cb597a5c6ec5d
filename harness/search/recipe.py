"""Recipes: ways of drawing plans, each of which prefers one kind of fault.

No recipe finds every bug soon. `ostrakon bugs --recipes` measures which bugs each recipe finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ostrakon.harness.faults.registry import DISKS, SURVIVABLE


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way of drawing plans that prefers one kind of fault."""

    name: str
    about: str
    share: int
    """Its share of the seeds, relative to the shares of the other recipes."""
    kinds: tuple[str, ...] = ()
    """The kinds of fault from which it draws."""
    storm: tuple[str, ...] = ()
    """Kinds with one more fault that lasts for the whole trial. While most messages are lost or late, nothing
    is decided, so more proposals compete."""
    shift_ms: tuple[float, float] | None = None
    """If given, some links are always cut, and other links after a period from this range."""
    nodes: tuple[int, ...] = (3, 3, 3, 3, 3, 3, 4, 5, 5, 5)
    """The possible sizes of the cluster."""
    haste: tuple[float, float] = (0.1, 1.0)
    """The range of the factor for the times of faults; with a small factor, faults are frequent and short."""
    time_limit_s: tuple[float, float] = (0.3, 3.0)
    """The range of the time in which clients begin operations."""
    latency_ms: tuple[float, float] = (0.5, 20.0)
    """The range of the spread of latencies."""
    deviations: int = 0
    """The maximum number of deviations in a plan."""
    actions: tuple[Literal["delay", "drop", "duplicate"], ...] = ("delay", "drop", "duplicate")
    held_ms: tuple[float, float] = (1.0, 100.0)
    """The range of the additional delay of a deviating message."""
    at_moments: bool = False
    """Whether faults wait for events that nodes report, instead of a time."""
    lags: bool = False
    """Whether a node is also cut off for so long that it must catch up."""
    of_cells: bool = False
    """Whether plans are variations of the cells of the workload's matrix of faults."""
    directed: bool = False
    """Whether plans are variations of the workload's scenarios."""


_MESSAGES = ("delay", "reorder", "drop", "duplicate")

RECIPES = (
    Recipe("uniform", "any faults, all alike", 3, kinds=SURVIVABLE, deviations=6),
    Recipe(
        "crash-heavy",
        "nodes die and come back while messages are on their way",
        3,
        kinds=("kill", "power_loss", "crash_at_sync", "crash_at_await", "drop"),
        haste=(0.03, 0.3),
        time_limit_s=(0.2, 1.0),
        latency_ms=(2.0, 100.0),
        deviations=4,
    ),
    Recipe(
        "delay-heavy",
        "messages take very different times and come out of order",
        2,
        kinds=("delay", "reorder", "duplicate", "clog", "pause"),
        latency_ms=(10.0, 100.0),
        deviations=12,
        actions=("delay", "duplicate"),
    ),
    Recipe(
        "storm",
        "most messages are lost, late or doubled from beginning to end",
        2,
        storm=_MESSAGES,
        latency_ms=(2.0, 50.0),
        time_limit_s=(0.5, 2.0),
    ),
    Recipe(
        "crash-storm",
        "nodes die and come back again and again while nothing gets decided",
        3,
        kinds=("kill", "power_loss"),
        storm=("drop", "delay"),
        haste=(0.02, 0.1),
        latency_ms=(1.0, 10.0),
        time_limit_s=(0.2, 0.6),
    ),
    Recipe(
        "shifting",
        "every few round trips it is other links that are cut, so that no quorum hears of all votes",
        4,
        shift_ms=(40.0, 200.0),
        nodes=(5,),
        latency_ms=(10.0, 50.0),
        time_limit_s=(1.0, 2.0),
    ),
    Recipe(
        "disk-heavy",
        "disks are slow, full or failing, and the power fails between a write and its sync",
        2,
        kinds=(*DISKS, "crash_at_sync", "power_loss"),
        haste=(0.1, 0.6),
        latency_ms=(0.5, 20.0),
        time_limit_s=(0.3, 1.5),
    ),
    Recipe(
        "hold-and-release",
        "single messages are held back until the world has moved on",
        3,
        kinds=("kill", "power_loss"),
        haste=(0.03, 0.5),
        time_limit_s=(0.3, 1.0),
        deviations=16,
        held_ms=(20.0, 800.0),
    ),
    Recipe(
        "moments",
        "faults strike at single events: a crash right after a promise, a cut when a snapshot is installed",
        6,
        at_moments=True,
        nodes=(3, 3, 3, 4, 5),
        time_limit_s=(0.5, 2.5),
    ),
    Recipe(
        "lagging",
        "a node is cut off until the others have dropped what it lacks, and faults strike when it catches up",
        4,
        at_moments=True,
        lags=True,
        nodes=(3, 3, 3, 4, 5),
        time_limit_s=(1.5, 3.0),
        latency_ms=(0.5, 5.0),
    ),
    Recipe(
        "matrix",
        "each message, write, timer and change of state with all that can happen to it, a little changed",
        4,
        of_cells=True,
    ),
    Recipe("directed", "plans made by hand for one kind of trouble, a little changed", 6, directed=True),
    Recipe("quiet", "no faults at all: duels are trouble enough", 1, latency_ms=(0.5, 100.0)),
)


def find_recipe(name: str) -> Recipe:
    """The recipe of this name. Raises: KeyError, if there is none."""
    return _BY_NAME[name]


_BY_NAME = {recipe.name: recipe for recipe in RECIPES}
