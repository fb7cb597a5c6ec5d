"""The page of a run: the verdict and its reason, what happened around it, and the command that repeats it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ostrakon.reports import (
    anomalies,
    bands,
    causality,
    data_tables,
    findings,
    folder,
    glossary,
    inevitability,
    latency,
    linearization,
    message_diagram,
    page,
    plan_section,
    quantiles,
    rate,
    spacetime,
    texts,
    timeline,
    viewer,
    witness,
)
from ostrakon.reports.bands import Band
from ostrakon.reports.findings import Finding
from ostrakon.reports.folder import Run
from ostrakon.reports.linearization import Order
from ostrakon.reports.markup import Drawing

_CHART_OPS_MIN = 8
"""Completed operations below which a chart over time shows nothing that the table does not."""
FINDINGS = 8
"""Kinds of anomaly that are told in full, by one of each; the others are told in a sentence."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A finding of the harness itself."""

    name: str
    why: str
    more: str
    """A traceback, or nothing."""


def render(run_folder: Path) -> Path:
    """Write `report.html` into a run folder; what is missing or damaged is told there. Raises: OSError."""
    run_folder = Path(run_folder)
    scripts = ("page.js", "viewer.js")
    content = _content(folder.read_run(run_folder))
    return page.write(run_folder / "report.html", "run.html", scripts, **content)


def _content(run: Run) -> dict[str, Any]:
    faults = bands.bands(run.history, run.plan)
    found = findings.findings(run.results.get("verdict"))
    every = quantiles.took(run.history)
    by_kind = findings.by_kind(found)
    firsts = [alike[0] for alike in by_kind[:FINDINGS]]
    # Colours tie what is written to what is drawn of messages.
    colours = witness.colours(firsts) if run.trace else {}
    orders = linearization.orders(run.results.get("verdict"))
    is_timed = texts.has_times(run.history) or not run.history
    return {
        "run": run,
        "title": _title(run),
        "facts": list(_facts(run, faults)),
        "why": texts.sentence(run.results.get("headline") or run.why),
        "story": _story(run),
        "replay": _replay(run),
        "said": _said_by_harness(run),
        "told": list(anomalies.tell(by_kind[:FINDINGS], run.history, colours)),
        "untold": [finding for alike in by_kind[FINDINGS:] for finding in alike],
        "inevitable": None if run.is_recording else inevitability.explained(run.path, faults),
        "crashes": [crash for crash in _crashes(run) if not crash.get("inflicted")],
        "inflicted": [crash for crash in _crashes(run) if crash.get("inflicted")],
        "is_timed": is_timed,
        "has_order": any(order.blocked is not None for order in orders),
        "has_protocol": _has_protocol(run),
        "messages": _messages(run, faults, firsts, colours),
        "clients": _clients(run, faults, firsts, orders),
        "view": _view(run, faults, firsts, orders),
        "latency": latency.draw(every, faults) if is_timed else None,
        "has_charts": len(every) >= _CHART_OPS_MIN,
        "has_quantiles": bool(quantiles.windows(every)),
        "rate": rate.draw(every, faults) if is_timed else None,
        "quantiles": quantiles.table(run.history),
        "quantile_names": [quantiles.quantile_name(part) for part in quantiles.QUANTILES],
        "shape_of": latency.shape_of,
        "kinds": timeline.fault_legend(bands.kinds(faults)),
        "parts": findings.worst_first(findings.parts(run.results.get("verdict"))),
        "plan": plan_section.tell(run, faults),
        "network": plan_section.network(run),
        "files": [] if run.is_recording else sorted(_FILES.intersection(os.listdir(run.path))),
        "texts": texts,
        "brief": data_tables.brief,
        "gloss": glossary.gloss,
    }


_FILES = frozenset({"plan.json", "history.jsonl", "trace.jsonl", "messages.jsonl", "results.json"})


def _story(run: Run) -> list[str]:
    """What happened, a moment a line, as `results.json` tells it."""
    story = run.results.get("story")
    return [texts.sentence(line, 300) for line in story[:60]] if isinstance(story, list) else []


def _title(run: Run) -> str:
    if run.is_recording:
        return texts.sentence(run.fact("recording"), 120)
    name = [texts.sentence(run.fact("workload") or run.path.parent.name, 60)]
    if run.fact("seed") is not None:
        name.append(f"seed {texts.value(run.fact('seed'), 40)}")
    if run.fact("bug"):
        name.append(f"bug {texts.sentence(run.fact('bug'), 60)}")
    return " · ".join(name)


