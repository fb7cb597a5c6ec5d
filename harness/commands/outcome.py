"""How a trial's outcome is told on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ostrakon.harness.history.plural import count

if TYPE_CHECKING:
    from ostrakon.harness.explanation import Explanation
    from ostrakon.harness.trial import Trial

COLOURS = {"valid": "green", "unknown": "yellow", "invalid": "red"}
"""How each verdict is coloured on a terminal."""
_WITNESSES = 8
_LONGEST = 240
"""Characters of a value that are shown; --json and the report have all."""
_TRACEBACK = 12
"""How many of a traceback's last lines are shown; the report has all."""
_FAULTS = 8
"""How many faults are told on the terminal; the report has all."""


def show(trial: Trial, *, as_json: bool) -> None:
    """Print a trial's verdict, what shows it, where its report is and how to run it again."""
    if as_json:
        import msgspec  # Here, because `--help` imports this module, too.

        click.echo(msgspec.json.encode(trial.results(), enc_hook=str))
    else:
        first, *rest = story(trial)
        word, space, why = first.partition(" ")
        click.echo(click.style(word, fg=COLOURS[trial.valid], bold=True) + space + why)
        click.echo("\n".join(rest))


def story(trial: Trial) -> list[str]:
    """The outcome in lines, the verdict first."""
    plan = trial.plan
    bug = f" with the bug {plan.bug}" if plan.bug else ""
    lasted = f"{trial.virtual_s:.1f} s" + (
        f" of virtual time in {trial.wall_s:.2f} s"
        if plan.substrate in ("sim", "model")
        else f", {plan.substrate}"
    )
    lines = [
        f"{trial.valid.upper()}  {trial.headline or _shown(trial)}",
        f"  {plan.workload}{bug}: seed {plan.seed}, {count(plan.nodes, 'node')}, "
        f"{count(len(trial.history), 'op')}, {count(len(trial.trace), 'event')}, {lasted}",
    ]
    lines += _told_effects(trial)
    # Where a user's own code failed, that nothing succeeded is what comes of it.
    mistakes = [finding for finding in trial.findings if finding.is_ours]
    lines += [
        f"  {finding.valid}: {finding.name}: {finding.why}"
        for finding in mistakes or trial.findings
        # Where something is wrong, that other things were not seen is beside the point.
        if (trial.valid != "invalid" or finding.name != "no evidence") and finding.why != trial.headline
    ]
    lines += [line for told in _tracebacks(trial) for line in ("", *told)]
    for anomaly, explained in list(zip(trial.anomalies, trial.explanations, strict=True))[:3]:
        lines += ["", *(told_anomaly(anomaly) if explained is None else _explained(anomaly, explained))]
    if len(trial.anomalies) > 3:
        lines.append(f"  ... and {len(trial.anomalies) - 3} more in the report")
    lines.append("")
    if trial.folder is not None and (trial.folder / "report.html").exists():
        lines.append(f"  report: {trial.folder / 'report.html'}")
    lines.append(f"  replay: {trial.replay}")
    return lines


def _tracebacks(trial: Trial) -> Iterator[list[str]]:
    """The end of that of the first node that failed by itself, and of whatever else failed."""
    from ostrakon.harness.user_code import users_part  # Here, because `--help` imports this module, too.

    crashes = [crash for crash in trial.recording.crashes if not crash.get("inflicted")]
    told = [str(crash["traceback"]) for crash in crashes[:1]]
    told += [finding.traceback for finding in trial.findings]
    for text in filter(None, told):
        yield [f"    {line}" for line in users_part(text).splitlines()[-_TRACEBACK:]]


def _shown(trial: Trial) -> str:
    """What a valid trial has shown."""
    done = sum(1 for _ in trial.history.where(type="ok"))
    return f"{done} operations succeeded, and nothing that was seen is forbidden"


def _told_effects(trial: Trial) -> list[str]:
    """The faults in order of their beginning, a line each."""
    lines = [f"  fault {span.line()}" for span in trial.faults]
    rest = len(lines) - _FAULTS
    return [*lines[:_FAULTS], f"  ... and {rest} more faults in the report"] if rest > 0 else lines


def _explained(anomaly: dict[str, Any], explained: Explanation) -> Iterator[str]:
    """The story of an anomaly; what its checker says of it comes second."""
    yield from (f"    {line}" for line in explained.lines)
    yield _formal(anomaly)


def _formal(anomaly: dict[str, Any]) -> str:
    latent = " (latent: nobody was harmed yet)" if anomaly.get("latent") else ""
    name = " ".join(filter(None, (anomaly.get("property"), anomaly["name"])))
    return f"  {name}{latent}: {anomaly['why']}"


def told_anomaly(anomaly: dict[str, Any]) -> list[str]:
    """An anomaly in lines: its name, why it is one, who is to blame, and the first of its witnesses.

    One that has a story of its own, as cycles of transactions do, is told by that.
    """
    details = anomaly.get("details", {})
    if isinstance(tale := details.get("story"), str):
        return [f"  {line}" for line in tale.splitlines()]
    lines = [_formal(anomaly)]
    if why := details.get("blame", {}).get("why"):
        lines.append(f"    to blame: {why}")
    for op in anomaly.get("ops", ())[:_WITNESSES]:
        lines.append(
            f"    {op['time'] / 1e9:9.4f} s  op {op['index']:<5} process {op['process']} {op['type']} "
            f"{op['f']} {_shortened(repr(op.get('value')))}"
        )
    for event in anomaly.get("events", ())[:_WITNESSES]:
        told = {k: v for k, v in event.items() if k in ("ballot", "value", "accepted", "promised", "how")}
        about = ", ".join(f"{k} {_shortened(str(v))}" for k, v in told.items())
        lines.append(f"    {event['time'] / 1e9:9.4f} s  {event['node']} {event['event']} {about}")
    return lines


def _shortened(value: str) -> str:
    """A value as it is, unless it would fill several lines: then how it begins and ends."""
    if len(value) <= _LONGEST:
        return value
    half = _LONGEST // 2
    return f"{value[:half]} ... {value[-half:]}"
