"""`ostrakon check FILE... --model NAME`: judge recorded histories, whoever recorded them."""

from __future__ import annotations

import inspect
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ostrakon.harness.history.verdict import as_json, worst
from ostrakon.harness.status import UserError, exit_status

if TYPE_CHECKING:
    from ostrakon.harness.history.reader import FailMeans, ReadHistory

_FAIL_MEANS = {"did-not-happen": "did not happen", "compared-unequal": "compared unequal"}


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--model", metavar="NAME", required=True, help="The model to check against: see `ostrakon list`."
)
@click.option(
    "--consistency", metavar="MODEL", help="The consistency model of transactions, such as `serializable`."
)
@click.option(
    "--fail-means",
    type=click.Choice(list(_FAIL_MEANS)),
    help="What `fail` means for a compare-and-set; the default depends on the format of the file.",
)
@click.option(
    "--open",
    "outside_writers",
    is_flag=True,
    help="There are writers outside the history: a value that no transaction wrote is not garbage.",
)
@click.option(
    "--transaction-order",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON object that gives transactions a number by the index of their completion: the order in "
    "which the database says that they committed. It orders the versions of registers.",
)
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Only check a certificate, or those in the output of --json, against one FILE.",
)
@click.option("--keep-undamaged", is_flag=True, help="Read a damaged file up to the damage.")
@click.option("--as-is", is_flag=True, help="Accept ops that contradict one another; their order counts.")
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object.")
@click.option("--html", type=click.Path(path_type=Path), help="Write an HTML page about a single FILE.")
def check(
    files: tuple[Path, ...],
    model: str,
    consistency: str | None,
    fail_means: str | None,
    outside_writers: bool,
    transaction_order: Path | None,
    certificate: Path | None,
    keep_undamaged: bool,
    as_is: bool,
    json_wanted: bool,
    html: Path | None,
) -> int:
    """Judge the history in each FILE against a model; the worst verdict is the exit status.

    A FILE is a history.jsonl of Ostrakon, a history of Jepsen (EDN, JSON, history.txt or jepsen.log) or a log
    of Porcupine; the format is detected.
    """
    from ostrakon.harness.catalogue import UnknownName, find_model
    from ostrakon.harness.history.op import UnsuitableHistory

    if html is not None and len(files) > 1:
        raise UserError(f"--html makes a page of one history, and there are {len(files)} files")
    if html is not None and html.is_dir():
        raise UserError(f"--html {html} is a folder: name a file in it")
    if html is not None and not html.parent.is_dir():
        raise UserError(f"--html {html}: there is no folder {html.parent}; make it, or name a file elsewhere")
    try:
        judge = find_model(model)
    except UnknownName as error:
        raise UserError(str(error)) from None
    verdicts = []
    for file in files:
        recording = _read(file, keep_undamaged, as_is)
        accepted = _accepted(judge, model, recording, consistency, fail_means)
        accepted |= _about_transactions(judge, model, outside_writers, transaction_order, certificate)
        try:
            verdict = judge(recording.history, **accepted)
        except UnsuitableHistory as error:
            raise UserError(f"{file} is no history for the model {model!r}: {error}") from None
        except Exception as error:
            if consistency is not None and type(error).__name__ == "UnknownModel":
                raise UserError(str(error)) from None
            verdict = _Crashed(f"the checker crashed: {type(error).__name__}: {error}")
        verdicts.append((file, verdict))
        if html is not None:
            command = shlex.join(["ostrakon", "check", str(file), *_options(model, consistency, fail_means)])
            click.echo(f"page: {_render(file.name, recording, verdict, command, html)}", err=True)
    _show(verdicts, json_wanted)
    return exit_status(worst(verdict.valid for _, verdict in verdicts))


def _options(model: str, consistency: str | None, fail_means: str | None) -> list[str]:
    given = {"--model": model, "--consistency": consistency, "--fail-means": fail_means}
    return [word for option, value in given.items() if value is not None for word in (option, value)]


@dataclass(frozen=True)
class _Crashed:
    """The verdict of a checker that did not get to one."""

    why: str
    valid: str = "unknown"
    anomalies: tuple[Any, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"valid": "unknown", "why": self.why, "anomalies": []}


def _read(file: Path, keep_undamaged: bool, as_is: bool) -> ReadHistory:
    from ostrakon.harness.history.jsonl import DamagedFile
    from ostrakon.harness.history.reader import ContradictoryFile, NoHistory, read_any

    if not file.is_file():
        raise UserError(
            f"{file} is a pipe or a device, and a history is read more than once: keep it in a file"
        )
    try:
        return read_any(file, keep_undamaged=keep_undamaged, as_is=as_is)
    except ContradictoryFile as error:
        raise UserError(
            f"{error}; --keep-undamaged reads up to there, --as-is takes it for what it is"
        ) from None
    except NoHistory as error:
        raise UserError(str(error)) from None
    except DamagedFile as error:
        raise UserError(f"{error}; --keep-undamaged reads it up to there") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None


