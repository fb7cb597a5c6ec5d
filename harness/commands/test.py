"""`ostrakon test WORKLOAD`: one trial."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import click

from ostrakon.harness.commands.assignment import parse_options
from ostrakon.harness.commands.completion import complete_nemesis, complete_workload
from ostrakon.harness.commands.outcome import show
from ostrakon.harness.status import OWN_FAILURE, UserError, exit_status

if TYPE_CHECKING:
    from ostrakon.harness.plan import Plan
    from ostrakon.harness.workload import Workload


@click.command()
@click.argument("workload", shell_complete=complete_workload)
@click.option(
    "--seed", type=click.IntRange(min=0), help="What to draw everything from; a random one if not given."
)
@click.option("--nodes", type=click.IntRange(1, 99), help="Size of the cluster.")
@click.option(
    "--nemesis",
    metavar="A,B",
    shell_complete=complete_nemesis,
    default="mixed",
    show_default=True,
    help="Kinds of fault, by comma: see `ostrakon list`. `none` for none, `mixed` for some of all; "
    "`kill:leader` aims one.",
)
@click.option(
    "--steady",
    metavar="S",
    type=click.FloatRange(0, min_open=True),
    help="One fault at a time, for S seconds each, with S seconds of calm before it.",
)
@click.option(
    "--buggify",
    metavar="P",
    type=click.FloatRange(0, 1),
    help="The chance of each rare branch that the programs offer to be at work.",
)
@click.option(
    "--time-limit",
    metavar="S",
    type=click.FloatRange(0, min_open=True),
    help="How long clients act, in virtual seconds.",
)
@click.option("--concurrency", type=click.IntRange(1, 10_000), help="Client processes.")
@click.option(
    "--rate",
    metavar="HZ",
    type=click.FloatRange(0, min_open=True),
    help="Operations a second, all clients together.",
)
@click.option("--bug", metavar="NAME", help="Give the nodes a seeded bug: see `ostrakon list`.")
@click.option(
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="Something that only this workload knows.",
)
@click.option(
    "--substrate",
    type=click.Choice(["model", "sim", "live", "hosts"]),
    help="Where it runs; if not given, where the workload is at home, which mostly is sim.",
)
@click.option(
    "--liveness",
    metavar="S",
    type=click.FloatRange(0, min_open=True),
    help="At the end, strike all but a bare majority for good: in so many seconds it must do its work.",
)
@click.option(
    "--watch", is_flag=True, help="Stop at the first violation, if the workload can tell while it runs."
)
@click.option(
    "--check-determinism", is_flag=True, help="Run twice first, and stop at the first choice that differs."
)
@click.option("--verbose", is_flag=True, help="Print all that was drawn, faults with their times.")
@click.option("--store", metavar="DIR", default="store", show_default=True, help="Where runs are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def test(
    workload: str,
    seed: int | None,
    nodes: int | None,
    nemesis: str,
    steady: float | None,
    buggify: float | None,
    time_limit: float | None,
    concurrency: int | None,
    rate: float | None,
    bug: str | None,
    options: tuple[str, ...],
    substrate: Any,
    liveness: float | None,
    watch: bool,
    check_determinism: bool,
    verbose: bool,
    store: str,
    as_json: bool,
) -> int:
    """Run one trial of WORKLOAD and judge it; what is not given is as the workload has it.

    The run is kept in a folder of its own with a report to read; the last lines say where it is and how
    to run it again.
    """
    from ostrakon.harness.catalogue import UnknownName, find_bug, find_workload
    from ostrakon.harness.faults import UnknownFault
    from ostrakon.harness.plan import BadPlan
    from ostrakon.harness.planning import plan_for
    from ostrakon.harness.reference import is_reference
    from ostrakon.harness.store import Store
    from ostrakon.harness.trial import run

    try:
        found = find_workload(workload)
        substrate = substrate or found.defaults.get("substrate", "sim")
        if bug is not None:
            find_bug(found, bug)
        if watch and (found.watch is None or substrate != "sim"):
            raise UserError(f"--watch: nothing watches {workload!r} while it runs on {substrate!r}")
        if liveness is not None and (substrate != "sim" or not found.judges_liveness):
            raise UserError(
                f"--liveness: {workload!r} on {substrate!r} is judged only by what nodes do when all are well"
            )
        plan = plan_for(
            found,
            source=workload if is_reference(workload) else None,
            seed=secrets.randbelow(2**32) if seed is None else seed,
            nemesis=nemesis,
            steady_s=steady,
            buggify=buggify,
            substrate=substrate,
            bug=bug,
            nodes=nodes,
            concurrency=concurrency,
            rate=rate,
            time_limit_s=time_limit,
            liveness_s=liveness,
            options=parse_options(options),
        )
        if verbose:
            from ostrakon.harness.commands.banner import banner

            click.echo("\n".join(banner(plan)), err=True)
        if check_determinism:
            diverged = _divergence(plan, found)
            click.echo(diverged or "  two runs made the same choices", err=True)
            if diverged:
                return OWN_FAILURE
        trial = run(plan, workload=found, store=Store(store), report=True, watch=watch)
    except (UnknownName, UnknownFault, BadPlan) as error:
        raise UserError(str(error)) from None
    show(trial, as_json=as_json)
    return exit_status(trial.valid)


def _divergence(plan: Plan, workload: Workload) -> str:
    """Where two runs of a plan part ways, with what led there; empty if they do not."""
    if plan.substrate != "sim":
        raise UserError(f"--check-determinism: choices are logged on 'sim' only, not on {plan.substrate!r}")
    from ostrakon.harness.resolution import resolve
    from ostrakon.harness.sim import check_determinism
    from ostrakon.harness.simulation import simulate

    resolved = resolve(plan, workload)
    diverged = check_determinism(lambda choice_log: simulate(resolved, choice_log=choice_log))
    return str(diverged or "")
