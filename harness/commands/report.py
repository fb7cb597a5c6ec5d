"""`ostrakon report`: make pages of what was recorded."""

from __future__ import annotations

from pathlib import Path

import click

from ostrakon.harness.status import UserError


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path("store"))
def report(run: Path) -> None:
    """Write the page of RUN, a run folder, or the index page of a store (default: store)."""
    from ostrakon.harness.catalogue import find_report
    from ostrakon.harness.messages import make_page

    if (run / "plan.json").exists() or (run / "history.jsonl").exists():
        page = make_page(run)
    elif any(run.glob("*/*/plan.json")):
        page = find_report("index")(run)
    else:
        raise UserError(f"{run} is neither a run folder (it has no plan.json) nor a store of runs")
    click.echo(page)
