"""`ostrakon explain`: when a failure became inevitable, and which parts of its plan it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ostrakon.harness.status import UserError, exit_status

if TYPE_CHECKING:
    from ostrakon.harness.explanation import FaultSpan
    from ostrakon.harness.history import Event, Op
    from ostrakon.harness.search.futures import Curve, MomentOutcome
    from ostrakon.harness.search.necessity import Part
    from ostrakon.harness.trial import Trial
    from ostrakon.harness.workload import Workload

_BAR = 30
"""Columns of a full bar."""
_FEW_MOMENTS, _FEW_FUTURES, _SLOW = 14, 5, 2
"""Moments and futures of an explanation within a budget, and by what factor it may take longer than its CPU
time."""
_ENTRIES_MAX = 8
"""Events and ops that are shown of the step."""


@click.command()
@click.argument("plan_or_run", type=click.Path(exists=True, path_type=Path))
@click.option("--bug", metavar="NAME", help="Run the nodes with this seeded bug instead of the plan's.")
@click.option(
    "--moments",
    type=click.IntRange(2, 200),
    default=20,
    show_default=True,
    help="Number of moments on the curve.",
)
@click.option(
    "--futures",
    type=click.IntRange(1, 1000),
    default=30,
    show_default=True,
    help="Number of futures that run from each moment.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Number of futures that run at the same time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(
    plan_or_run: Path, bug: str | None, moments: int, futures: int, workers: int, as_json: bool
) -> int:
    """Say when a failure became inevitable: PLAN_OR_RUN is a plan.json or a run folder.

    At several moments of the trial, other futures run: with new random numbers, and without the faults that
    have not begun yet. The share of futures that fail is drawn as a curve over time. The step in the curve is
    the moment at which the failure became inevitable. Then each fault, deviation and planned operation is
    removed in turn, to find those that the failure needs. The result is saved in the run folder as
    explanation.json. It works for any program in simulation, on systems with fork.

    Exit status 1: the plan fails and was explained; 0 or 2: the plan does not fail.
    """
    import msgspec

    from ostrakon.harness.catalogue import UnknownName
    from ostrakon.harness.messages import make_page
    from ostrakon.harness.plan import BadPlan, read_plan
    from ostrakon.harness.search.futures import curve
    from ostrakon.harness.search.necessity import parts
    from ostrakon.harness.store import write_whole
    from ostrakon.harness.trial import run

    try:
        plan = read_plan(plan_or_run)
        if bug is not None:
            plan = msgspec.structs.replace(plan, bug=bug)
        trial = run(plan)
        if trial.valid != "invalid":
            click.echo(
                f"{trial.valid.upper()}  this plan does not fail, so there is nothing to explain", err=True
            )
            return exit_status(trial.valid)
        if plan.substrate == "model":
            trial = _twin(trial)
            plan = trial.plan
        found = curve(trial, moments=moments, futures=futures, workers=workers)
        needed = list(parts(plan))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not there: a run folder holds a plan.json") from None
    except (UnknownName, BadPlan) as error:
        raise UserError(str(error)) from None
    told = _as_json(found, needed)
    if plan_or_run.is_dir() and plan == read_plan(plan_or_run):
        text = msgspec.json.format(msgspec.json.encode(told), indent=2)
        write_whole(plan_or_run / "explanation.json", text + b"\n")
        if (plan_or_run / "results.json").exists():
            click.echo(f"report: {make_page(plan_or_run)}", err=True)
    if as_json:
        click.echo(msgspec.json.encode(told))
    else:
        for line in lines(found, needed):
            click.echo(line)
    return exit_status(found.trial.valid)


def explain_within(trial: Trial, workload: Workload, seconds: float) -> str:
    """Add what can be found in so many seconds of CPU to the folder and the page of a failed simulation.

    Returns the conclusion, or why there is none, in a sentence.
    """
    import os
    import time

    import msgspec

    from ostrakon.harness.messages import make_page
    from ostrakon.harness.plan import BadPlan
    from ostrakon.harness.search.futures import curve
    from ostrakon.harness.store import write_whole

    assert trial.folder is not None, "it was recorded"
    begun_s, until_s = sum(os.times()[:4]), time.monotonic() + _SLOW * seconds

    def is_spent() -> bool:
        # The time of children counts, too. On a busy machine nobody waits for all of it.
        return sum(os.times()[:4]) - begun_s > seconds or time.monotonic() > until_s

    try:
        found = curve(trial, workload, moments=_FEW_MOMENTS, futures=_FEW_FUTURES, enough=is_spent)
    except BadPlan as error:
        return f"not explained: {error}"
    if found.step is None:
        return f"{seconds:g} s of CPU did not show when it became inevitable: see `ostrakon explain`"
    text = msgspec.json.format(msgspec.json.encode(_as_json(found, [])), indent=2)
    write_whole(trial.folder / "explanation.json", text + b"\n")
    make_page(trial.folder, workload)
    return conclusion(found).removesuffix(" Between:")


def _twin(trial: Trial) -> Trial:
    """A trial in simulation that fails as one on the model did, because only simulations have futures."""
    from ostrakon.harness.search.outcome import load_run
    from ostrakon.harness.search.twin import TWINS, failing_twins
    from ostrakon.harness.trial import Trial

    twin = next(failing_twins(cast(Any, trial), load_run()), None)
    if twin is None:
        raise UserError(
            f"this plan fails on the model, and in none of {TWINS} trials in simulation, which futures need"
        )
    assert isinstance(twin, Trial)
    click.echo(
        f"The plan is for the model. What follows is about the same plan in simulation, with seed "
        f"{twin.plan.seed}, which fails for this reason: {twin.reason}",
        err=True,
    )
    return twin


def lines(found: Curve, needed: list[Part]) -> Iterator[str]:
    """What was found, for a terminal."""
    trial = found.trial
    yield f"{trial.valid.upper()}  {trial.why}"
    yield ""
    yield "Share of futures that fail, with its 95 % confidence interval"
    yield from (_row(moment) for moment in found.moments)
    yield ""
    yield conclusion(found)
    spans, happened = trial.faults, _happened(found)
    for time, what in happened[:_ENTRIES_MAX]:
        yield f"  {time / 1e9:9.4f} s  {what}"
    if len(happened) > _ENTRIES_MAX:
        yield f"  ... and {len(happened) - _ENTRIES_MAX} more between the two moments"
    if needed:
        yield ""
        yield "Without one part of the plan"
        yield from (f"  {_part(part, spans)}: {_outcome(part)}" for part in needed)


def conclusion(found: Curve) -> str:
    """When the failure became inevitable, in a sentence."""
    if (step := found.step) is None:
        return "The share never rises, so no moment can be named after which the failure was inevitable."
    before, after = step
    began = f"{after.failed} of {after.futures} futures fail"
    return (
        f"From {after.at_ns / 1e9:.4f} s on, {began}; at {before.at_ns / 1e9:.4f} s, "
        f"{(after.at_ns - before.at_ns) / 1e6:.1f} ms earlier, {before.failed} of {before.futures}. Between:"
    )


def _row(moment: MomentOutcome) -> str:
    low, high = moment.interval
    bar = "#" * round(moment.share * _BAR)
    lost = f", {moment.lost} came to no verdict" if moment.lost else ""
    counts = f"{moment.failed:3d} of {moment.futures:3d}"
    return f"  {moment.at_ns / 1e9:9.4f} s  {counts}  {bar:<{_BAR}}  {low:4.0%} to {high:4.0%}{lost}"


def _happened(found: Curve) -> list[tuple[int, str]]:
    """What happened between the two moments of the step: time and words, each once."""
    spans = found.trial.faults
    return list(dict.fromkeys((entry.time, _told(entry, spans)) for entry in found.happened))


def _told(entry: Event | Op, spans: list[FaultSpan]) -> str:
    from ostrakon.harness.history import NEMESIS, Event

    if isinstance(entry, Event):
        fields = {"ballot": entry.ballot, "slot": entry.slot, "value": entry.value, "to": entry.to or None}
        known = ", ".join(f"{name} {value}" for name, value in fields.items() if value is not None)
        return f"{entry.node} {entry.event} {known}".rstrip()
    if entry.process == NEMESIS:
        number = entry.value.get("id") if isinstance(entry.value, dict) else None
        named = next((span for span in spans if span.number == number), None)
        return f"nemesis: {entry.f}" + (f" ({named.line()})" if named is not None else "")
    value = "" if entry.value is None else f" {entry.value!r}"
    return f"process {entry.process} {entry.type} {entry.f}{value}"


def _part(part: Part, spans: list[FaultSpan]) -> str:
    if part.kind == "fault":
        named = next((span for span in spans if span.number == part.number), None)
        return f"fault {part.number}" + (f" ({named.line()})" if named is not None else "")
    return f"{part.kind} {part.number}"


def _outcome(part: Part) -> str:
    if part.mattered:
        return f"{part.without}, so the failure needs it"
    return f"it still fails ({part.reason})"


def _as_json(found: Curve, needed: list[Part]) -> dict[str, Any]:
    step = found.step
    return {
        "valid": False,
        "moments": [
            {
                "time": moment.at_ns,
                "futures": moment.futures,
                "failed": moment.failed,
                "lost": moment.lost,
                "share": moment.share,
                "interval": moment.interval,
            }
            for moment in found.moments
        ],
        "step": None if step is None else [moment.at_ns for moment in step],
        "conclusion": conclusion(found),
        "happened": [{"time": time, "what": what} for time, what in _happened(found)],
        "parts": [
            {"kind": part.kind, "number": part.number, "without": part.without, "reason": part.reason}
            for part in needed
        ],
    }
