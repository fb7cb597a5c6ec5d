"""The contents of a run folder. A damaged or missing file is reported on the page and raises nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ostrakon.checkers.verdict import Valid
from ostrakon.harness.history import DamagedFile, History, Trace, read_history, read_trace
from ostrakon.harness.history.message import Message, read_messages

_T = TypeVar("_T")

LOG_BYTES = 64_000
"""How much of the end of each log is read."""


@dataclass(frozen=True, slots=True)
class Log:
    """The end of one file of the folder's `log/`."""

    name: str
    text: str
    size: int
    """Bytes of the whole file."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that is recorded of one run."""

    path: Path
    plan: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    trace: Trace = ()
    messages: tuple[Message, ...] = ()
    """The messages between machines, where they were kept."""
    logs: tuple[Log, ...] = ()
    damage: tuple[str, ...] = ()
    """A sentence for each file that is missing or damaged."""

    @property
    def valid(self) -> Valid:
        """The verdict; a run that was not judged is unknown."""
        return word(self.results.get("valid"))

    @property
    def why(self) -> str:
        """The reason, if one was given."""
        if not self.results and self._is_damaged("results.json"):
            return "the result cannot be read: see below"
        if not self.results:
            return "this run has no verdict: it still runs, or it was ended before its checkers were done"
        verdict = self.results.get("verdict")
        nested = verdict.get("why") if isinstance(verdict, Mapping) else None
        return str(self.results.get("why") or nested or "")

    def _is_damaged(self, name: str) -> bool:
        told = [sentence for sentence in self.damage if sentence.startswith(name)]
        return bool(told) and not told[0].endswith("is missing.")

    @property
    def is_recording(self) -> bool:
        """Whether it is a history that was only judged here: then it has no plan, no trace and no folder."""
        return isinstance(self.results.get("recording"), str)

    def fact(self, name: str) -> Any:
        """What the results say of something, or else the plan; None if neither does."""
        return self.results[name] if self.results.get(name) is not None else self.plan.get(name)


def word(valid: object) -> Valid:
    """The verdict behind a `valid` of true, false or "unknown"; what is none of these is unknown."""
    if valid is True or valid == "valid":
        return "valid"
    return "invalid" if valid is False or valid == "invalid" else "unknown"


def read_run(path: Path) -> Run:
    """Read a run folder; whatever cannot be read is named in `damage`."""
    damage: list[str] = []
    results = _mapping(path / "results.json", damage)
    if isinstance(results.get("recording"), str):
        history = _entries(path / "history.jsonl", read_history, History(), damage)
        return Run(path=path, results=results, history=history, damage=tuple(damage))
    return Run(
        path=path,
        plan=_mapping(path / "plan.json", damage),
        results=results,
        history=_entries(path / "history.jsonl", read_history, History(), damage),
        trace=_entries(path / "trace.jsonl", read_trace, (), damage),
        messages=_messages(path / "messages.jsonl", damage),
        logs=tuple(_logs(path / "log", damage)),
        damage=tuple(damage),
    )


def _mapping(path: Path, damage: list[str]) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        damage.append(f"{path.name} is missing.")
    except OSError as error:
        damage.append(f"{path.name} cannot be read: {error.strerror}.")
    except (msgspec.DecodeError, RecursionError) as error:
        damage.append(f"{path.name} is damaged, not JSON: {error}.")
    else:
        if isinstance(found, Mapping):
            return found
        damage.append(f"{path.name} holds {type(found).__name__}, expected an object.")
    return {}


def _entries(path: Path, read: Callable[..., _T], nothing: _T, damage: list[str]) -> _T:
    try:
        return read(path)
    except FileNotFoundError:
        damage.append(f"{path.name} is missing.")
    except OSError as error:
        damage.append(f"{path.name} cannot be read: {error.strerror}.")
    except DamagedFile as error:
        damage.append(f"{path.name}, line {error.line}: {error.why}. What stands before that line is shown.")
        return read(path, keep_undamaged=True)
    return nothing


def _messages(path: Path, damage: list[str]) -> tuple[Message, ...]:
    """The messages, if the folder has any: most runs do not."""
    try:
        return read_messages(path)
    except FileNotFoundError:
        return ()
    except OSError as error:
        damage.append(f"{path.name} cannot be read: {error.strerror}.")
    except (msgspec.DecodeError, RecursionError) as error:
        damage.append(f"{path.name} is damaged: {error}.")
    return ()


def _logs(folder: Path, damage: list[str]) -> list[Log]:
    logs: list[Log] = []
    for path in sorted(folder.glob("**/*")) if folder.is_dir() else ():
        if not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                file.seek(max(0, size - LOG_BYTES))
                logs.append(Log(name, file.read().decode("utf-8", "replace"), size))
        except OSError as error:
            damage.append(f"log/{name} cannot be read: {error.strerror}.")
    return logs
