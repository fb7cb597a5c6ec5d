"""All runs of a store on one page, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ostrakon.checkers.verdict import Valid
from ostrakon.harness.history.verdict import SEVERITY
from ostrakon.harness.store import RunFolder, Store
from ostrakon.reports import page, texts
from ostrakon.reports.folder import word

ROWS = 3_000
"""Runs that are listed at most; the worst are kept."""

CAMPAIGNS = "campaigns"
"""The folder of a store in which campaigns and their pages are kept."""

_WORST_FIRST = sorted(SEVERITY, key=SEVERITY.__getitem__, reverse=True)


@dataclass(frozen=True, slots=True)
class Listed:
    """One run as a row of the index."""

    href: str
    name: str
    valid: Valid
    workload: str
    bug: str
    seed: str
    faults: str
    ops: int | None
    why: str
    began: float
    """Seconds since 1970, when its plan was written."""
    wall_s: float | None

    @property
    def began_at(self) -> str:
        """When it began, for people, in UTC."""
        return f"{datetime.fromtimestamp(self.began, UTC):%Y-%m-%d %H:%M:%S}"


def render(store: Path) -> Path:
    """Write `index.html` into a store. Raises: OSError."""
    store = Path(store)
    runs = sorted(_runs(store), key=lambda run: (-SEVERITY[run.valid], -run.began, run.name))
    return page.write(
        store / "index.html",
        "index.html",
        runs=runs[:ROWS],
        total=len(runs),
        counts=Counter(run.valid for run in runs),
        order=_WORST_FIRST,
        worst=runs[0].valid if runs else None,
        campaigns=[_link(store, path) for path in sorted(store.glob(f"{CAMPAIGNS}/*.html"))],
    )


def _runs(store: Path) -> Iterator[Listed]:
    for run in Store(store).runs():
        yield _listed(store, run)


def _listed(store: Path, run: RunFolder) -> Listed:
    plan, results = _mapping(run.path / "plan.json"), _mapping(run.path / "results.json")
    verdict = results.get("verdict")
    nested = verdict.get("why") if isinstance(verdict, Mapping) else None
    unjudged = "" if results else "not judged: results.json is missing or damaged"
    why = results.get("headline") or results.get("why") or nested or unjudged
    wall = results.get("wall_s")
    return Listed(
        href=_href(store, run.path),
        name=run.path.name,
        valid=word(results.get("valid")),
        workload=_said(results.get("workload") or plan.get("workload") or run.path.parent.name),
        bug=_said(results.get("bug") or plan.get("bug") or ""),
        seed=_said(plan.get("seed", results.get("seed", ""))),
        faults=_faults(plan),
        ops=_operations(run.path, results),
        why=texts.sentence(why, 300),
        began=(run.path / "plan.json").stat().st_mtime,
        wall_s=wall if isinstance(wall, int | float) else None,
    )


def _href(store: Path, run: Path) -> str:
    """The page of a run, or its folder if it has no page."""
    page_of_run = run / "report.html"
    return page.way(store, page_of_run if page_of_run.exists() else run)


def _link(store: Path, path: Path) -> tuple[str, str]:
    return page.way(store, path), texts.short(path.stem, 80)


def _mapping(path: Path) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _faults(plan: Mapping[str, Any]) -> str:
    faults = plan.get("faults")
    kinds = Counter(
        str(fault.get("kind"))
        for fault in (faults if isinstance(faults, list) else ())
        if isinstance(fault, Mapping)
    )
    said = [
        kind.replace("_", " ") if many == 1 else f"{kind.replace('_', ' ')} ×{many}"
        for kind, many in sorted(kinds.items())
    ]
    return texts.short(", ".join(said), 120)


def _operations(run: Path, results: Mapping[str, Any]) -> int | None:
    """How many ops were invoked: as the results say, or else counted line by line."""
    if isinstance(told := results.get("ops"), int):
        return told
    try:
        with (run / "history.jsonl").open("rb") as file:
            return sum(line.count(b'"type":"invoke"') for line in file)
    except OSError:
        return None


def _said(what: object) -> str:
    return texts.sentence(what, 80)