@cache  # Of thousands of files, each is judged by the same function.
def _parameters(judge: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(judge).parameters)


def _accepted(
    judge: Callable[..., Any],
    model: str,
    recording: ReadHistory,
    consistency: str | None,
    fail_means: str | None,
) -> dict[str, Any]:
    """What this judge wants to know beside the history. What was asked for in vain is a user's mistake."""
    known = _parameters(judge)
    meaning: FailMeans = recording.fail_means if fail_means is None else _FAIL_MEANS[fail_means]  # type: ignore[assignment]
    accepted: dict[str, Any] = {}
    if "fail_means" in known:
        accepted["fail_means"] = meaning
    elif fail_means is not None:
        raise UserError(f"the model {model!r} has no op that compares, so --fail-means means nothing to it")
    if "consistency" in known:
        accepted |= {"consistency": consistency} if consistency is not None else {}
    elif consistency is not None:
        raise UserError(
            f"the model {model!r} has no levels of consistency, so --consistency means nothing to it"
        )
    return accepted


def _about_transactions(
    judge: Callable[..., Any],
    model: str,
    outside_writers: bool,
    transaction_order: Path | None,
    certificate: Path | None,
) -> dict[str, Any]:
    """What judges of transactions want to know beside that."""
    given: dict[str, Any] = {}
    if outside_writers:
        given["outside_writers"] = True
    if transaction_order is not None:
        given["transaction_order"] = _numbers(transaction_order)
    if certificate is not None:
        given["certificate"] = _json(certificate)
    known = inspect.signature(judge).parameters
    options = {
        "outside_writers": "--open",
        "transaction_order": "--transaction-order",
        "certificate": "--certificate",
    }
    for name in given:
        if name not in known:
            raise UserError(f"{options[name]} means nothing to the model {model!r}")
    return given


def _numbers(file: Path) -> dict[int, float]:
    found = _json(file)
    try:
        return {int(index): float(number) for index, number in found.items()}
    except (AttributeError, TypeError, ValueError):
        raise UserError(f'{file}: expected a JSON object such as {{"3": 1, "7": 2}}, got {found!r}') from None


def _json(file: Path) -> Any:
    import msgspec

    try:
        return msgspec.json.decode(file.read_bytes())
    except (msgspec.DecodeError, OSError) as error:
        raise UserError(f"{file} is no JSON: {error}") from None


def _show(verdicts: list[tuple[Path, Any]], json_wanted: bool) -> None:
    import msgspec

    if not json_wanted:
        for file, verdict in verdicts:
            _tell(file, verdict)
        return
    files = {str(file): verdict.to_json() for file, verdict in verdicts}
    valid = as_json(worst(verdict.valid for _, verdict in verdicts))
    only = next(iter(files.values())) if len(files) == 1 else {}
    click.echo(
        msgspec.json.encode(
            {**only, "valid": valid, "files": files} if len(files) > 1 else only, enc_hook=str
        )
    )


def _tell(file: Path, verdict: Any) -> None:
    from ostrakon.harness.commands.outcome import COLOURS, told_anomaly

    word = click.style(verdict.valid.upper(), fg=COLOURS[verdict.valid], bold=True)
    # The sentence of an anomaly is told with it, right below.
    why = "" if verdict.anomalies and verdict.why == verdict.anomalies[0].why else verdict.why
    click.echo(f"{word}  {file}{': ' if why else ''}{why}")
    if (models := _models(verdict)) and verdict.anomalies:
        click.echo(models)
    for anomaly in verdict.anomalies[:3]:
        click.echo("\n".join(told_anomaly(anomaly.to_json())))
    if len(verdict.anomalies) > 3:
        click.echo(f"  ... and {len(verdict.anomalies) - 3} more; --json has them all")


def _models(verdict: Any) -> str:
    """Which models of consistency hold, where there are several."""
    details = getattr(verdict, "details", {})
    if "satisfied" not in details or "violated" not in details:
        return ""
    holding, broken = (", ".join(details[key]) or "none" for key in ("satisfied", "violated"))
    undecided = ", ".join(details.get("undecided", ()))
    left = f"; not decided, and not violated as far as is known: {undecided}" if undecided else ""
    return f"  the strongest models it satisfies: {holding}; the weakest it violates: {broken}{left}"


def _render(name: str, recording: ReadHistory, verdict: Any, command: str, page: Path) -> Path:
    """A page of a history that no trial of ours recorded."""
    import tempfile

    from ostrakon.harness.catalogue import find_report
    from ostrakon.harness.history.jsonl import Journal
    from ostrakon.harness.store import RunFolder

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with Journal(folder / "history.jsonl", flush_every=1000) as journal:
            for op in recording.history:
                journal.write(op)
        results = {
            "recording": name,
            "valid": as_json(verdict.valid),
            "why": verdict.why,
            "verdict": verdict.to_json(),
            "replay": command,
        }
        RunFolder(folder).write_results(results)
        shutil.copyfile(find_report("run")(folder), page)
    return page
