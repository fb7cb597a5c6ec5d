"""`ostrakon explore`: all executions of a small cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ostrakon.harness.commands.outcome import COLOURS
from ostrakon.harness.history.verdict import as_json
from ostrakon.harness.status import UserError, exit_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostrakon.harness.model import Explore, Found, Size
    from ostrakon.harness.plan import Plan


@click.command()
@click.argument("workload", default="decree")
@click.option("--proposers", type=click.IntRange(1, 9), default=2, show_default=True)
@click.option("--acceptors", type=click.IntRange(1, 9), default=3, show_default=True)
@click.option(
    "--crashes",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Number of crashes of all nodes together.",
)
@click.option(
    "--timeouts",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Number of time-outs: a proposer then sends again, or begins a new ballot.",
)
@click.option(
    "--requests",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of values proposed to each proposer, in each of its incarnations.",
)
@click.option("--duplicates", is_flag=True, help="Let messages arrive any number of times.")
@click.option("--bug", metavar="NAME", help="Run the nodes with a seeded bug: see `ostrakon list`.")
@click.option(
    "--property",
    "only",
    metavar="NAME",
    multiple=True,
    help="Check only this property, such as P2; may be repeated.",
)
@click.option(
    "--limit",
    metavar="STATES",
    type=click.IntRange(1),
    default=2_000_000,
    show_default=True,
    help="Stop at this number of states; a million needs about half a gigabyte.",
)
@click.option(
    "--store",
    metavar="DIR",
    default="store",
    show_default=True,
    help="Where the plan of a counterexample is saved.",
)
@click.option("--json", "json", is_flag=True, help="Print one JSON object.")
def explore(
    workload: str,
    proposers: int,
    acceptors: int,
    crashes: int,
    timeouts: int,
    requests: int,
    duplicates: bool,
    bug: str | None,
    only: tuple[str, ...],
    limit: int,
    store: str,
    json: bool,
) -> int:
    """Explore all executions of a small cluster of WORKLOAD's system.

    Messages arrive in any order or never. Nodes crash and restart, and timers fire, up to the given numbers.
    If a property can be violated, a shortest execution that violates it is printed, and saved as a plan to
    replay.
    """
    from ostrakon.harness.catalogue import UnknownName
    from ostrakon.harness.model import CannotExplore, Size

    size = Size(proposers, acceptors, crashes, timeouts, requests, duplicates)
    try:
        explores = _explores(workload, bug)
        found = _watched(explores, size, bug=bug, only=only, states_max=limit)
    except (UnknownName, CannotExplore) as error:
        raise UserError(str(error)) from None
    name = f"explored-{bug or 'core'}"
    plans = {
        "plan": _keep(found.plan, store, name),
        "simulation": _keep(found.simulation, store, f"{name}-sim"),
    }
    if json:
        _print_json(found, plans)
    else:
        _tell(found, plans)
    return exit_status(found.valid)


def _explores(workload: str, bug: str | None) -> Explore:
    from ostrakon.harness.catalogue import find_bug, find_workload

    found = find_workload(workload)
    if bug is not None:
        find_bug(found, bug)
    if found.explore is None:
        raise UserError(f"the workload {workload!r} has no small world to explore")
    return found.explore


def _watched(explores: Explore, size: Size, **asked: Any) -> Found:
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("exploring") as status:

        def note(depth: int, known: int, waiting: int) -> None:
            status.update(f"exploring: {known:,} states, {waiting:,} of them new, {depth} steps deep")

        shown: Callable[[int, int, int], object] | None = note if console.is_terminal else None
        return explores(size, note=shown, **asked)


def _keep(plan: Plan | None, store: str, name: str) -> Path | None:
    from ostrakon.harness.plan import encode_plan
    from ostrakon.harness.store import write_whole

    if plan is None:
        return None
    folder = Path(store) / plan.workload
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    write_whole(path, encode_plan(plan))
    return path


def _tell(found: Found, plans: Mapping[str, Path | None]) -> None:
    click.echo(click.style(found.valid.upper(), fg=COLOURS[found.valid], bold=True) + f"  {found.why}")
    click.echo(
        f"  {found.states:,} states, {found.transitions:,} transitions, {found.depth} steps deep, "
        f"in {found.wall_s:.1f} s ({found.states / max(found.wall_s, 1e-9):,.0f} states/s)"
    )
    if found.story:
        click.echo("")
    for number, line in enumerate(found.story, start=1):
        click.echo(f"  {number:>2}. {line}")
    if plans["plan"] is not None:
        click.echo(f"\n  replay: ostrakon replay {plans['plan']}")
        simulated = plans["simulation"]
        click.echo(
            f"  in simulation: ostrakon replay {simulated}"
            if simulated is not None
            else "  in simulation: no plan was found that goes like this"
        )


def _print_json(found: Found, plans: Mapping[str, Path | None]) -> None:
    import msgspec

    told = {
        "valid": as_json(found.valid),
        "why": found.why,
        "property": found.property,
        "states": found.states,
        "transitions": found.transitions,
        "depth": found.depth,
        "wall_s": found.wall_s,
        "states_per_s": found.states / max(found.wall_s, 1e-9),
        "story": list(found.story),
        **{name: str(path) if path is not None else None for name, path in plans.items()},
        **found.details,
    }
    click.echo(msgspec.json.encode(told))
