"""How soon a seeded bug is convicted, and by which property; and that the correct system never is.

A hunt tries seeds in order until one is invalid, so that its cost in trials depends on nothing but the
first seed. Trials are stopped at their first violation, unless three oracles are to be compared, of which
the one that hears least may need the end. Hunts for several bugs run side by side; each stays in one
process.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec.structs import replace as replace_in

from ostrakon.harness.search.oracle import ORACLES, Cost, Oracle, convicting
from ostrakon.harness.search.outcome import TRIAL_RUNNER, Run, Trial, load_run
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.store import Store

_FAR_APART = 1_000_000
"""Between the first seeds of two hunts for the same bug."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """A search for one bug."""

    swarm: Swarm
    first: int
    """The first seed."""
    trials_max: int
    cpu_s_max: float
    store: Path
    """Where the run that convicts is recorded."""
    runner: str = TRIAL_RUNNER
    all_oracles: bool = False
    """Whether to go on until each of three oracles has convicted, rather than the one that knows most."""


@dataclass(frozen=True, slots=True)
class Hunted:
    """How a hunt ended."""

    bug: str
    only: str | None
    """The only recipe by which plans were drawn, if it was one."""
    convicted: bool
    trials: int
    cpu_s: float
    virtual_s: float
    seed: int = -1
    """The seed that convicted; this and what follows only if one did."""
    recipe: str = ""
    property: str = ""
    """The property that fired first, by the time within the trial."""
    reason: str = ""
    why: str = ""
    folder: str = ""
    costs: Mapping[Oracle, Cost] = field(default_factory=dict)
    """By oracle, what it took; only those that convicted."""


@dataclass(frozen=True, slots=True)
class Control:
    """Trials of the correct system, a part of the control group."""

    swarm: Swarm
    seeds: range
    runner: str = TRIAL_RUNNER


@dataclass(frozen=True, slots=True)
class Controlled:
    """What the control group came to."""

    trials: int = 0
    cpu_s: float = 0.0
    virtual_s: float = 0.0
    alarms: tuple[tuple[int, str], ...] = ()
    """Seeds that were invalid, and why."""
    unknowns: tuple[tuple[int, str], ...] = ()
    """Seeds that could not be judged, and why."""

    def __add__(self, other: Controlled) -> Controlled:
        """Two parts together."""
        return Controlled(
            self.trials + other.trials,
            self.cpu_s + other.cpu_s,
            self.virtual_s + other.virtual_s,
            tuple(sorted(self.alarms + other.alarms)),
            tuple(sorted(self.unknowns + other.unknowns)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSettings:
    """How much a benchmark of seeded bugs tries."""

    first: int
    """The first seed."""
    hunts: int
    """How many hunts for each bug."""
    control: int
    """How many trials of the correct system."""
    trials_max: int
    cpu_s_max: float
    """When a hunt gives up: after so many trials, or so many seconds of CPU time."""
    store: Path
    """Where failing runs are kept."""
    runner: str = TRIAL_RUNNER
    """The function that runs a plan, as `module:function`."""
    all_oracles: bool = False
    """Whether a hunt goes on until each oracle has convicted the bug."""
    recipes: Sequence[str | None] = (None,)
    """The recipes by each of which every bug is hunted; None stands for all of them together."""


def benchmark_jobs(swarm: Swarm, bugs: Sequence[str], settings: BenchmarkSettings) -> list[Hunt | Control]:
    """The jobs of a benchmark: hunts for each bug, and trials of the correct system."""
    first, control, runner = settings.first, settings.control, settings.runner

    def hunt_for(bug: str, recipe: str | None, number: int) -> Hunt:
        hunted = replace_in(swarm, bug=bug, recipe=recipe)
        start = first + number * _FAR_APART
        limits = settings.trials_max, settings.cpu_s_max
        return Hunt(hunted, start, *limits, settings.store, runner, settings.all_oracles)

    return [
        *(
            hunt_for(bug, recipe, number)
            for bug in bugs
            for recipe in settings.recipes
            for number in range(settings.hunts)
        ),
        *(
            Control(replace_in(swarm, bug=None), range(start, min(start + 100, first + control)), runner)
            for start in range(first, first + control, 100)
        ),
    ]


def do_job(job: Hunt | Control) -> Hunted | Controlled:
    """Carry out a part of the benchmark."""
    return hunt(job) if isinstance(job, Hunt) else control(job)


def hunt(job: Hunt) -> Hunted:
    """Try seeds until one is invalid, or enough was spent; or until one is to each oracle."""
    run = load_run(job.runner)
    wanted = len(ORACLES) if job.all_oracles else 1
    began, virtual_s, trials = time.process_time(), 0.0, 0
    convicted: Hunted | None = None
    costs: dict[Oracle, Cost] = {}
    while len(costs) < wanted and trials < job.trials_max and time.process_time() - began < job.cpu_s_max:
        trial = run(job.swarm.plan(job.first + trials), watch=not job.all_oracles)
        trials += 1
        virtual_s += trial.virtual_s
        cpu_s = time.process_time() - began
        for oracle in convicting(trial)[-wanted:]:
            costs.setdefault(oracle, Cost(trials, cpu_s))
        if trial.valid == "invalid" and convicted is None:
            convicted = _conviction(job, trial, trials, cpu_s, virtual_s)
    if convicted is None:
        return Hunted(_bug(job), job.swarm.recipe, False, trials, time.process_time() - began, virtual_s)
    return replace(convicted, costs=costs, folder=_record(run, job, convicted.seed))


def _conviction(job: Hunt, trial: Trial, trials: int, cpu_s: float, virtual_s: float) -> Hunted:
    return Hunted(
        bug=_bug(job),
        only=job.swarm.recipe,
        convicted=True,
        trials=trials,
        cpu_s=cpu_s,
        virtual_s=virtual_s,
        seed=trial.plan.seed,
        recipe=job.swarm.recipe_of(trial.plan.seed).name,
        property=first_fired(trial.anomalies) or trial.reason,
        reason=trial.reason,
        why=trial.why,
    )


def _bug(job: Hunt) -> str:
    assert job.swarm.bug is not None, "a hunt for no bug"
    return job.swarm.bug


def control(job: Control) -> Controlled:
    """Try all seeds; none should be invalid."""
    run = load_run(job.runner)
    began = time.process_time()
    trials = [run(job.swarm.plan(seed)) for seed in job.seeds]
    return Controlled(
        len(trials),
        time.process_time() - began,
        sum(trial.virtual_s for trial in trials),
        tuple((trial.plan.seed, trial.why) for trial in trials if trial.valid == "invalid"),
        tuple((trial.plan.seed, trial.why) for trial in trials if trial.valid == "unknown"),
    )


def first_fired(anomalies: Sequence[Mapping[str, Any]]) -> str:
    """The property, or else the name, of the anomaly that was complete first; empty if there is none."""
    if not anomalies:
        return ""
    first = min(anomalies, key=_completed_ns)
    return str(first.get("property") or first["name"])


def _completed_ns(anomaly: Mapping[str, Any]) -> float:
    """The time of the last thing that shows it."""
    times = [seen["time"] for seen in (*anomaly.get("ops", ()), *anomaly.get("events", ()))]
    return max(times, default=float("inf"))


def _record(run: Run, job: Hunt, seed: int) -> str:
    name = "-".join(filter(None, (job.swarm.bug, job.swarm.recipe, f"seed-{seed}")))
    return str(run(job.swarm.plan(seed), store=Store(job.store), name=name, report=True).folder)
