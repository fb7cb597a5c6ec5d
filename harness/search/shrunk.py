"""A failing trial shrunk, and what is kept of it: a run folder with a test beside the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ostrakon.harness.plan import Plan
from ostrakon.harness.search.allowance import Allowance
from ostrakon.harness.search.failure import simplest_alike
from ostrakon.harness.search.outcome import Trial
from ostrakon.harness.search.regression import regression_test, slug
from ostrakon.harness.store import Store, write_whole
from ostrakon.harness.trial import Trial as RecordedTrial
from ostrakon.harness.trial import run
from ostrakon.harness.workload import Workload


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The simplest plan found that fails as a trial did."""

    plan: Plan
    reason: str
    """What it fails for, and what the trial failed for."""
    original: Plan
    runs: int
    """How many plans were run to find it."""


def shrink_trial(
    failing: RecordedTrial,
    seconds: float,
    *,
    workload: Workload | None = None,
    note: Callable[[int, Plan], object] = lambda runs, plan: None,
) -> Shrunk:
    """Look for simpler plans that fail alike, for so many seconds.

    The workload is found by the plan's name for it unless it is given. `note` is told of each simpler plan,
    and after how many runs it was found.
    """
    runs = 0

    def run_counted(plan: Plan) -> Trial:
        nonlocal runs
        runs += 1
        return cast(Trial, run(plan, workload=workload))

    plan = simplest_alike(
        cast(Trial, failing),
        run_counted,
        Allowance.of(seconds),
        lambda simpler: note(runs, simpler),
        workload=workload,
    )
    return Shrunk(plan, failing.reason, failing.plan, runs)


def keep_shrunk(
    shrunk: Shrunk, store: Store, *, workload: Workload | None = None
) -> tuple[RecordedTrial, Path]:
    """Record a run of the shrunk plan in the store; returns it and the path of the test beside it."""
    name = "-".join(filter(None, ("shrunk", shrunk.original.bug, f"seed-{shrunk.original.seed}")))
    trial = run(shrunk.plan, workload=workload, store=store, name=name, report=True)
    assert trial.reason == shrunk.reason, (trial.reason, shrunk.reason)
    assert trial.folder is not None
    test = trial.folder / f"test_{slug(shrunk.plan.workload, shrunk.reason)}.py"
    write_whole(test, regression_test(shrunk.plan, reason=shrunk.reason, why=trial.headline).encode())
    return trial, test
