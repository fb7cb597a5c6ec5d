"""The results of a campaign on one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ostrakon.reports import data_tables, page, texts
from ostrakon.reports.folder import word
from ostrakon.reports.index import CAMPAIGNS
from ostrakon.reports.markup import element

FINDINGS = 100
"""Kinds of failure that are shown in full."""
REFRESH_S = 10
"""Seconds after which a browser loads the page again while the campaign runs."""


def render(summary: Mapping[str, Any], path: Path) -> Path:
    """Write the page of a campaign's summary, as the search for failures makes it. Raises: OSError.

    All of the summary is optional: `valid`, `why`, `workload`, `bug`, `trials` (total, valid, unknown,
    invalid), `trials_per_s`, `virtual_s`, `elapsed_s`, `workers`, `stopped`, `resume`; `failures` and
    `unknowns` (reason, count, why, seed, replay, folder, size); `workloads` (name, trials, valid, unknown,
    invalid); `faults` (kind, asked, inert), `recipes`, `determinism` (reruns, divergent_seeds),
    `own_failures`, `parameters`; `coverage` (shapes, transitions, rare_transitions, unseen_transitions,
    points, windows). While it is `running` the page loads itself anew.
    """
    path = Path(path)
    return page.write(
        path,
        "campaign.html",
        valid=word(summary.get("valid")),
        title=_title(summary),
        store="../" if path.parent.name == CAMPAIGNS else "",
        why=texts.sentence(summary.get("why") or ""),
        facts=list(_facts(summary)),
        shares=_shares(summary),
        resume=texts.sentence(summary.get("resume") or ""),
        own_failures=[texts.sentence(failure, 4_000) for failure in _list(summary, "own_failures")],
        failures=[_finding(one, path) for one in _mappings(summary, "failures")[:FINDINGS]],
        unknowns=[_finding(one, path) for one in _mappings(summary, "unknowns")[:FINDINGS]],
        divergent=_divergent(summary),
        faults=data_tables.records(_effects(summary), "Faults of all trials") if _effects(summary) else None,
        workloads=_workloads(summary),
        recipes=_recipes(summary),
        coverage=list(_coverage(summary.get("coverage"))),
        running=summary.get("running") is True,
        refresh_s=REFRESH_S,
        parameters=data_tables.plain(summary["parameters"]) if summary.get("parameters") else None,
    )


def _title(summary: Mapping[str, Any]) -> str:
    bug = summary.get("bug")
    parts = ["campaign", summary.get("workload"), f"bug {texts.sentence(bug, 60)}" if bug else None]
    return " · ".join(texts.sentence(part, 80) for part in parts if part)


def _facts(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    trials = summary.get("trials")
    total = trials.get("total") if isinstance(trials, Mapping) else trials
    if isinstance(total, int):
        yield "trials", f"{total:,}"
    if isinstance(rate := summary.get("trials_per_s"), int | float):
        yield "trials a second", f"{rate:,.1f}"
    if isinstance(virtual := summary.get("virtual_s"), int | float):
        yield (
            "virtual time",
            f"{virtual / 3600:,.2f} h" if virtual >= 600 else texts.duration(virtual * 1e9),
        )
    if isinstance(elapsed := summary.get("elapsed_s"), int | float):
        yield "this soak took", texts.duration(elapsed * 1e9)
    if isinstance(stopped := summary.get("stopped"), bool) and not summary.get("running"):
        yield "ended", "early, by ctrl-C" if stopped else "as planned"
    for name in ("workers", "version"):
        if summary.get(name) not in (None, ""):
            yield name, texts.sentence(summary[name], 120)
    determinism = summary.get("determinism")
    if isinstance(determinism, Mapping) and isinstance(reruns := determinism.get("reruns"), int):
        divergent = len(_list(determinism, "divergent_seeds"))
        yield "run twice", f"{reruns:,}, {divergent:,} went otherwise"


def _shares(summary: Mapping[str, Any]) -> list[tuple[str, int, float, float]]:
    """For each verdict: its trials, and where its part of a bar of length 100 begins and how long it is."""
    trials = summary.get("trials")
    counts = trials if isinstance(trials, Mapping) else {}
    known = [(name, counts.get(name)) for name in ("invalid", "unknown", "valid")]
    numbers = [(name, many) for name, many in known if isinstance(many, int)]
    total = sum(many for _, many in numbers) or 1
    shares, at = [], 0.0
    for name, many in numbers:
        shares.append((name, many, round(at, 2), round(100 * many / total, 2)))
        at += 100 * many / total
    return shares


def _finding(one: Mapping[str, Any], page_path: Path) -> dict[str, Any]:
    return {
        "reason": texts.sentence(one.get("reason") or "no reason given", 200),
        "why": texts.sentence(one.get("why") or ""),
        "count": one.get("count") if isinstance(one.get("count"), int) else 1,
        "seed": texts.sentence(one.get("seed", ""), 40),
        "replay": texts.sentence(one.get("replay") or "", 400),
        "size": texts.sentence(one.get("size") or "", 200),
        "href": _href(one.get("folder"), page_path),
    }


def _href(folder: object, page_path: Path) -> str:
    """The way from this page to the report of a recorded run; empty if there is none."""
    if not isinstance(folder, str) or not folder or not (report := Path(folder) / "report.html").exists():
        return ""
    return page.way(page_path.parent, report)


def _effects(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(fault) for fault in _mappings(summary, "faults")]


def _workloads(summary: Mapping[str, Any]) -> Any:
    """Trials by workload, where there are several."""
    workloads = _mappings(summary, "workloads")
    return data_tables.records(workloads, "Trials by workload") if len(workloads) > 1 else None


def _recipes(summary: Mapping[str, Any]) -> Any:
    recipes = _mappings(summary, "recipes")
    return data_tables.records(recipes, "Trials by recipe") if recipes else None


def _coverage(coverage: object) -> Iterator[Any]:
    """The branches and faults that were exercised and those that were not, part by part."""
    if not isinstance(coverage, Mapping):
        return
    counted = ("transitions", "shapes")
    if counts := {name: coverage[name] for name in counted if isinstance(coverage.get(name), int)}:
        yield data_tables.records([counts], "Which events followed which at a node, and how often")
    if windows := _mappings(coverage, "windows"):
        yield data_tables.records(windows, "Operations during faults")
    if points := _mappings(coverage, "points"):
        yield data_tables.records(points, "Rare branches")
    for name, about in (
        ("rare_transitions", "Seen in one trial or two"),
        ("unseen_transitions", "Never seen, one after the other (some cannot be)"),
    ):
        if names := _list(coverage, name):
            told = (element("li", element("code", texts.sentence(each, 80))) for each in names[:FINDINGS])
            yield element("details", element("summary", f"{about}: {len(names):,}"), element("ul", *told))


def _divergent(summary: Mapping[str, Any]) -> list[str]:
    determinism = summary.get("determinism")
    seeds = _list(determinism, "divergent_seeds") if isinstance(determinism, Mapping) else []
    return [texts.sentence(seed, 40) for seed in seeds[:50]]


def _mappings(summary: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [one for one in _list(summary, name) if isinstance(one, Mapping)]


def _list(summary: Mapping[str, Any], name: str) -> list[Any]:
    found = summary.get(name)
    return list(found) if isinstance(found, list | tuple) else []
