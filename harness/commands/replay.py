"""`ostrakon replay`: run a plan again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ostrakon.harness.commands.outcome import show
from ostrakon.harness.status import OWN_FAILURE, UserError, exit_status

if TYPE_CHECKING:
    from ostrakon.harness.plan import Plan


@click.command()
@click.argument("plan_or_run", type=click.Path(path_type=Path))
@click.option("--store", metavar="DIR", default="store", show_default=True, help="Where the new run is kept.")
@click.option("--bug", metavar="NAME", help="Give the nodes this seeded bug, whatever the plan says of bugs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay(plan_or_run: Path, store: str, bug: str | None, as_json: bool) -> int:
    """Run a plan again, byte for byte: PLAN_OR_RUN is a plan.json, a run folder, or the name of a scenario.

    Given a run folder, it also says whether the same thing happened as then; a run that was stopped at its
    first violation is stopped there again.
    """
    from msgspec.structs import replace

    from ostrakon.harness.catalogue import UnknownName
    from ostrakon.harness.plan import BadPlan, plan_digest
    from ostrakon.harness.store import Store
    from ostrakon.harness.trial import run

    try:
        plan, earlier = _plan(plan_or_run), _earlier(plan_or_run)
        if bug is not None:
            plan, earlier = replace(plan, bug=bug), None
        watch = earlier is not None and earlier["stopped"]
        name = "-".join(filter(None, ("replay-of", plan.bug, f"seed-{plan.seed}")))
        trial = run(plan, store=Store(store), name=name, report=True, watch=watch)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not there: a run folder holds a plan.json") from None
    except UnknownName as error:
        raise UserError(f"{error}{_its_own_command(plan_or_run)}") from None
    except BadPlan as error:
        raise UserError(str(error)) from None
    show(trial, as_json=as_json)
    if plan.substrate == "live":
        click.echo("  live, no two runs are the same: this one had the same plan", err=True)
    elif earlier and earlier["plan"] not in (None, plan_digest(plan)):
        click.echo("  the plan is not the one that was run then, so there is nothing to compare", err=True)
    elif earlier and earlier["digest"] != trial.digest:
        if earlier["version"] == trial.results()["version"]:
            click.echo("Something else happened than in the recorded run, at the same version.", err=True)
            return OWN_FAILURE
        click.echo(f"Something else happened than then: that was version {earlier['version']}.", err=True)
    elif earlier:
        click.echo("  the same happened as in the recorded run, to the byte", err=True)
    elif plan_or_run.is_dir() and bug is None:
        why = "its results.json is missing or damaged"
        click.echo(f"  whether the same happened as in the recorded run is not known: {why}", err=True)
    return exit_status(trial.valid)


def _plan(asked: Path) -> Plan:
    """Raises: BadPlan; FileNotFoundError, of what a run folder lacks; UserError."""
    from ostrakon.harness.catalogue import UnknownName, find_scenario
    from ostrakon.harness.plan import read_plan

    if asked.exists():
        return read_plan(asked)
    try:
        return find_scenario(str(asked)).plan
    except UnknownName as error:
        raise UserError(f"there is no file or folder {asked}, and {error}") from None


def _earlier(run: Path) -> dict[str, Any] | None:
    """What the recorded run came to; None if it is not told."""
    import msgspec

    try:
        results = msgspec.json.decode((run / "results.json").read_bytes())
        told = {name: results[name] for name in ("digest", "version")}
        return {**told, "stopped": bool(results.get("stopped")), "plan": results.get("plan_digest")}
    except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return None


def _its_own_command(run: Path) -> str:
    """How a run says that it is run again, if only a test knows its workload."""
    import msgspec

    try:
        again = msgspec.json.decode((run / "results.json").read_bytes())["replay"]
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return ""
    return "" if str(again).startswith("ostrakon") else f"; its test knows it: {again}"
