"""Run folders: where a trial's plan, history, trace, results and report are kept.

`store/<workload>/<name>/` holds one run, `store/latest` points to the newest. A file is complete as soon as
it exists, or it grows line by line, so that a crash at any point loses nothing that was recorded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ostrakon.harness.history import History, Journal, Trace, read_history, read_trace
from ostrakon.harness.plan import Plan, encode_plan, read_plan

FILES = ("plan.json", "history.jsonl", "trace.jsonl", "results.json", "report.html")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run on disk."""

    path: Path

    @property
    def plan(self) -> Plan:
        """The plan that was run. Raises: BadPlan, OSError."""
        return read_plan(self.path)

    @property
    def history(self) -> History:
        """The history of clients' and nemesis' operations. Raises: DamagedFile, OSError."""
        return read_history(self.path / "history.jsonl")

    @property
    def trace(self) -> Trace:
        """The events that nodes reported. Raises: DamagedFile, OSError."""
        return read_trace(self.path / "trace.jsonl")

    @property
    def results(self) -> dict[str, Any]:
        """The content of `results.json`. Raises: OSError, msgspec.DecodeError."""
        results: dict[str, Any] = msgspec.json.decode((self.path / "results.json").read_bytes())
        return results

    def journals(self) -> tuple[Journal, Journal]:
        """New journals for history and trace."""
        return (
            Journal(self.path / "history.jsonl"),
            Journal(self.path / "trace.jsonl", flush_every=64),
        )

    def thin(self) -> None:
        """Delete all but the plan and the results; a replay makes the other files again, byte for byte."""
        for name in ("history.jsonl", "trace.jsonl", "messages.jsonl"):
            (self.path / name).unlink(missing_ok=True)

    def write_results(self, results: dict[str, Any]) -> None:
        """Write the results atomically."""
        text = msgspec.json.format(msgspec.json.encode(results, enc_hook=str), indent=2)
        write_whole(self.path / "results.json", text + b"\n")


class Store:
    """A folder of runs."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def create(self, plan: Plan, name: str) -> RunFolder:
        """Make a new folder for a run of this plan and let `latest` point to it.

        If the name exists already, a number is appended: no run overwrites another.
        """
        parent = self.root / plan.workload
        parent.mkdir(parents=True, exist_ok=True)
        path = _make_fresh(parent, name)
        write_whole(path / "plan.json", encode_plan(plan))
        _point(self.root / "latest", path)
        return RunFolder(path)

    def runs(self) -> Iterator[RunFolder]:
        """All runs, by workload and then by name."""
        for plan in sorted(self.root.glob("*/*/plan.json")):
            if not plan.parent.parent.is_symlink() and not plan.parent.is_symlink():
                yield RunFolder(plan.parent)

    def latest(self) -> RunFolder | None:
        """The newest run; None if the store is empty."""
        link = self.root / "latest"
        return RunFolder(link.resolve()) if link.exists() else None


def write_whole(path: Path, text: bytes) -> None:
    """Write a file atomically: a reader finds the old content or all of the new content."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(text)
    aside.replace(path)


def _make_fresh(parent: Path, name: str) -> Path:
    for attempt in range(1, 1_000_000):
        path = parent / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{parent / name} and the same with -2 to -999999 exist already")


def _point(link: Path, target: Path) -> None:
    aside = link.with_name(f".{link.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(os.path.relpath(target, link.parent))
    aside.replace(link)
