"""Run folders: where a trial's plan, history, trace, results and report are kept.

`store/<workload>/<name>/` holds one run, `store/latest` points to the newest. Each file is complete as
soon as it is there, or grows line by line, so that a crash at any point leaves what was recorded.
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
        """What clients saw. Raises: DamagedFile, OSError."""
        return read_history(self.path / "history.jsonl")

    @property
    def trace(self) -> Trace:
        """What nodes reported. Raises: DamagedFile, OSError."""
        return read_trace(self.path / "trace.jsonl")

    @property
    def results(self) -> dict[str, Any]:
        """The verdict and the figures. Raises: OSError, msgspec.DecodeError."""
        results: dict[str, Any] = msgspec.json.decode((self.path / "results.json").read_bytes())
        return results

    def journals(self) -> tuple[Journal, Journal]:
        """New journals for history and trace."""
        return (
            Journal(self.path / "history.jsonl"),
            Journal(self.path / "trace.jsonl", flush_every=64),
        )

    def thin(self) -> None:
        """Keep the plan and the results only; a replay brings back the rest, byte for byte."""
        for name in ("history.jsonl", "trace.jsonl"):
            (self.path / name).unlink(missing_ok=True)

    def write_results(self, results: dict[str, Any]) -> None:
        """Put the results in place, all at once."""
        text = msgspec.json.format(msgspec.json.encode(results, enc_hook=str), indent=2)
        write_whole(self.path / "results.json", text + b"\n")


class Store:
    """A folder of runs."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def create(self, plan: Plan, name: str) -> RunFolder:
        """A new folder for a run of this plan, and `latest` pointing to it.

        A name that is taken gets a number behind it: no run ever overwrites another.
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
        """The newest run, if there is one."""
        link = self.root / "latest"
        return RunFolder(link.resolve()) if link.exists() else None


def write_whole(path: Path, text: bytes) -> None:
    """Put a file in place so that a reader finds all of it or what was there before."""
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
    raise FileExistsError(f"{parent / name} and a million of its kind are taken")


def _point(link: Path, target: Path) -> None:
    aside = link.with_name(f".{link.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(os.path.relpath(target, link.parent))
    aside.replace(link)
