"""`ostrakon test WORKLOAD`: one trial."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import click

from ostrakon.harness.commands.outcome import show
from ostrakon.harness.commands.parameters import complete_nemesis, complete_workload, parse_options
from ostrakon.harness.status import OWN_FAILURE, UserError, exit_status

if TYPE_CHECKING:
    from ostrakon.harness.plan import Plan
    from ostrakon.harness.workload import Workload


@click.command()
@click.argument("workload", shell_complete=complete_workload)
@click.option(
    "--seed", type=click.IntRange(min=0), help="The seed of all random choices; random if not given."
)
@click.option("--nodes", type=click.IntRange(1, 99), help="Number of nodes.")
@click.option(
    "--nemesis",
    metavar="A,B",
    shell_complete=complete_nemesis,
    default="mixed",
    show_default=True,
    help="Kinds of fault, separated by commas: see `ostrakon list`. `none`: no faults. `mixed`: a random "
    "choice. `kill:leader`: with a target.",
)
@click.option(
    "--steady",
    metavar="S",
    type=click.FloatRange(0, min_open=True),
    help="One fault at a time: each lasts S seconds and comes after S seconds without faults.",
)
@click.option(
    "--buggify",
    metavar="P",
    type=click.FloatRange(0, 1),
    help="Probability that a rare branch of the programs is enabled.",
)
@click.option(
    "--time-limit",
    metavar="S",
    type=click.FloatRange(0, min_open=True),
    help="How long clients run, in virtual seconds.",
)
@click.option("--concurrency", type=click.IntRange(1, 10_000), help="Number of client processes.")
@click.option(
    "--rate",
    metavar="HZ",
    type=click.FloatRange(0, min_open=True),
    help="Operations per second of all clients together.",
)
@click.option("--bug", metavar="NAME", help="Run the nodes with a seeded bug: see `ostrakon list`.")
@click.option(
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="An option of the workload: see `ostrakon list WORKLOAD`.",
)
@click.option(
    "--substrate",
    type=click.Choice(["model", "sim", "live", "hosts"]),
    help="Where the trial runs; if not given, the workload decides, usually sim.",
)
@click.option(
    "--liveness",
    metavar="S",
    type=click.FloatRange(0, min_open=True),
    help="At the end, only a smallest majority has no faults; it must serve clients within S seconds.",
)
@click.option("--watch", is_flag=True, help="Stop at the first violation, if the workload has a monitor.")
@click.option(
    "--check-determinism",
    is_flag=True,
    help="First run the plan twice, and show the first choice that differs.",
)
@click.option("--verbose", is_flag=True, help="Print all drawn parameters, and the faults with their times.")
@click.option("--store", metavar="DIR", default="store", show_default=True, help="Where runs are kept.")
@click.option(
    "--explain",
    type=click.FloatRange(min=0),
    default=8.0,
    show_default=True,
    envvar="OSTRAKON_EXPLAIN_S",
    metavar="SECONDS",
    help="CPU seconds for finding when the failure of a simulation became inevitable; 0 for not at all.",
)
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
    explain: float,
    as_json: bool,
) -> int:
    """Run one trial of WORKLOAD and judge it. The workload decides options that are not given.

    The run is saved in a new folder with an HTML report. The last lines print the path of the report and the
    command that runs the trial again.
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
    if explain > 0 and trial.valid == "invalid" and substrate == "sim" and trial.folder is not None:
        from ostrakon.harness.commands.explain import explain_within

        click.echo(f"  {explain_within(trial, found, explain)}", err=True)
    return exit_status(trial.valid)


def _divergence(plan: Plan, workload: Workload) -> str:
    """The first difference between two runs of a plan, with its context; empty if there is none."""
    if plan.substrate != "sim":
        raise UserError(f"--check-determinism: choices are logged on 'sim' only, not on {plan.substrate!r}")
    from ostrakon.harness.resolution import resolve
    from ostrakon.harness.sim import check_determinism
    from ostrakon.harness.simulation import simulate

    resolved = resolve(plan, workload)
    diverged = check_determinism(lambda choice_log: simulate(resolved, choice_log=choice_log))
    return str(diverged or "")
