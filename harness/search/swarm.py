"""Swarm search: each seed draws a plan of its own.

Every parameter of a plan is random, because search cannot find a bug that depends on a parameter which never
varies (swarm testing, Groce et al., ISSTA 2012). Each plan is drawn by one of several recipes, which prefer
different faults. Trials are short, because many short trials find more per second than a few long ones.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import permutations
from typing import Any, Literal

import msgspec

from ostrakon.harness.catalogue import find_bug, find_workload, scenarios
from ostrakon.harness.faults import draw_faults, kind_of, kinds_on, targets_in
from ostrakon.harness.faults.registry import AIMED, SURVIVABLE
from ostrakon.harness.plan import Deviation, Fault, Latency, Plan, Substrate
from ostrakon.harness.planning import plan_for
from ostrakon.harness.reference import is_reference
from ostrakon.harness.search.moment_faults import Aims, moment_faults
from ostrakon.harness.search.recipe import RECIPES, Recipe
from ostrakon.harness.search.variation import varied
from ostrakon.harness.version import VERSION
from ostrakon.harness.workload import Leeway

_ABOUT_MESSAGES = 150
"""About the number of messages in a short trial; deviations affect messages below this number."""

_BUGGIFY = (0.0, 0.0, 0.3)
"""The probabilities that a rare branch of a program is enabled; each plan draws one of these."""
_LIVENESS_S, _BESIEGED, _BESIEGED_OF_FEW = 20.0, 0.125, 0.4
"""In a trial of liveness, the seconds within which operations must succeed; and the share of such trials
among simulated trials, if all trials are simulated and if only few are."""
_SIMULATED = 1 / 6
"""The share of simulated trials if most trials run on the model."""
_CLASSIC = ("partition", "pause", "kill", "power_loss")
"""What most tests ask for, and most bugs of consensus need: it is drawn as often as all kinds together."""
_USUAL_TIME = 0.3, 1.2
"""The range of the length of a plan for workloads without a leeway, relative to the usual length."""
_USUAL_LATENCY_MS_MAX = 20.0
"""Maximum latency for such workloads; timeouts of programs on one network are mostly several times this."""
_LATENCIES: tuple[Literal["constant", "uniform", "exponential", "lognormal"], ...] = (
    "constant",
    "uniform",
    "exponential",
    "lognormal",
)


class Swarm(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The common parameters of a campaign's plans; each seed draws the parameters that are not given."""

    workload: str
    """Its name or a reference to it, or several with commas between them: each seed draws one."""
    substrate: Substrate | Literal["both"] = "sim"
    """With `both`, most seeds draw the model, whose trials are cheaper, and some draw simulation, which also
    covers connections and event loops. Workloads without bare nodes are always simulated."""
    bug: str | None = None
    nodes: int | None = None
    kinds: tuple[str, ...] | None = None
    """Names of `ostrakon.harness.faults.FAULTS` to choose from; None for those that the recipe prefers."""
    time_limit_s: float | None = None
    options: Mapping[str, Any] = {}
    recipe: str | None = None
    """The name of the only recipe; None for all recipes."""

    def plan(self, seed: int, recipe: Recipe | None = None) -> Plan:
        """The plan of a seed by this recipe, or by the recipe that the seed draws.

        It is always the same at the same version, and differs between substrates only by their name.
        """
        recipe = recipe or self.recipe_of(seed)
        if self._each:
            return self._each[self.workload_of(seed)].plan(seed, recipe)
        rng = _rng("plan", seed)
        made = self._scenarios if recipe.directed else self._cells if recipe.of_cells else ()
        plan = varied(rng.choice(made), rng) if made else self._draw(rng, recipe, seed)
        if self._is_besieged(seed):
            plan = _besieged(plan)
        return msgspec.structs.replace(
            plan,
            code=VERSION,
            seed=seed,
            bug=self.bug,
            substrate=self.substrate_of(seed),
            **self._shows_under,
        )

    @property
    def workloads(self) -> tuple[str, ...]:
        """The names of all workloads."""
        return tuple(self.workload.split(","))

    def workload_of(self, seed: int) -> str:
        """The name of the workload that a seed draws; all have the same probability."""
        names = self.workloads
        return _rng("workload", seed).choice(names) if len(names) > 1 else names[0]

    def substrate_of(self, seed: int) -> Substrate:
        """The substrate that a seed draws."""
        if self.substrate != "both":
            return self.substrate
        workload = find_workload(self.workload_of(seed))
        if workload.model is None or (self.bug is not None and "liveness_s" in self._shows_under):
            return "sim"
        if self.kinds is not None and not {kind_of(name) for name in self.kinds} <= set(kinds_on("model")):
            return "sim"
        return "sim" if _rng("substrate", seed).random() < _SIMULATED else "model"

    def recipe_of(self, seed: int, shares: Sequence[float] | None = None) -> Recipe:
        """The recipe that a seed draws, with these shares of the recipes, or with their usual shares."""
        usual = [recipe.share for recipe in self.recipes]
        return _rng("recipe", seed).choices(self.recipes, shares or usual)[0]

    @cached_property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipes that can draw plans for these workloads."""
        return tuple(
            recipe
            for recipe in RECIPES
            if self.recipe in (None, recipe.name)
            and (not recipe.directed or self._has_scenarios)
            and (not recipe.of_cells or self._has_cells)
            and (not recipe.at_moments or self._has_moments)
        )

    @cached_property
    def _each(self) -> Mapping[str, Swarm]:
        """A swarm for each workload; empty if there is only one workload."""
        names = self.workloads
        if len(names) == 1:
            return {}
        return {name: msgspec.structs.replace(self, workload=name) for name in names}

    @cached_property
    def _has_scenarios(self) -> bool:
        return any(swarm._scenarios for swarm in self._each.values() or (self,))

    @cached_property
    def _has_cells(self) -> bool:
        return any(swarm._cells for swarm in self._each.values() or (self,))

    @cached_property
    def _cells(self) -> tuple[Plan, ...]:
        """The plans of the workload's matrix; empty if requested parameters exclude them."""
        if self.kinds is not None or self.time_limit_s is not None or self.options:
            return ()
        plans = (cell.plan for cell in find_workload(self.workload).cells.values() if cell.plan is not None)
        return tuple(plan for plan in plans if self.nodes in (None, plan.nodes))

    @cached_property
    def _has_moments(self) -> bool:
        """Whether faults can wait for moments in all workloads, and no kinds of fault were requested."""
        return self.kinds is None and all(find_workload(name).moments for name in self.workloads)

    @cached_property
    def _shows_under(self) -> Mapping[str, Any]:
        """The fields that a plan must have so that the bug can show."""
        return find_bug(find_workload(self.workload), self.bug).plan if self.bug is not None else {}

    def _is_besieged(self, seed: int) -> bool:
        """Whether the trial of a seed tests liveness. A seeded bug that needs this says so in its plan."""
        # A workload without a leeway does not promise that a bare majority of its nodes suffices.
        may_be = self.substrate_of(seed) == "sim" and self.bug is None and self._leeway is not None
        share = _BESIEGED_OF_FEW if self.substrate == "both" else _BESIEGED
        is_drawn = _rng("liveness", seed).random() < share
        return may_be and is_drawn and find_workload(self.workload).judges_liveness

    @cached_property
    def _subject(self) -> Mapping[str, Any]:
        """The fields by which a plan names the workload."""
        if not is_reference(self.workload):
            return {"workload": self.workload}
        return {"workload": find_workload(self.workload).name, "source": self.workload}

    @cached_property
    def _aimed(self) -> tuple[str, ...]:
        """Faults aimed at the workload's own targets."""
        kinds = dict.fromkeys(name.partition(":")[0] for name in AIMED if ":" in name)
        return tuple(f"{kind}:{target}" for target in find_workload(self.workload).targets for kind in kinds)

    @cached_property
    def _leeway(self) -> Leeway | None:
        return find_workload(self.workload).leeway

    @cached_property
    def _scenarios(self) -> tuple[Plan, ...]:
        """The plans of the scenarios; empty if requested parameters exclude them."""
        if self.kinds is not None or self.time_limit_s is not None or self.options:
            return ()
        plans = (scenario.plan for scenario in scenarios().values())
        return tuple(
            plan for plan in plans if plan.reference == self.workload and self.nodes in (None, plan.nodes)
        )

    def _draw(self, rng: random.Random, recipe: Recipe, seed: int) -> Plan:
        if self._leeway is None:
            return self._draw_usual(rng, recipe, seed)
        return self._draw_within(self._leeway, rng, recipe, seed)

    def _draw_usual(self, rng: random.Random, recipe: Recipe, seed: int) -> Plan:
        """A plan of about the size of the workload's own tests, which are long enough for evidence.

        Half of these plans draw faults as a test does, the others draw the faults of the recipe.
        """
        workload = find_workload(self.workload)
        given = {"nodes": self.nodes, "time_limit_s": self.time_limit_s, "options": dict(self.options)}
        usual = plan_for(workload, seed=seed, **{**self._subject_source, **given})
        if self.nodes is None and "nodes" not in workload.defaults:
            usual = msgspec.structs.replace(usual, nodes=rng.choice(recipe.nodes))
        if self.time_limit_s is None:
            time_limit_s = round(usual.time_limit_s * _log_uniform(rng, *_USUAL_TIME), 2)
            usual = msgspec.structs.replace(usual, time_limit_s=time_limit_s)
        offered = list(SURVIVABLE if self.kinds is None else self.kinds)
        if rng.random() < 0.5:
            if self.kinds is None:
                offered = list(rng.choice([SURVIVABLE, _CLASSIC, *filter(None, [self._aimed])]))
            kinds = rng.sample(offered, min(len(offered), rng.randint(1, 3)))
            faults = draw_faults(rng, usual.names, kinds, usual.time_limit_s, targets=targets_in(kinds))
        else:
            latency = _draw_latency(rng, recipe, _USUAL_LATENCY_MS_MAX)
            usual = msgspec.structs.replace(usual, latency=latency, deviations=_draw_deviations(rng, recipe))
            faults = self._draw_faults(rng, recipe, usual)
        return msgspec.structs.replace(usual, faults=tuple(faults), buggify=rng.choice(_BUGGIFY))

    def _draw_options(self, seed: int) -> dict[str, Any]:
        """Options of the workload, drawn from a random stream of their own."""
        rng = _rng("options", seed)
        drawn = {
            name: rng.choice(values) for name, values in find_workload(self.workload).drawn_options.items()
        }
        return {name: value for name, value in drawn.items() if value is not None}

    def _draw_faults(self, rng: random.Random, recipe: Recipe, plan: Plan) -> tuple[Fault, ...]:
        if not recipe.at_moments:
            return _draw_faults(rng, recipe, plan, self.kinds)
        workload = find_workload(self.workload)
        kinds = workload.vocabulary.kinds if workload.vocabulary is not None else ()
        aims = Aims(tuple(workload.moments), kinds, "leader" in workload.targets)
        return tuple(moment_faults(rng, plan.names, aims, plan.time_limit_s, lags=recipe.lags))

    @property
    def _subject_source(self) -> dict[str, Any]:
        return {"source": self.workload} if is_reference(self.workload) else {}

    def _draw_within(self, leeway: Leeway, rng: random.Random, recipe: Recipe, seed: int) -> Plan:
        nodes = self.nodes if self.nodes is not None else rng.choice(recipe.nodes)
        time_limit_s = self.time_limit_s
        if time_limit_s is None:
            time_limit_s = round(_log_uniform(rng, *recipe.time_limit_s), 2)
            time_limit_s = max(time_limit_s, leeway.time_limit_s_min)
        least, most = leeway.ops
        if recipe.at_moments:
            # Snapshots are needed only after many operations.
            least, most = (2 * most, 4 * most) if recipe.lags else (most // 2, 2 * most)
        ops = rng.randint(least, most * 3 // 2 if recipe.shift_ms else most)
        plan = Plan(
            **self._subject,
            seed=seed,
            nodes=nodes,
            concurrency=rng.randint(nodes if recipe.shift_ms else 2, nodes + 1),
            rate=round(ops / time_limit_s, 1),
            time_limit_s=time_limit_s,
            options={**self._draw_options(seed), **self.options},
            latency=_draw_latency(rng, recipe, leeway.latency_ms_max),
            deviations=_draw_deviations(rng, recipe),
        )
        faults = self._draw_faults(rng, recipe, plan)
        return msgspec.structs.replace(plan, faults=faults, buggify=rng.choice(_BUGGIFY))


def _rng(stream: str, seed: int) -> random.Random:
    # A text as seed makes the streams of neighbouring seeds independent.
    return random.Random(f"swarm/{stream}/{seed}")


def _log_uniform(rng: random.Random, low: float, high: float) -> float:
    """A random number from this range whose logarithm is uniform: 1 to 10 is as likely as 10 to 100."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _besieged(plan: Plan) -> Plan:
    """The plan as a trial of liveness.

    Without a bound on latency, no algorithm can guarantee progress (Dwork, Lynch and Stockmeyer, JACM 1988),
    and here the slowest message matters. So the latency of the plan is bounded.
    """
    latency = Latency("uniform", plan.latency.low_ms, plan.latency.high_ms)
    bounded = plan.latency if plan.latency.kind in ("constant", "uniform") else latency
    return msgspec.structs.replace(plan, liveness_s=_LIVENESS_S, latency=bounded)


def _draw_latency(rng: random.Random, recipe: Recipe, most_ms: float) -> Latency:
    low = round(rng.uniform(0.2, 2.0), 1)
    high = min(round(low + _log_uniform(rng, *recipe.latency_ms), 1), most_ms)
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
    liked = [name for name in offered if kind_of(name) in recipe.kinds]
    storm = [name for name in offered if name in recipe.storm]
    if recipe.name != "quiet" and not liked and not storm:
        liked = offered
    if recipe.shift_ms and "drop" in offered:
        return tuple(_shifting(rng, plan, _log_uniform(rng, *recipe.shift_ms)))
    haste = _log_uniform(rng, *recipe.haste)
    time_limit_s, targets = plan.time_limit_s / haste, targets_in(liked)
    drawn = draw_faults(rng, plan.names, _some(rng, liked), time_limit_s, targets=targets)
    return (
        *(_lasting(rng, name, plan) for name in _some(rng, storm)),
        *(_hastened(fault, haste) for fault in drawn),
    )


def _some(rng: random.Random, names: Sequence[str]) -> list[str]:
    """Some of these names; at least one, unless there are none."""
    return [name for name in names if rng.random() < 0.6] or list(names[:1])


def _shifting(rng: random.Random, plan: Plan, period_ms: float) -> Iterator[Fault]:
    """In each period, some random links are cut."""
    links = tuple(permutations(plan.names, 2))
    share = rng.uniform(0.2, 0.5)
    for period in range(int(1000 * plan.time_limit_s / period_ms)):
        if cut := tuple(link for link in links if rng.random() < share):
            at_ms = int(period * period_ms)
            yield Fault(kind="drop", at_ms=at_ms, for_ms=int(period_ms), probability=1.0, links=cut)


def _lasting(rng: random.Random, kind: str, plan: Plan) -> Fault:
    """A fault of messages that lasts for the whole trial."""
    ms = 0.0 if kind == "drop" else round(_log_uniform(rng, 5.0, 500.0), 1)
    probability = round(rng.uniform(0.1, 0.6), 2)
    return Fault(kind=kind, at_ms=0, for_ms=int(1000 * plan.time_limit_s), probability=probability, ms=ms)


def _hastened(fault: Fault, haste: float) -> Fault:
    return msgspec.structs.replace(
        fault, at_ms=int(fault.at_ms * haste), for_ms=max(1, int(fault.for_ms * haste))
    )
