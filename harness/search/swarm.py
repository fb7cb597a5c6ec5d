"""Swarm search: each seed draws a plan of its own, from the size of the cluster to which faults are off.

What all plans had in common no plan could find, so everything is drawn (swarm testing, Groce et al.,
ISSTA 2012), by one of several recipes that favour different kinds of trouble. Trials are short: many
small ones find more per second than few long ones.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal

import msgspec

from harness.nemesis import FAULTS, draw_faults
from harness.nemesis.kinds import DISKS, SURVIVABLE
from harness.plan import Deviation, Fault, Latency, Plan, Substrate
from harness.version import VERSION

_ABOUT_MESSAGES = 150
"""Messages that the nodes of a short trial exchange, about; deviations fall among the first of these."""

_LATENCIES: tuple[Literal["constant", "uniform", "exponential", "lognormal"], ...] = (
    "constant",
    "uniform",
    "exponential",
    "lognormal",
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way of drawing plans that favours one kind of trouble."""

    name: str
    about: str
    share: int
    """How many seeds it gets, in proportion to the others."""
    kinds: tuple[str, ...] = ()
    """The kinds of `Fault` it draws from."""
    storm: tuple[str, ...] = ()
    """Of which kinds there is one fault more, from beginning to end: while most messages are lost or late,
    nothing gets decided, and so there is more to be broken."""
    shift_ms: tuple[float, float] | None = None
    """If given, some links are cut at any time, and after so long, from and to, it is others."""
    nodes: tuple[int, ...] = (3, 3, 3, 3, 3, 3, 4, 5, 5, 5)
    """The size of the cluster is one of these."""
    haste: tuple[float, float] = (0.1, 1.0)
    """By what the times of faults are multiplied, from and to: in haste they come often and are short."""
    time_limit_s: tuple[float, float] = (0.3, 3.0)
    """How long clients act, from and to."""
    latency_ms: tuple[float, float] = (0.5, 20.0)
    """Where the spread of latencies is drawn from."""
    deviations: int = 0
    """The most deviations that a plan gets."""
    actions: tuple[Literal["delay", "drop", "duplicate"], ...] = ("delay", "drop", "duplicate")
    held_ms: tuple[float, float] = (1.0, 100.0)
    """How much longer a deviating message takes, from and to."""


_MESSAGES = ("delay", "reorder", "drop", "duplicate")

RECIPES = (
    Recipe("uniform", "any faults, all alike", 2, kinds=SURVIVABLE, deviations=6),
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
    Recipe("partitions", "the network falls apart, now this way, now that", 1, kinds=("partition", "drop")),
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
    Recipe("quiet", "no faults at all: duels are trouble enough", 1, latency_ms=(0.5, 100.0)),
)


class Swarm(msgspec.Struct, frozen=True, kw_only=True):
    """What the plans of a campaign have in common; what is not given is drawn for each seed."""

    workload: str
    substrate: Substrate = "sim"
    bug: str | None = None
    nodes: int | None = None
    kinds: tuple[str, ...] | None = None
    """Names of `harness.nemesis.FAULTS` to choose from; None for what the recipe likes."""
    time_limit_s: float | None = None
    options: Mapping[str, Any] = {}

    def plan(self, seed: int) -> Plan:
        """The plan of this seed; on every substrate the same but for that."""
        plan = draw_plan(
            self.workload,
            seed,
            kinds=self.kinds,
            bug=self.bug,
            nodes=self.nodes,
            time_limit_s=self.time_limit_s,
            options=self.options,
        )
        return msgspec.structs.replace(plan, substrate=self.substrate)


def draw_recipe(seed: int) -> Recipe:
    """The recipe by which this seed's plan is drawn."""
    return _rng("recipe", seed).choices(RECIPES, [recipe.share for recipe in RECIPES])[0]


