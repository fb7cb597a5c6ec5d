"""`ostrakon cells`: which combinations of a workload's matrix of faults are reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ostrakon.harness.commands.parameters import complete_workload
from ostrakon.harness.status import UserError, exit_status

if TYPE_CHECKING:
    from ostrakon.harness.cell import Cell
    from ostrakon.harness.plan import Substrate


@dataclass(frozen=True, slots=True)
class _Tried:
    """What came of one cell on one substrate."""

    name: str
    cell: Cell
    substrate: Substrate | None
    """None for a cell that cannot be."""
    seed: int | None = None
    """The first seed that reached it; None if none did."""
    alarm: str = ""
    """The command and the reason, if a trial failed."""


@click.command()
@click.argument("workload", shell_complete=complete_workload)
@click.option("--bug", metavar="NAME", help="Run the nodes with a seeded bug: see `ostrakon list`.")
@click.option("--only", metavar="TEXT", default="", help="Only cells whose names contain this text.")
@click.option(
    "--substrate",
    type=click.Choice(["both", "model", "sim"]),
    default="both",
    show_default=True,
    help="Where trials run.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Seeds that are tried until a cell is reached.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def cells(workload: str, bug: str | None, only: str, substrate: str, seeds: int, as_json: bool) -> int:
    """Run each cell of WORKLOAD's matrix of faults, and say which are reached.

    A cell is one combination, such as a kind of message, what becomes of it, and what its sender is by then.
    It is a plan, or the reason why it cannot be. A cell is reached if all its faults had an effect and what
    it is about happened.

    Exit status 1: a trial failed; 2: a cell was not reached.
    """
    import msgspec

    from ostrakon.harness.catalogue import UnknownName, find_bug, find_workload

    try:
        found = find_workload(workload)
        if bug is not None:
            find_bug(found, bug)
    except UnknownName as error:
        raise UserError(str(error)) from None
    if not found.cells:
        raise UserError(f"the workload {workload!r} has no matrix of faults")
    substrates: tuple[Substrate, ...] = ("model", "sim") if substrate == "both" else (substrate,)  # type: ignore[assignment]
    chosen = {name: cell for name, cell in found.cells.items() if only in name}
    tried = [
        one for name, cell in chosen.items() for one in _try(name, cell, bug, substrates, range(1, seeds + 1))
    ]
    alarms = [one for one in tried if one.alarm]
    missed = [one for one in tried if one.substrate is not None and one.seed is None]
    valid = "invalid" if alarms else "unknown" if missed else "valid"
    if as_json:
        click.echo(msgspec.json.encode(_as_json(tried, valid)))
    else:
        _tell(tried, substrates)
    return exit_status(valid)


def _try(
    name: str, cell: Cell, bug: str | None, substrates: tuple[Substrate, ...], seeds: range
) -> Iterator[_Tried]:
    from msgspec.structs import replace

    from ostrakon.harness.trial import run

    if cell.plan is None:
        yield _Tried(name, cell, None)
        return
    for substrate in substrates:
        reached, alarm = None, ""
        for seed in seeds:
            trial = run(replace(cell.plan, substrate=substrate, seed=seed, bug=bug))
            if trial.valid == "invalid":
                alarm = f"seed {seed}: {trial.why}"
            if alarm or cell.is_reached(trial.effects, trial.trace):
                reached = seed
                break
        yield _Tried(name, cell, substrate, reached, alarm)


def _tell(tried: list[_Tried], substrates: tuple[Substrate, ...]) -> None:
    impossible = [one for one in tried if one.substrate is None]
    for substrate in substrates:
        here = [one for one in tried if one.substrate == substrate]
        missed, alarms = [one for one in here if one.seed is None], [one for one in here if one.alarm]
        click.echo(f"{substrate}: {len(here) - len(missed)} of {len(here)} cells reached")
        for one in missed:
            click.echo(f"  not reached: {one.name}")
        for one in alarms:
            click.echo(f"  FAILED  {one.name}: {one.alarm}")
    click.echo(f"cannot be: {len(impossible)}")
    reasons: dict[str, list[str]] = {}
    for one in impossible:
        reasons.setdefault(one.cell.impossible, []).append(one.name)
    for reason, names in reasons.items():
        click.echo(f"  {len(names):3d} x  {reason}: {names[0]}{', ...' if len(names) > 1 else ''}")


def _as_json(tried: list[_Tried], valid: str) -> dict[str, Any]:
    from ostrakon.harness.history.verdict import as_json

    return {
        "valid": as_json(valid),
        "cells": [
            {
                "name": one.name,
                "about": one.cell.about,
                "substrate": one.substrate,
                "reached": one.seed is not None,
                "seed": one.seed,
                "alarm": one.alarm,
                "impossible": one.cell.impossible,
            }
            for one in tried
        ],
    }
