"""Swarm search: each seed draws a plan of its own, from the size of the cluster to which faults are off.

What all plans had in common no plan could find, so everything is drawn (swarm testing, Groce et al.,
ISSTA 2012), by one of several recipes that favour different kinds of trouble. Trials are short: many
small ones find more per second than few long ones.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from harness.nemesis import FAULTS, draw_faults
from harness.plan import Deviation, Fault, Latency, Plan
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
    density: int = 1
    """How many times as many faults as usual."""
    spread: float = 1.0
    """By what the spread of latencies is multiplied."""
    deviations: int = 0
    """The most deviations that a plan gets."""
    actions: tuple[Literal["delay", "drop", "duplicate"], ...] = ("delay", "drop", "duplicate")
    held_ms: tuple[float, float] = (1.0, 50.0)
    """How much longer a deviating message takes, from and to."""


_CRASHES = ("kill", "power_loss", "pause")
_MESSAGES = ("delay", "reorder", "drop", "duplicate")

RECIPES = (
    Recipe("uniform", "any faults, all alike", 3, kinds=("partition", *_CRASHES, *_MESSAGES), deviations=6),
    Recipe(
        "crash-heavy", "nodes stop, die and come back", 3, kinds=(*_CRASHES, "drop"), density=2, deviations=4
    ),
    Recipe(
        "delay-heavy",
        "messages take very different times and come out of order",
        3,
        kinds=("delay", "reorder", "duplicate", "pause"),
        spread=8.0,
        deviations=12,
        actions=("delay", "duplicate"),
    ),
    Recipe("partitions", "the network falls apart, now this way, now that", 2, kinds=("partition", "drop")),
    Recipe(
        "hold-and-release",
        "single messages are held back until the world has moved on",
        3,
        kinds=("kill", "power_loss"),
        deviations=16,
        held_ms=(20.0, 800.0),
    ),
    Recipe("quiet", "no faults at all: duels are trouble enough", 1, spread=4.0),
)


class Swarm(msgspec.Struct, frozen=True, kw_only=True):
    """What the plans of a campaign have in common; what is not given is drawn for each seed."""

    workload: str
    bug: str | None = None
    nodes: int | None = None
    kinds: tuple[str, ...] | None = None
    """Names of `harness.nemesis.FAULTS` to choose from; None for what the recipe likes."""
    time_limit_s: float | None = None
    options: Mapping[str, Any] = {}

    def plan(self, seed: int) -> Plan:
        """The plan of this seed."""
        return draw_plan(
            self.workload,
            seed,
            kinds=self.kinds,
            bug=self.bug,
            nodes=self.nodes,
            time_limit_s=self.time_limit_s,
            options=self.options,
        )


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
    nodes = nodes if nodes is not None else rng.choices((3, 4, 5), (6, 1, 3))[0]
    # Log-uniform: as many trials of half a second to one second as of two to four.
    time_limit_s = time_limit_s if time_limit_s is not None else round(0.5 * 10 ** rng.random(), 2)
    ops = rng.randint(4, 24)
    plan = Plan(
        code=VERSION,
        workload=workload,
        bug=bug,
        seed=seed,
        nodes=nodes,
        concurrency=rng.randint(2, 6),
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


def _draw_latency(rng: random.Random, recipe: Recipe) -> Latency:
    low = round(rng.uniform(0.2, 2.0), 2)
    spread = round(rng.uniform(0.5, 5.0) * recipe.spread, 2)
    kind = rng.choice(_LATENCIES)
    return Latency(kind, low, low if kind == "constant" else round(low + spread, 2))


def _draw_deviations(rng: random.Random, recipe: Recipe) -> tuple[Deviation, ...]:
    messages = sorted(rng.sample(range(_ABOUT_MESSAGES), rng.randint(0, recipe.deviations)))
    return tuple(_draw_deviation(rng, recipe, message) for message in messages)


def _draw_deviation(rng: random.Random, recipe: Recipe, message: int) -> Deviation:
    action = rng.choice(recipe.actions)
    return Deviation(message, action, 0.0 if action == "drop" else round(rng.uniform(*recipe.held_ms), 1))


def _draw_faults(
    rng: random.Random, recipe: Recipe, plan: Plan, kinds: Sequence[str] | None
) -> tuple[Fault, ...]:
    offered = [name for name, kind in FAULTS.items() if name == kind.kind] if kinds is None else list(kinds)
    liked = [name for name in offered if FAULTS[name].kind in recipe.kinds]
    if recipe.kinds and not liked:
        liked = offered
    on = [name for name in liked if rng.random() < 0.6] or liked[:1]
    drawn = (draw_faults(rng, plan.names, on, plan.time_limit_s) for _ in range(recipe.density))
    return tuple(sorted((fault for faults in drawn for fault in faults), key=lambda fault: fault.at_ms))
