"""`ostrakon list`: what can be asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ostrakon.harness.status import UserError

if TYPE_CHECKING:
    from ostrakon.harness.workload import Workload


@click.command()
@click.argument("places", metavar="[WORKLOAD...]", nargs=-1)
def offers(places: tuple[str, ...]) -> None:
    """List workloads, their seeded bugs, scenarios, kinds of fault, and models for `check`.

    WORKLOAD is a name, `package.module:NAME` or `path/to/file.py::NAME`; then only its parts are listed. The
    name of a module or a file lists all workloads in it.
    """
    if places:
        for place in places:
            _list_places(place)
        return
    _list_installed()


def _list_places(place: str) -> None:
    from ostrakon.harness.catalogue import find_workload
    from ostrakon.harness.reference import UnknownName, workloads_in

    is_whole_file = place.endswith(".py")
    try:
        found = workloads_in(place) if is_whole_file else {place: find_workload(place)}
    except UnknownName as error:
        raise UserError(str(error)) from None
    if not found:
        raise UserError(f"{place} has no Workload at its top level")
    for reference, workload in found.items():
        _list_workload(reference, workload)


def _list_workload(reference: str, workload: Workload) -> None:
    click.secho(f"workload {reference}", bold=True)
    click.echo(f"  {workload.about or workload.name}")
    for option, about in workload.options.items():
        click.echo(f"    --option {option:<29} {about}")
    for bug in workload.bugs.values():
        click.echo(f"    --bug {bug.name:<32} {bug.about}")


def _list_installed() -> None:
    from ostrakon.harness.catalogue import find_workload, model_names, scenarios, workload_names
    from ostrakon.harness.faults import GROUPS, SIZES, TARGETS, all_faults

    for name in workload_names():
        _list_workload(name, find_workload(name))
    click.secho("scenarios for replay", bold=True)
    for scenario in scenarios().values():
        click.echo(f"    {scenario.name:<36} {scenario.about}")
        click.echo(f"    {'':<36} goes wrong with --bug {' | '.join(scenario.bugs)}")
    click.secho("faults for --nemesis", bold=True)
    for kind in all_faults().values():
        click.echo(f"    {kind.name:<36} {kind.about}")
    click.secho("groups of them", bold=True)
    for name, about in GROUPS.items():
        click.echo(f"    {name:<36} {about}")
    click.secho("whom any of them is to strike, as in kill:leader", bold=True)
    click.echo(f"    {':' + ', :'.join(SIZES)}  so many nodes, drawn at random")
    for name, target in TARGETS.items():
        about = (target.__doc__ or "").partition("\n")[0].rstrip(".")
        click.echo(f"    {':' + name:<36} {about[:1].lower()}{about[1:]}")
    click.secho("models for check --model", bold=True)
    for name in model_names():
        click.echo(f"    {name}")
