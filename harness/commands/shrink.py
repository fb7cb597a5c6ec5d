"""`ostrakon shrink`: the smallest plan that still fails for the same reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ostrakon.harness.commands.outcome import show
from ostrakon.harness.status import INVALID, UNKNOWN, VALID, UserError

if TYPE_CHECKING:
    from ostrakon.harness.plan import Plan
    from ostrakon.harness.search.shrunk import Shrunk
    from ostrakon.harness.trial import Trial


@click.command()
@click.argument("plan_or_run", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="How long to search, in seconds.",
)
@click.option("--store", type=click.Path(path_type=Path), default=Path("store"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def shrink(plan_or_run: Path, seconds: float, store: Path, as_json: bool) -> int:
    """Make a failing plan as small as possible: PLAN_OR_RUN is a plan.json or a run folder.

    A smaller plan is accepted only if it runs and fails for the same reason. The result is saved in a run
    folder, with a pytest file that fails until the bug is fixed. Exit status 1: the shrunk plan fails; 0 or
    2: the given plan did not fail.
    """
    from ostrakon.harness.catalogue import UnknownName
    from ostrakon.harness.plan import BadPlan, read_plan
    from ostrakon.harness.trial import run

    try:
        plan = read_plan(plan_or_run)
        failing = run(plan)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not there: a run folder holds a plan.json") from None
    except (UnknownName, BadPlan) as error:
        raise UserError(str(error)) from None
    if failing.valid != "invalid":
        why = failing.why or "nothing that happened in it is forbidden"
        click.echo(f"there is nothing to shrink: the plan is {failing.valid}: {why}", err=True)
        return VALID if failing.valid == "valid" else UNKNOWN
    _tell(_search(failing, seconds), store, as_json)
    return INVALID


def _search(failing: Trial, seconds: float) -> Shrunk:
    """The smallest plan that was found; prints the progress."""
    from rich.console import Console
    from rich.status import Status

    from ostrakon.harness.search.complexity import size_line
    from ostrakon.harness.search.shrunk import shrink_trial

    def show_size(runs: int, simpler: Plan) -> None:
        status.update(f"{runs} runs, now {size_line(simpler)}")

    with Status(f"shrinking {size_line(failing.plan)}", console=Console(stderr=True)) as status:
        return shrink_trial(failing, seconds, note=show_size)


def _tell(shrunk: Shrunk, store: Path, as_json: bool) -> None:
    """Save a run of the result with its test, and print where it is."""
    import msgspec

    from ostrakon.harness.search.complexity import size_line
    from ostrakon.harness.search.shrunk import keep_shrunk
    from ostrakon.harness.store import Store

    trial, test = keep_shrunk(shrunk, Store(store))
    if as_json:
        result = {
            "valid": False,
            "reason": shrunk.reason,
            "why": trial.why,
            "headline": trial.headline,
            "runs": shrunk.runs,
            "folder": str(trial.folder),
            "test": str(test),
            "replay": trial.replay,
            "plan": msgspec.to_builtins(shrunk.plan),
        }
        click.echo(msgspec.json.encode(result))
        return
    show(trial, as_json=False)
    click.echo(f"  reason: {shrunk.reason}")
    click.echo(f"  was:    {size_line(shrunk.original)}")
    click.echo(f"  now:    {size_line(shrunk.plan)}, after {shrunk.runs} runs")
    click.echo(f"  test:   {test}")
