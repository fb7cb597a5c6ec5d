"""What a worker of a campaign is sent to do: try a seed, or run a plan that failed once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.plan import Plan
from ostrakon.harness.search.allowance import Allowance
from ostrakon.harness.search.failure import simplest_alike
from ostrakon.harness.search.outcome import (
    OBSERVING_RUNNER,
    BranchCount,
    Outcome,
    Trial,
    Valid,
    count_faults,
    load_run,
    reason_of,
)
from ostrakon.harness.search.recipe import find_recipe
from ostrakon.harness.search.shape import transitions, windows
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.search.twin import failing_twins
from ostrakon.harness.store import Store

_CONFIRMING_S = 15.0
"""How long a failure of the model is looked for in simulation."""
_SHRINKING_S = 15.0
"""How long a failure is shrunk while the campaign goes on; `ostrakon shrink` takes as long as it is given."""


@dataclass(frozen=True, slots=True)
class Try:
    """Run the plan of a seed; twice, to see whether the same happens."""

    seed: int
    recipe: str
    """By which its plan is drawn."""
    twice: bool = False


@dataclass(frozen=True, slots=True)
class Keep:
    """Run a plan once more, and leave a run folder with a report behind."""

    finding: tuple[Valid, str]
    """The verdict and the reason that the plan is an example of."""
    plan: Plan
    store: Path


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the run of a failing plan was recorded."""

    finding: tuple[Valid, str]
    plan: Plan
    folder: Path
    reason: str
    """What this run failed for: the same, unless something outside of the plan decides."""
    why: str


@dataclass(frozen=True, slots=True)
class Recheck:
    """Run a plan that failed before, to see whether it still does."""

    finding: tuple[Valid, str]
    plan: Plan


@dataclass(frozen=True, slots=True)
class Rechecked:
    """Whether a plan that failed before still does."""

    finding: tuple[Valid, str]
    plan: Plan
    still_fails: bool


@dataclass(frozen=True, slots=True)
class Shrink:
    """Look for a simpler plan that ends like this one, for a while."""

    finding: tuple[Valid, str]
    plan: Plan


@dataclass(frozen=True, slots=True)
class ShrunkPlan:
    """A simpler plan that ends like another, or that one if there is none."""

    finding: tuple[Valid, str]
    plan: Plan
    simpler: Plan


@dataclass(frozen=True, slots=True)
class Confirm:
    """Look in simulation for a failure that a plan shows on the model."""

    finding: tuple[Valid, str]
    plan: Plan


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Whether a failure of the model occurs in simulation too."""

    finding: tuple[Valid, str]
    plan: Plan
    """The plan for the model."""
    told: str
    """The result in a clause."""


@dataclass(frozen=True, slots=True)
class Prove:
    """Run the plan of a seed to show what it comes to here, for a machine to be compared with another."""

    seed: int


@dataclass(frozen=True, slots=True)
class Proved:
    """What a plan comes to; the same wherever the same code runs it."""

    digest: str
    valid: Valid
    why: str


TrialJob = Try | Keep | Recheck | Shrink | Confirm | Prove
JobResult = Outcome | Kept | Rechecked | ShrunkPlan | Confirmed | Proved


@dataclass(frozen=True, slots=True)
class TrialJobs:
    """Does the jobs of a campaign; sent to the workers, hence plain data."""

    swarm: Swarm
    runner: str = OBSERVING_RUNNER

    def __call__(self, job: TrialJob) -> JobResult:
        """Do one."""
        match job:
            case Try(seed, recipe, twice):
                return self._try(seed, recipe, twice)
            case Shrink(finding, plan):
                return ShrunkPlan(finding, plan, self._shrunk(finding, plan))
            case Keep(finding, plan, store):
                name = "-".join(filter(None, (plan.bug, f"seed-{plan.seed}")))
                trial = load_run(self.runner)(plan, store=Store(store), name=name, report=True)
                assert trial.folder is not None
                return Kept(finding, plan, trial.folder, reason_of(trial), trial.why)
            case Recheck(finding, plan):
                trial = load_run(self.runner)(plan)
                return Rechecked(finding, plan, (trial.valid, reason_of(trial)) == finding)
            case Confirm(finding, plan):
                return Confirmed(finding, plan, self._in_simulation(finding, plan))
            case Prove(seed):
                trial = load_run(self.runner)(self.swarm.plan(seed))
                return Proved(trial.digest, trial.valid, trial.why)

    def _try(self, seed: int, recipe: str, twice: bool) -> Outcome:
        run = load_run(self.runner)
        plan = self.swarm.plan(seed, find_recipe(recipe))
        trial = run(plan)
        differs = twice and run(plan).digest != trial.digest
        return _outcome(trial, seed, recipe, twice=twice, differs=differs)

    def _in_simulation(self, finding: tuple[Valid, str], plan: Plan) -> str:
        """Whether the plan, by its own seed or by another, fails in simulation, in a clause."""
        run, allowance = load_run(self.runner), Allowance.of(_CONFIRMING_S)
        twin = next(failing_twins(run(plan), run, enough=allowance.is_spent), None)
        if twin is None:
            return "was not found in simulation"
        if reason_of(twin) == finding[1]:
            return f"fails alike in simulation with seed {twin.plan.seed}"
        return f"fails in simulation with seed {twin.plan.seed}, for another reason: {reason_of(twin)}"

    def _shrunk(self, finding: tuple[Valid, str], plan: Plan) -> Plan:
        run = load_run(self.runner)
        trial = run(plan)
        if (trial.valid, reason_of(trial)) != finding:
            return plan  # Whoever keeps it will find that out as well, and say so.
        return simplest_alike(trial, run, Allowance.of(_SHRINKING_S))


def must_stay_here(job: TrialJob) -> bool:
    """Whether an job leaves files behind, which nobody here would find on another machine."""
    return isinstance(job, Keep)


def warm_modules(workload: str) -> tuple[str, ...]:
    """What the trials of a workload import, for workers to be born with. Raises: UnknownName."""
    return ("ostrakon.harness.simulation", find_workload(workload).check.__module__)


def _outcome(trial: Trial, seed: int, recipe: str, *, twice: bool, differs: bool) -> Outcome:
    valid = trial.valid
    results = trial.results()
    points: Mapping[str, Mapping[str, int]] = results.get("sometimes") or {}
    return Outcome(
        seed=seed,
        recipe=recipe,
        valid=valid,
        reason=reason_of(trial),
        why=trial.why if valid != "valid" else "",
        faults=count_faults(trial.effects),
        transitions=transitions(trial.trace) or dict(results.get("messages") or {}),
        points={name: BranchCount(told["reached"], told["fired"]) for name, told in points.items()},
        windows=windows(trial.history),
        virtual_s=trial.virtual_s,
        wall_s=trial.wall_s,
        rerun=twice,
        differs=differs,
        plan=trial.plan if valid != "valid" else None,
    )
