"""What was to happen in a run and what came of it: the plan, its faults, and what they did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ostrakon.reports import bands, data_tables, texts
from ostrakon.reports.bands import Band
from ostrakon.reports.folder import Run


def plan(run: Run) -> Markup | None:
    """The plan, apart from its faults; None if it is not known."""
    said = {
        name: what for name, what in run.plan.items() if name not in {"faults", "deviations"} and what != {}
    }
    return data_tables.plain(said) if said else None


def faults(run: Run, seen: Sequence[Band]) -> list[Markup]:
    """The faults as they were planned, else as they were seen, and what they did."""
    made: list[Markup] = []
    planned = run.plan.get("faults")
    did = _effects(run)
    if isinstance(planned, list) and planned:
        rows = [
            _planned(fault, did.pop(at, {})) for at, fault in enumerate(planned) if isinstance(fault, Mapping)
        ]
        made.append(data_tables.records(rows, "Faults, as planned and as they went"))
    elif seen:
        made.append(data_tables.records([_seen(band) for band in seen], "Faults, as recorded"))
    for name, caption in (("deviations", "Departures from the default schedule"),):
        entries = run.plan.get(name)
        if isinstance(entries, list) and entries:
            made.append(data_tables.records([one for one in entries if isinstance(one, Mapping)], caption))
    if did:
        made.append(data_tables.records(list(did.values()), "What the faults did", ("kind",)))
    return made


def _effects(run: Run) -> dict[object, Mapping[str, Any]]:
    """What each fault did, by its place among those of the plan."""
    effects = run.results.get("faults")
    told = [one for one in effects if isinstance(one, Mapping)] if isinstance(effects, list) else []
    return {effect.get("fault", f"other {at}"): effect for at, effect in enumerate(told)}


def _planned(fault: Mapping[str, Any], effect: Mapping[str, Any]) -> dict[str, Any]:
    """A fault of the plan in a row: what was to happen, and what came of it."""
    row = {"kind": fault.get("kind"), "whom": bands.whom(fault) or "all links"}
    in_sight = {"kind", "nodes", "grudge", "links", "shape"}
    row.update({name: what for name, what in fault.items() if name not in in_sight})
    told = effect.get("told")
    counts = {name: what for name, what in effect.items() if name not in {"fault", "kind", "told"} and what}
    return {**row, "went": told if isinstance(told, str) else counts or "not recorded"}


def _seen(band: Band) -> dict[str, Any]:
    end = None if band.end is None else texts.instant(band.end)
    return {"kind": band.kind, "whom": band.whom, "from_s": texts.instant(band.start), "to_s": end}


def network(run: Run) -> Markup | None:
    """What became of the messages; None if nobody counted."""
    network = run.results.get("network")
    return (
        data_tables.plain(network, "Messages on the network")
        if isinstance(network, Mapping) and network
        else None
    )
