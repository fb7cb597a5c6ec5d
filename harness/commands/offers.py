"""`ostrakon list`: what can be asked for by name."""

from __future__ import annotations

import click


@click.command()
def offers() -> None:
    """List workloads, their seeded bugs, scenarios, kinds of fault, and models for `check`."""
    from ostrakon.harness.catalogue import find_workload, model_names, scenarios, workload_names
    from ostrakon.harness.faults import FAULTS, GROUPS, TARGETS
    from ostrakon.harness.faults.aim import SIZES

    for name in workload_names():
        workload = find_workload(name)
        click.secho(f"workload {name}", bold=True)
        click.echo(f"  {workload.about}")
        for option, about in workload.options.items():
            click.echo(f"    --option {option:<29} {about}")
        for bug in workload.bugs.values():
            click.echo(f"    --bug {bug.name:<32} {bug.about}")
    click.secho("scenarios for replay", bold=True)
    for scenario in scenarios().values():
        click.echo(f"    {scenario.name:<36} {scenario.about}")
        click.echo(f"    {'':<36} goes wrong with --bug {' | '.join(scenario.bugs)}")
    click.secho("faults for --nemesis", bold=True)
    for kind in FAULTS.values():
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
