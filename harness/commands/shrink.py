"""`ostrakon shrink`: the smallest plan that still fails for the same reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ostrakon.harness.status import INVALID, UNKNOWN, VALID, UserError

if TYPE_CHECKING:
    from ostrakon.harness.plan import Plan
    from ostrakon.harness.search.outcome import Trial


@click.command()
@click.argument("plan_or_run", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="When to be content with what was found until then.",
)
@click.option("--store", type=click.Path(path_type=Path), default=Path("store"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def shrink(plan_or_run: Path, seconds: float, store: Path, as_json: bool) -> int:
    """Leave out of a failing plan whatever can be left out: PLAN_OR_RUN is a plan.json or a run folder.

    Every smaller plan is run, and counts only if it fails for the same reason. The result is kept in a
    run folder, with a pytest file that fails until the fault is mended. Exit status 1: it was shrunk and
    still fails; 0 or 2: the plan did not fail to begin with.
    """
    from ostrakon.harness.catalogue import UnknownName
    from ostrakon.harness.plan import BadPlan, read_plan
    from ostrakon.harness.search.outcome import load_run

    try:
        plan = read_plan(plan_or_run)
        failing = load_run()(plan)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not there: a run folder holds a plan.json") from None
    except (UnknownName, BadPlan) as error:
        raise UserError(str(error)) from None
    if failing.valid != "invalid":
        why = failing.why or "nothing that happened in it is forbidden"
        click.echo(f"there is nothing to shrink: the plan is {failing.valid}: {why}", err=True)
        return VALID if failing.valid == "valid" else UNKNOWN
    found, runs = _search(failing, seconds)
    _keep(found, failing.reason, runs, plan, store, as_json)
    return INVALID


def _search(failing: Trial, seconds: float) -> tuple[Plan, int]:
    """The simplest plan found, and after how many runs."""
    from rich.console import Console
    from rich.status import Status

    from ostrakon.harness.search.allowance import Allowance
    from ostrakon.harness.search.complexity import size_line
    from ostrakon.harness.search.failure import simplest_alike
    from ostrakon.harness.search.outcome import load_run

    run, runs = load_run(), 0

    def run_counted(plan: Plan) -> Trial:
        nonlocal runs
        runs += 1
        return run(plan)

    def tell(simpler: Plan) -> None:
        status.update(f"{runs} runs, now {size_line(simpler)}")

    with Status(f"shrinking {size_line(failing.plan)}", console=Console(stderr=True)) as status:
        return simplest_alike(failing, run_counted, Allowance.of(seconds), tell), runs


def _keep(found: Plan, reason: str, runs: int, plan: Plan, store: Path, as_json: bool) -> None:
    """Record a run of the result, with its test beside it, and tell of it."""
    import msgspec

    from ostrakon.harness.search.complexity import size_line
    from ostrakon.harness.search.regression import regression_test, slug
    from ostrakon.harness.store import Store, write_whole
    from ostrakon.harness.trial import run

    name = "-".join(filter(None, ("shrunk", plan.bug, f"seed-{plan.seed}")))
    trial = run(found, store=Store(store), name=name, report=True)
    assert trial.reason == reason, f"it failed for {reason!r}, and run once more for {trial.reason!r}"
    assert trial.folder is not None
    test = trial.folder / f"test_{slug(plan.workload, reason)}.py"
    write_whole(test, regression_test(found, reason=reason, why=trial.why).encode())
    if as_json:
        told = {
            "valid": False,
            "reason": reason,
            "why": trial.why,
            "runs": runs,
            "folder": str(trial.folder),
            "test": str(test),
            "replay": trial.replay,
            "plan": msgspec.to_builtins(found),
        }
        click.echo(msgspec.json.encode(told))
        return
    click.echo(f"{click.style('INVALID', fg='red', bold=True)}  {trial.why}")
    click.echo(f"  reason: {reason}")
    click.echo(f"  was:    {size_line(plan)}")
    click.echo(f"  now:    {size_line(found)}, after {runs} runs")
    click.echo(f"  test:   {test}")
    click.echo(f"  report: {trial.folder / 'report.html'}")
    click.echo(f"  replay: {trial.replay}")
