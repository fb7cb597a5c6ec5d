"""`ostrakon soak`: a campaign of many trials."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ostrakon.harness.commands.parameters import complete_workload, parse_options
from ostrakon.harness.status import OWN_FAILURE, UserError, exit_status

if TYPE_CHECKING:
    from ostrakon.harness.search.campaign import Campaign
    from ostrakon.harness.search.soak import Limits, Progress
    from ostrakon.harness.search.swarm import Swarm
    from ostrakon.harness.workload import Workload


def _seconds(_: click.Context, __: click.Parameter, text: str | None) -> float:
    from ostrakon.harness.search.duration import parse_duration

    try:
        return float("inf") if text is None else parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument(
    "workloads", metavar="[WORKLOAD[,WORKLOAD...]]", required=False, shell_complete=complete_workload
)
@click.option("--for", "seconds", callback=_seconds, metavar="TIME", help="How long: 90s, 10m, 8h, 1h30m.")
@click.option("--trials", type=click.IntRange(min=1), metavar="N", help="Number of trials.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of worker processes; one per core if not given.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Run trials on the workers of a Dask scheduler, such as tcp://10.0.0.1:8786, on many machines.",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="FIRST", help="The first seed; 0 if not given.")
@click.option("--nodes", type=click.IntRange(1, 99), help="Number of nodes; drawn if not given.")
@click.option("--nemesis", metavar="A,B", help="Kinds of fault to draw from; all if not given.")
@click.option("--bug", metavar="NAME", help="Run the nodes with a seeded bug: see `ostrakon list`.")
@click.option(
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="An option of the workloads, the same in all plans.",
)
@click.option(
    "--substrate",
    type=click.Choice(["both", "model", "sim"]),
    help="Where trials run. `model` is the bare nodes, and faster; `both` runs most trials there and some in "
    "simulation, and looks in simulation for what fails on the model. both if not given.",
)
@click.option("--store", type=click.Path(path_type=Path), default=Path("store"), show_default=True)
@click.option("--resume", is_flag=True, help="Continue the newest campaign in the store.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def soak(
    workloads: str | None,
    seconds: float,
    trials: int | None,
    workers: int | None,
    cluster: str | None,
    seed: int | None,
    nodes: int | None,
    nemesis: str | None,
    bug: str | None,
    options: tuple[str, ...],
    substrate: Any,
    store: Path,
    resume: bool,
    as_json: bool,
) -> int:
    """Run many trials of WORKLOAD, each with a plan that its seed draws.

    The default workload is decree. With several workloads, or with `all`, each seed draws one. Without --for
    and --trials, the soak runs until ctrl-C. Every outcome is saved immediately, and --resume continues a
    soak without trying any seed twice. Failures are grouped by reason, and the smallest plan of each reason
    is saved in a run folder.
    """
    from ostrakon.harness.search.campaign import BadCampaign, newest_path, sole_use
    from ostrakon.harness.search.soak import Limits
    from ostrakon.harness.search.worker_pool import CannotStart, PoolFailed

    if cluster is not None and workers is not None:
        raise UserError("--workers are processes here, and --cluster has workers elsewhere: name one of them")
    limits = Limits(seconds, float("inf") if trials is None else trials)
    drawn = _Drawn(workloads, seed, nodes, nemesis, bug, parse_options(options) or None, substrate)
    if resume and any(given is not None for given in drawn):
        raise UserError(
            "--resume goes on with a campaign as it was begun: "
            "leave out WORKLOAD, --seed, --nodes, --nemesis, --bug, --option and --substrate"
        )
    try:
        if resume:
            newest_path(store)  # There is one, before anything is made of the store.
        with sole_use(store), _newest(store) if resume else _begin(store, drawn) as campaign:
            try:
                return _run(campaign, store, limits, workers or os.cpu_count() or 1, cluster, as_json)
            except CannotStart:
                campaign.withdraw()
                raise
    except (BadCampaign, CannotStart) as error:
        raise UserError(str(error)) from None
    except PoolFailed as error:
        click.echo(f"the soak was given up: {error}", err=True)
        return OWN_FAILURE


class _Drawn(NamedTuple):
    """The options that all plans of a campaign share; None means drawn for each plan."""

    workloads: str | None
    seed: int | None
    nodes: int | None
    nemesis: str | None
    bug: str | None
    options: Mapping[str, Any] | None
    substrate: Any


def _begin(store: Path, drawn: _Drawn) -> Campaign:
    from ostrakon.harness.catalogue import UnknownName, find_bug, find_workload, require_options
    from ostrakon.harness.faults import UnknownFault
    from ostrakon.harness.search.campaign import Campaign, fresh_path
    from ostrakon.harness.search.swarm import Swarm

    workloads, seed, nodes, nemesis, bug, options, substrate = drawn
    try:
        names = _workloads(workloads or "decree", substrate or "both")
        if bug is not None:
            if len(names) > 1:
                raise UserError(f"--bug {bug} belongs to one workload: name that one alone")
            find_bug(find_workload(names[0]), bug)
        for each in map(find_workload, names):
            require_options(each, options or {})
        kinds = _kinds(nemesis, [find_workload(name) for name in names])
    except (UnknownName, UnknownFault) as error:
        raise UserError(str(error)) from None
    short = [find_workload(name).name for name in names]
    swarm = Swarm(
        workload=",".join(names),
        substrate=substrate or "both",
        bug=bug,
        nodes=nodes,
        kinds=kinds,
        options=options or {},
    )
    _require_values(swarm)
    name = "all" if workloads == "all" else "-".join(filter(None, (*short, bug)))
    return Campaign.create(fresh_path(store, name), swarm, seed or 0)


def _require_values(swarm: Swarm) -> None:
    """Check the values of options: the generator of a workload refuses those that it can't take.

    Raises: UserError.
    """
    import random

    from ostrakon.harness.catalogue import find_workload
    from ostrakon.harness.plan import BadPlan
    from ostrakon.harness.planning import plan_for

    for name in swarm.workloads:
        workload = find_workload(name)
        try:
            workload.generator(plan_for(workload, seed=0, options=dict(swarm.options)), random.Random(0))
        except BadPlan as error:
            raise UserError(str(error)) from None


def _workloads(text: str, substrate: str) -> list[str]:
    """The workloads of the argument. Raises: UnknownName, UserError."""
    from ostrakon.harness.catalogue import find_workload, workload_names

    if text == "all":
        return [name for name in workload_names() if not _why_not(find_workload(name), substrate)]
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if why := _why_not(find_workload(name), substrate):
            raise UserError(why)
    return names


def _why_not(workload: Workload, substrate: str) -> str:
    """Why a workload cannot be soaked; empty if it can."""
    if workload.is_live_only:
        return (
            f"the nodes of {workload.name!r} are programs that cannot be simulated, "
            "so there is no soak of it: see `ostrakon maelstrom test`"
        )
    if substrate == "model" and workload.model is None:
        return f"the workload {workload.name!r} has no bare core for --substrate model; try sim"
    return ""


def _kinds(nemesis: str | None, workloads: Sequence[Workload]) -> tuple[str, ...] | None:
    """The kinds of fault that are meant; None for all, and the recipes choose.

    Raises: UnknownFault, also when one is aimed at a target that not every workload has.
    """
    import random

    from ostrakon.harness.faults import fault_kinds

    names = [name.strip() for name in (nemesis or "mixed").split(",")]
    if "mixed" in names or "all" in names:
        return None
    each = [[kind.name for kind in fault_kinds(names, random.Random(0), one.targets)] for one in workloads]
    # Groups leave out what a workload has no target for, and a campaign draws what all its workloads have.
    return tuple(name for name in each[0] if all(name in others for others in each))


def _newest(store: Path) -> Campaign:
    from ostrakon.harness.search.campaign import Campaign, newest_path

    return Campaign.resume(newest_path(store))


def _run(
    campaign: Campaign, store: Path, limits: Limits, workers: int, cluster: str | None, as_json: bool
) -> int:
    from rich.console import Console

    from ostrakon.harness.search.job import warm_modules
    from ostrakon.harness.search.soak import Workers
    from ostrakon.harness.search.soak import soak as run_soak
    from ostrakon.harness.search.summary import summarize
    from ostrakon.harness.search.view import PageView, watched

    console = Console(stderr=True)
    warm = [module for name in campaign.swarm.workloads for module in warm_modules(name)]
    resume = shlex.join(["ostrakon", "soak", "--resume", "--store", str(store)])

    def write_page(progress: Progress) -> None:
        _write_page(campaign, summarize(campaign, progress, resume=resume, running=True))

    with watched(console) as view:
        page = PageView(view, write_page)
        processes = Workers(workers, cluster, warm=warm)
        progress = run_soak(campaign, store, limits, processes, view=page)
    summary = summarize(campaign, progress, resume=resume)
    _write_page(campaign, summary)
    _write_index(store)
    _tell(summary, progress, campaign, as_json)
    if progress.own_failures:
        for failure in progress.own_failures[:3]:
            click.echo(failure, err=True)
        click.echo("This is a failure of Ostrakon itself, not of what it tests.", err=True)
        return OWN_FAILURE
    return exit_status({True: "valid", False: "invalid"}.get(summary["valid"], "unknown"))


def _write_page(campaign: Campaign, summary: dict[str, Any]) -> None:
    from ostrakon.harness.catalogue import UnknownName, find_report
    from ostrakon.harness.search.summary import page_path

    try:
        find_report("campaign")(summary, page_path(campaign))
    except UnknownName as error:
        click.echo(f"no page was written: {error}", err=True)
    except OSError as error:
        # The campaign itself is on disk, and says so when it cannot be.
        click.echo(f"no page was written: {error.strerror or error}", err=True)


def _write_index(store: Path) -> None:
    from ostrakon.harness.catalogue import UnknownName, find_report

    with suppress(UnknownName):  # Told already, of the campaign's page.
        find_report("index")(store)


def _verdicts(counts: Mapping[str, int]) -> str:
    from ostrakon.harness.search.summary import VERDICTS

    return " · ".join(f"{counts[name]:,} {name}" for name in VERDICTS)


def _tell(summary: dict[str, Any], progress: Progress, campaign: Campaign, as_json: bool) -> None:
    import msgspec

    from ostrakon.harness.search.summary import page_path
    from ostrakon.harness.search.view import status_line

    if as_json:
        click.echo(msgspec.json.encode(summary, enc_hook=str))
        return
    valid = {True: "valid", False: "invalid"}.get(summary["valid"], "unknown")
    click.echo(f"{valid.upper()}  {summary['why']}")
    click.echo(f"  {status_line(progress)}")
    if len(summary["workloads"]) > 1:
        for one in summary["workloads"]:
            click.echo(f"  {one['trials']:>7,} x  {one['name']}: {_verdicts(one)}")
    for failure in summary["failures"]:
        mended = " (does not fail any more)" if failure["mended"] else ""
        click.echo(f"  {failure['count']:>7,} x  {failure['reason']}{mended}: {failure['why']}")
        click.echo(f"             smallest: {failure['size']}")
        if failure["in_simulation"]:
            click.echo(f"             found on the model; {failure['in_simulation']}")
        click.echo(f"             replay: {failure['replay'] or 'not recorded yet'}")
    for unknown in summary["unknowns"]:
        click.echo(f"  {unknown['count']:>7,} x  unknown, {unknown['reason']}: {unknown['why']}")
    click.echo(f"  report: {page_path(campaign)}")
    if progress.stopped:
        click.echo(f"  stopped; go on with: {summary['resume']}")