_CLOCKS = {"live": "length", "hosts": "length"}
"""What the length of a trial is called where it is no virtual time, by substrate."""


def _facts(run: Run, faults: Sequence[Band]) -> Iterator[tuple[str, str]]:
    ends = [done.type if done is not None else "info" for _, done in run.history.pairs]
    counts = ", ".join(f"{ends.count(end):,} {end}" for end in ("ok", "fail", "info") if end in ends)
    yield "operations", f"{len(ends):,}" + (f" ({counts})" if counts else "")
    if faults or not run.is_recording:
        yield "faults", f"{len(faults)}" + (f" ({', '.join(bands.kinds(faults))})" if faults else "")
    if run.trace:
        yield "trace events", f"{len(run.trace):,}"
    for name, said in (("nodes", "nodes"), ("concurrency", "clients"), ("substrate", "substrate")):
        if (fact := run.fact(name)) is not None:
            yield said, texts.sentence(fact, 60)
    for name, said in (
        ("virtual_s", _CLOCKS.get(str(run.fact("substrate")), "virtual time")),
        ("wall_s", "wall time"),
    ):
        if isinstance(length := run.fact(name), int | float) and abs(length) < 1e12:
            yield said, texts.duration(length * 1e9)
    if version := run.fact("version") or run.fact("code"):
        yield "version", texts.sentence(version, 60)


def _replay(run: Run) -> str:
    command = run.fact("replay")
    return texts.cut(command, 400) if isinstance(command, str) and command else f"ostrakon replay {run.path}"


def _said_by_harness(run: Run) -> list[Remark]:
    said = run.results.get("findings")
    return [_remark(one) for one in said if isinstance(one, Mapping)] if isinstance(said, list) else []


def _remark(said: Mapping[str, Any]) -> Remark:
    first, _, more = str(said.get("why") or "").partition("\n")
    name = texts.sentence(said.get("name") or "remark", 120)
    return Remark(name, texts.cut(first, 600), texts.cut(said.get("traceback") or more, 8_000))


def _crashes(run: Run) -> list[Mapping[str, Any]]:
    crashes = run.results.get("crashes")
    return [one for one in crashes if isinstance(one, Mapping)] if isinstance(crashes, list) else []


def _messages(
    run: Run, faults: Sequence[Band], found: Sequence[Finding], colours: Mapping[str, int]
) -> Drawing:
    ops = witness.ops(found, run.history)
    if run.messages and not _has_protocol(run):
        names = _node_names(run)
        return message_diagram.draw(run.messages, faults, ops=ops, events=run.trace, nodes=names)
    events = witness.events(found, ops, run.trace)
    return spacetime.draw(run.trace, faults, witness=events, ops=ops, nodes=_node_names(run), colours=colours)


def _node_names(run: Run) -> tuple[str, ...]:
    nodes = run.fact("nodes")
    many = nodes if isinstance(nodes, int) and 0 < nodes <= 9 else 0
    # Only where nodes go by these names: another system's nodes are called otherwise.
    ours = all(event.node.startswith("n") for event in run.trace[:50])
    return tuple(f"n{n}" for n in range(1, many + 1)) if ours else ()


def _has_protocol(run: Run) -> bool:
    """Whether events name the messages that carried them: they tell more than bytes do."""
    return any(event.message is not None for event in run.trace)


def _witness(found: Sequence[Finding]) -> set[int]:
    return {op.index for finding in found for op in finding.ops}


def _lanes(run: Run) -> int | None:
    concurrency = run.fact("concurrency")
    return concurrency if isinstance(concurrency, int) and concurrency > 0 else None


def _clients(run: Run, faults: Sequence[Band], found: Sequence[Finding], orders: Sequence[Order]) -> Drawing:
    order = next((order for order in orders if order.blocked is not None), None)
    return timeline.draw(run.history, faults, witness=_witness(found), order=order, concurrency=_lanes(run))


def _view(run: Run, faults: Sequence[Band], found: Sequence[Finding], orders: Sequence[Order]) -> Markup:
    messages = run.messages or (causality.as_messages(run.trace) if _has_protocol(run) else ())
    return viewer.view(
        viewer.Lanes(run.history, _lanes(run), _node_names(run)),
        faults,
        witness=_witness(found),
        orders=orders,
        messages=messages,
        events=run.trace,
    )