def draw_plan(
    workload: str,
    seed: int,
    *,
    kinds: Sequence[str] | None = None,
    bug: str | None = None,
    nodes: int | None = None,
    time_limit_s: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan of this seed: always the same for the same arguments and version.

    `kinds` are names of `harness.nemesis.FAULTS` to choose from, all that the recipe likes if it is None;
    each seed leaves some of them out.
    """
    rng = _rng("plan", seed)
    recipe = draw_recipe(seed)
    nodes = nodes if nodes is not None else rng.choice(recipe.nodes)
    time_limit_s = (
        time_limit_s if time_limit_s is not None else round(_log_uniform(rng, *recipe.time_limit_s), 2)
    )
    ops = rng.randint(3, 24 if recipe.shift_ms else 16)
    plan = Plan(
        code=VERSION,
        workload=workload,
        bug=bug,
        seed=seed,
        nodes=nodes,
        concurrency=rng.randint(nodes if recipe.shift_ms else 2, nodes + 1),
        rate=round(ops / time_limit_s, 1),
        time_limit_s=time_limit_s,
        options=dict(options or {}),
        latency=_draw_latency(rng, recipe),
        deviations=_draw_deviations(rng, recipe),
    )
    return msgspec.structs.replace(plan, faults=_draw_faults(rng, recipe, plan, kinds))


def _rng(stream: str, seed: int) -> random.Random:
    # Seeded with text, so that the streams of neighbouring seeds have nothing in common.
    return random.Random(f"swarm/{stream}/{seed}")


def _log_uniform(rng: random.Random, low: float, high: float) -> float:
    """A number of any magnitude in this range: as many between 1 and 10 as between 10 and 100."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _draw_latency(rng: random.Random, recipe: Recipe) -> Latency:
    low = round(rng.uniform(0.2, 2.0), 1)
    high = round(low + _log_uniform(rng, *recipe.latency_ms), 1)
    kind = rng.choice(_LATENCIES)
    return Latency(kind, high, high) if kind == "constant" else Latency(kind, low, high)


def _draw_deviations(rng: random.Random, recipe: Recipe) -> tuple[Deviation, ...]:
    messages = sorted(rng.sample(range(_ABOUT_MESSAGES), rng.randint(0, recipe.deviations)))
    return tuple(_draw_deviation(rng, recipe, message) for message in messages)


def _draw_deviation(rng: random.Random, recipe: Recipe, message: int) -> Deviation:
    action = rng.choice(recipe.actions)
    return Deviation(message, action, 0.0 if action == "drop" else round(rng.uniform(*recipe.held_ms), 1))


def _draw_faults(
    rng: random.Random, recipe: Recipe, plan: Plan, kinds: Sequence[str] | None
) -> tuple[Fault, ...]:
    offered = list(SURVIVABLE if kinds is None else kinds)
    liked = [name for name in offered if FAULTS[name].kind in recipe.kinds]
    storm = [name for name in offered if FAULTS[name].kind in recipe.storm]
    if recipe.name != "quiet" and not liked and not storm:
        liked = offered
    if recipe.shift_ms and "drop" in offered:
        return tuple(_shifting(rng, plan, _log_uniform(rng, *recipe.shift_ms)))
    haste = _log_uniform(rng, *recipe.haste)
    drawn = draw_faults(rng, plan.names, _some(rng, liked), plan.time_limit_s / haste)
    return (
        *(_lasting(rng, FAULTS[name].kind, plan) for name in _some(rng, storm)),
        *(_hastened(fault, haste) for fault in drawn),
    )


def _some(rng: random.Random, names: Sequence[str]) -> list[str]:
    """Some of these, at least one if there is any."""
    return [name for name in names if rng.random() < 0.6] or list(names[:1])


def _shifting(rng: random.Random, plan: Plan, period_ms: float) -> Iterator[Fault]:
    """Some links cut, and in the next period others."""
    links = tuple(permutations(plan.names, 2))
    share = rng.uniform(0.2, 0.5)
    for period in range(int(1000 * plan.time_limit_s / period_ms)):
        if cut := tuple(link for link in links if rng.random() < share):
            at_ms = int(period * period_ms)
            yield Fault(kind="drop", at_ms=at_ms, for_ms=int(period_ms), probability=1.0, links=cut)


def _lasting(rng: random.Random, kind: str, plan: Plan) -> Fault:
    """A fault of messages from beginning to end."""
    ms = 0.0 if kind == "drop" else round(_log_uniform(rng, 5.0, 500.0), 1)
    probability = round(rng.uniform(0.1, 0.6), 2)
    return Fault(kind=kind, at_ms=0, for_ms=int(1000 * plan.time_limit_s), probability=probability, ms=ms)


def _hastened(fault: Fault, haste: float) -> Fault:
    return msgspec.structs.replace(
        fault, at_ms=int(fault.at_ms * haste), for_ms=max(1, int(fault.for_ms * haste))
    )
