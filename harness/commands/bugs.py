"""`ostrakon bugs`: how soon each seeded bug is convicted."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ostrakon.harness.status import OWN_FAILURE, UserError, exit_status

if TYPE_CHECKING:
    from rich.table import Table

    from ostrakon.harness.search.benchmark import Benchmark
    from ostrakon.harness.search.conviction import Control, Hunt
    from ostrakon.harness.workload import Workload


@click.command()
@click.argument("workload", default="decree")
@click.option("--bug", "names", metavar="NAME", multiple=True, help="Only this bug; may be repeated.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The first seed.")
@click.option(
    "--hunts", type=click.IntRange(min=1), default=1, show_default=True, help="Number of hunts for each bug."
)
@click.option(
    "--control",
    type=click.IntRange(min=0),
    default=2000,
    show_default=True,
    help="Number of trials of the correct system, which must not be invalid.",
)
@click.option(
    "--trials", type=click.IntRange(min=1), default=20_000, show_default=True, help="Most trials of a hunt."
)
@click.option(
    "--cpu",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="Most CPU seconds of a hunt.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of worker processes; one per core if not given.",
)
@click.option(
    "--oracles",
    is_flag=True,
    help="Also measure conviction by clients' histories alone, and by chosen values alone.",
)
@click.option(
    "--recipes", is_flag=True, help="Hunt with each recipe of the search alone, and compare the recipes."
)
@click.option(
    "--substrate",
    type=click.Choice(["both", "model", "sim"]),
    default="sim",
    show_default=True,
    help="Where trials run; `model` is the bare core, and faster.",
)
@click.option("--store", type=click.Path(path_type=Path), default=Path("store"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bugs(
    workload: str,
    names: tuple[str, ...],
    seed: int,
    hunts: int,
    control: int,
    trials: int,
    cpu: float,
    workers: int | None,
    oracles: bool,
    recipes: bool,
    substrate: Any,
    store: Path,
    as_json: bool,
) -> int:
    """Hunt the seeded bugs of WORKLOAD, and run the correct system as a control.

    For each bug, print the trials and CPU seconds until conviction (medians of the hunts), the first violated
    property, and the command that shows the bug again. Exit status 1: a trial of the correct system was
    invalid; 2: a bug was not convicted.
    """
    import msgspec

    from ostrakon.harness.search.benchmark import to_json
    from ostrakon.harness.search.conviction import BenchmarkSettings, benchmark_jobs
    from ostrakon.harness.search.swarm import Swarm

    found = _workload(workload, names)
    if recipes and oracles:
        raise UserError("--recipes and --oracles are two tables: ask for one at a time")
    if substrate == "model" and found.model is None:
        raise UserError(f"the workload {workload!r} has no bare core for --substrate model; try sim")
    swarm = Swarm(workload=workload, substrate=substrate)
    settings = BenchmarkSettings(
        first=seed,
        hunts=hunts,
        control=control,
        trials_max=trials,
        cpu_s_max=cpu,
        store=store,
        all_oracles=oracles,
        recipes=[recipe.name for recipe in swarm.recipes] if recipes else (None,),
    )
    jobs = benchmark_jobs(swarm, names or tuple(found.bugs), settings)
    benchmark = _watched(jobs, workers or os.cpu_count() or 1)
    if as_json:
        expected = {name: bug.convicted_by for name, bug in found.bugs.items()}
        click.echo(msgspec.json.encode(to_json(benchmark, expected)))
    else:
        table = _by_oracle if oracles else _by_recipe if recipes else _by_bug
        _tell(benchmark, table(benchmark), with_replays=not recipes)
    for failure in benchmark.failures[:3]:
        click.echo(failure, err=True)
    return OWN_FAILURE if benchmark.failures else exit_status(benchmark.valid)


def _workload(workload: str, names: tuple[str, ...]) -> Workload:
    from ostrakon.harness.catalogue import UnknownName, find_bug, find_workload

    try:
        found = find_workload(workload)
        for name in names:
            find_bug(found, name)
    except UnknownName as error:
        raise UserError(str(error)) from None
    if not found.bugs:
        raise UserError(f"the workload {workload!r} has no seeded bugs")
    return found


def _watched(jobs: list[Hunt | Control], workers: int) -> Benchmark:
    from rich.console import Console
    from rich.progress import Progress

    from ostrakon.harness.search.benchmark import run_benchmark
    from ostrakon.harness.search.job import warm_modules

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("hunting", total=len(jobs))
        return run_benchmark(
            jobs,
            workers=workers,
            warm=warm_modules(jobs[0].swarm.workload),
            note=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _by_bug(benchmark: Benchmark) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("bug", "convicted", "trials", "CPU s", "first", "recipe", "seed"):
        table.add_column(heading, justify="right" if heading in ("trials", "CPU s", "seed") else "left")
    for row in benchmark.rows:
        caught = f"{row.convicted} of {row.hunts}" if row.hunts > 1 else ("yes" if row.convicted else "NO")
        example = row.example
        table.add_row(
            row.bug,
            caught,
            f"{row.trials:,.0f}",
            f"{row.cpu_s:.2f}",
            *((example.property, example.recipe, str(example.seed)) if example.convicted else ("", "", "")),
        )
    return table


def _by_oracle(benchmark: Benchmark) -> Table:
    """Trials and CPU seconds by each oracle, and how many of several hunts it convicted."""
    from rich.table import Table

    from ostrakon.harness.search.oracle import ORACLES

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("bug")
    for oracle in ORACLES:
        table.add_column(f"{oracle}: trials", justify="right")
        table.add_column("CPU s", justify="right")
    table.add_column("first in the trace")
    for row in benchmark.rows:
        cells = []
        for oracle in ORACLES:
            convicted, cost = row.by_oracle[oracle]
            part = f" ({convicted} of {row.hunts})" if 0 < convicted < row.hunts else ""
            cells += [f"{cost.trials:,.0f}{part}", f"{cost.cpu_s:.2f}"] if cost is not None else ["-", "-"]
        table.add_row(row.bug, *cells, row.example.property)
    return table


def _by_recipe(benchmark: Benchmark) -> Table:
    """Trials until convicted, by each recipe; the fewest stand out, and a dash is a hunt without success."""
    from rich.table import Table

    recipes = list(dict.fromkeys(row.recipe or "" for row in benchmark.rows))
    rows = {(row.bug, row.recipe): row for row in benchmark.rows if row.is_convicted}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("bug")
    for recipe in recipes:
        table.add_column(recipe, justify="right")
    firsts = Counter[str]()
    for bug in dict.fromkeys(row.bug for row in benchmark.rows):
        costs = {recipe: rows[bug, recipe].trials for recipe in recipes if (bug, recipe) in rows}
        least = min(costs.values(), default=0.0)
        firsts.update(recipe for recipe, trials in costs.items() if trials == least)
        cells = (f"{costs[recipe]:,.0f}" if recipe in costs else "-" for recipe in recipes)
        table.add_row(bug, *(f"[bold]{cell}[/]" if cell == f"{least:,.0f}" else cell for cell in cells))
    table.add_section()
    table.add_row("convicted", *(str(sum(found == recipe for _, found in rows)) for recipe in recipes))
    table.add_row("soonest", *(str(firsts[recipe]) for recipe in recipes))
    return table


def _tell(benchmark: Benchmark, table: Table, *, with_replays: bool) -> None:
    from rich.console import Console

    from ostrakon.harness.search.summary import replay_line

    # In a file nothing is to be cut off for want of room.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 180)
    console.print(table)
    console.print()
    for row in benchmark.rows:
        if row.example.folder and with_replays:
            console.print(f"{row.bug}: {replay_line(row.example.folder)}", markup=False, soft_wrap=True)
    total = sum(row.cpu_s for row in benchmark.rows)
    control = benchmark.control
    console.print(f"\nall bugs: {total:.1f} s of CPU", markup=False)
    console.print(
        f"the correct system: {control.trials:,} trials, {len(control.alarms)} alarms, "
        f"{len(control.unknowns)} not judged, {control.cpu_s:.1f} s of CPU",
        markup=False,
    )
    for seed, why in (*control.alarms[:5], *control.unknowns[:5]):
        console.print(f"  seed {seed}: {why}", markup=False, soft_wrap=True)
