"""`ostrakon replay`: run a plan again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ostrakon.harness.commands.outcome import show
from ostrakon.harness.status import OWN_FAILURE, UserError, exit_status

if TYPE_CHECKING:
    from ostrakon.harness.plan import Plan
    from ostrakon.harness.sim import World


@click.command()
@click.argument("plan_or_run", type=click.Path(path_type=Path))
@click.option(
    "--store", metavar="DIR", default="store", show_default=True, help="Where the new run is saved."
)
@click.option("--bug", metavar="NAME", help="Run the nodes with this seeded bug instead of the plan's.")
@click.option(
    "--print",
    "printed",
    metavar="NODE",
    help="First print the output and the log of this node, with virtual times.",
)
@click.option(
    "--break-at", metavar="TIME", help="First stop the simulation at this virtual time and open a debugger."
)
@click.option("--node", metavar="NODE", help="The node that --break-at shows; all nodes if not given.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay(
    plan_or_run: Path,
    store: str,
    bug: str | None,
    printed: str | None,
    break_at: str | None,
    node: str | None,
    as_json: bool,
) -> int:
    """Run a plan again, byte for byte: PLAN_OR_RUN is a plan.json, a run folder, or the name of a scenario.

    For a run folder, it also says whether the result is the same as before. A run that was stopped at its
    first violation is stopped there again. With --print or --break-at, the plan is first run once for
    inspection.
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
        if printed is not None or break_at is not None:
            _look_into(plan, printed, break_at, node)
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
    if plan.substrate in ("live", "hosts"):
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


def _look_into(plan: Plan, printed: str | None, break_at: str | None, node: str | None) -> None:
    """Run a plan and show the output of a node, or the world at a moment. Raises: UserError."""
    import sys
    from contextlib import nullcontext

    from ostrakon.harness.commands.inspection import Inspector, printing, time_ns
    from ostrakon.harness.resolution import resolve
    from ostrakon.harness.simulation import Branch, simulate

    if plan.substrate != "sim":
        raise UserError(
            f"--print and --break-at look into simulations, and this plan is for {plan.substrate!r}"
        )
    for name in filter(None, (printed, node)):
        if name not in plan.names:
            raise UserError(f"there is no node {name!r}; there are {', '.join(plan.names)}")
    at_ns = time_ns(break_at) if break_at is not None else None
    if break_at is not None and (at_ns is None or at_ns < 0):
        raise UserError(f"--break-at {break_at}: expected a virtual time such as 1.29s")
    worlds: list[World] = []
    out = sys.stdout

    def where() -> tuple[str | None, int]:
        kernel = worlds[0].kernel if worlds else None
        current = kernel.current if kernel is not None else None
        return (
            current.name.partition("#")[0] if current is not None else None
        ), kernel.now_ns if kernel else 0

    def begin(at: int, simulation: Any) -> None:
        worlds[:] = [simulation.world]
        if at == at_ns:
            Inspector(simulation.world, node, sys.stdin, out).stop_here()

    moments = tuple(sorted({0, *([at_ns] if at_ns is not None else [])}))
    with printing(printed, where, out) if printed is not None else nullcontext():
        simulate(resolve(plan), branch=Branch(moments, begin))


def _plan(asked: Path) -> Plan:
    """The plan of an argument. Raises: BadPlan; FileNotFoundError, for an incomplete run folder;
    UserError."""
    from ostrakon.harness.catalogue import UnknownName, find_scenario
    from ostrakon.harness.plan import read_plan

    if asked.exists():
        return read_plan(asked)
    try:
        return find_scenario(str(asked)).plan
    except UnknownName as error:
        raise UserError(f"there is no file or folder {asked}, and {error}") from None


def _earlier(run: Path) -> dict[str, Any] | None:
    """The results of the recorded run; None if they are not recorded."""
    import msgspec

    try:
        results = msgspec.json.decode((run / "results.json").read_bytes())
        told = {name: results[name] for name in ("digest", "version")}
        return {**told, "stopped": bool(results.get("stopped")), "plan": results.get("plan_digest")}
    except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return None


def _its_own_command(run: Path) -> str:
    """The command that runs a run again, if only a test knows its workload."""
    import msgspec

    try:
        again = msgspec.json.decode((run / "results.json").read_bytes())["replay"]
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return ""
    return "" if str(again).startswith("ostrakon") else f"; its test knows it: {again}"
