"""The plan of a run in words, its faults as planned and as they went, and what became of messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from markupsafe import Markup

from ostrakon.harness.history.plural import count
from ostrakon.reports import bands, data_tables, texts
from ostrakon.reports.bands import Band
from ostrakon.reports.folder import Run
from ostrakon.reports.tables import Cell, table

FAULTS_MAX = 60
"""Rows of the table of faults at most."""
_WHOM_MAX = 300


@dataclass(frozen=True, slots=True)
class PlanSection:
    """The plan, ready to be read."""

    sentences: tuple[str, ...]
    """What was run, in words."""
    parameters: Markup | None
    """Every parameter as the file has it; None if no plan is known."""
    tables: tuple[Markup, ...]
    """The operations of the plan, its faults, its deviations."""


def tell(run: Run, seen: Sequence[Band]) -> PlanSection:
    """The plan of a run; `seen` are the faults that the nemesis recorded."""
    said = {name: what for name, what in run.plan.items() if name not in {"faults", "deviations", "ops"}}
    return PlanSection(
        tuple(in_words(run.plan)),
        data_tables.plain({name: what for name, what in said.items() if what not in ({}, [], None)})
        if said
        else None,
        tuple(_tables(run, seen)),
    )


def in_words(plan: Mapping[str, Any]) -> Iterator[str]:
    """The parameters of a plan as sentences; what is absent or of another type is left out."""
    name, bug, seed = plan.get("workload"), plan.get("bug"), plan.get("seed")
    if isinstance(name, str):
        broken = f" with the seeded bug {texts.short(bug, 60)}" if isinstance(bug, str) and bug else ""
        where = {"sim": "in simulation", "live": "as real processes", "model": "as bare nodes"}
        place = where.get(str(plan.get("substrate")), "")
        yield " ".join(filter(None, (f"{texts.short(name, 60)}{broken}", place, _seeded(seed)))) + "."
    nodes, clients = plan.get("nodes"), plan.get("concurrency")
    parts = [count(nodes, "node") if isinstance(nodes, int) else ""]
    parts.append(count(clients, "client") if isinstance(clients, int) else "")
    planned, rate, limit = plan.get("ops"), plan.get("rate"), plan.get("time_limit_s")
    if isinstance(planned, list) and planned:
        parts.append(f"{count(len(planned), 'operation')}, each at a given time")
    elif _is_number(rate) and _is_number(limit):
        parts.append(f"about {rate:g} operations a second for {limit:g} s")
    if any(parts):
        yield ", ".join(filter(None, parts)) + "."
    if (latency := _latency(plan.get("latency"))) is not None:
        yield latency
    nemesis, liveness = plan.get("nemesis"), plan.get("liveness_s")
    if isinstance(nemesis, list) and nemesis:
        yield f"Faults asked for: {texts.short(', '.join(map(str, nemesis)), 200)}."
    if _is_number(liveness) and liveness:
        yield f"At the end a bare majority has {liveness:g} s to do the work; the others are struck for good."
    if _is_number(buggify := plan.get("buggify")) and buggify:
        yield f"Each rare branch is taken with probability {buggify:g}."


def _seeded(seed: Any) -> str:
    return f"with seed {seed}" if isinstance(seed, int) else ""


def _is_number(what: Any) -> TypeGuard[float]:
    return isinstance(what, int | float) and not isinstance(what, bool)


def _latency(latency: Any) -> str | None:
    if not isinstance(latency, Mapping):
        return None
    low, high = latency.get("low_ms"), latency.get("high_ms")
    if not _is_number(low) or not _is_number(high):
        return None
    match latency.get("kind"):
        case "constant":
            return f"Each message takes {low:g} ms."
        case "uniform":
            return f"A message takes {low:g} to {high:g} ms."
        case "exponential":
            return f"A message takes at least {low:g} ms and {high:g} ms on average."
        case "lognormal":
            return f"Half of all messages take less than {high:g} ms; a few take very long."
        case _:
            return None


def _tables(run: Run, seen: Sequence[Band]) -> Iterator[Markup]:
    planned = run.plan.get("faults")
    faults = planned if isinstance(planned, list) else []
    if faults or seen:
        yield _faults([fault for fault in faults if isinstance(fault, Mapping)], seen, _effects(run))
    planned_ops = run.plan.get("ops")
    if isinstance(planned_ops, list) and planned_ops:
        rows = [one for one in planned_ops if isinstance(one, Mapping)]
        yield data_tables.records(rows, "Operations of the plan", ("at_ms", "client", "f", "value"))
    deviations = run.plan.get("deviations")
    if isinstance(deviations, list) and deviations:
        rows = [one for one in deviations if isinstance(one, Mapping)]
        yield data_tables.records(rows, "Departures from the default schedule")


def _effects(run: Run) -> dict[object, Mapping[str, Any]]:
    """What each fault did, by its place among those of the plan."""
    effects = run.results.get("faults")
    told = [one for one in effects if isinstance(one, Mapping)] if isinstance(effects, list) else []
    return {effect.get("fault", f"other {at}"): effect for at, effect in enumerate(told)}


def _faults(
    planned: Sequence[Mapping[str, Any]], seen: Sequence[Band], effects: dict[object, Mapping[str, Any]]
) -> Markup:
    """One row for each fault: what was planned, what happened and what it did."""
    heads = ("fault", "whom", "shape", "parameters", "planned, s", "happened, s", "effect")
    real = {band.number: band for band in seen if band.number is not None}
    rows = []
    for number, fault in enumerate(planned):
        # Plans that are broken off have effects in the same order, without numbers.
        effect = effects.pop(number, effects.pop(f"other {number}", {}))
        rows.append(_row(fault, real.pop(number, None), effect))
    rest = [band for band in seen if band.number is None or band.number in real]
    for band in rest if not planned or real else ():
        effect = effects.pop(band.number, {})
        rows.append(_row({"kind": band.kind, "whom": band.whom}, band, effect))
    for effect in effects.values():
        rows.append(_row({"kind": effect.get("kind", "fault")}, None, effect))
    return table("Faults, as planned and as they happened", heads, rows[:FAULTS_MAX], len(rows))


def _row(fault: Mapping[str, Any], band: Band | None, effect: Mapping[str, Any]) -> list[Cell]:
    kind, shape = str(fault.get("kind", "fault")), fault.get("shape")
    whom = bands.whom({name: what for name, what in fault.items() if name != "shape"}, _WHOM_MAX)
    begin, length = fault.get("at_ms"), fault.get("for_ms")
    planned = ""
    if _is_number(begin):
        end = f"{(begin + length) / 1000:.2f}" if _is_number(length) else "the end"
        planned = f"{begin / 1000:.2f}–{end}"
    happened = "" if band is None else _span(band)
    return [
        Cell(texts.short(kind.replace("_", " "), 40)),
        Cell(texts.short(str(fault.get("whom") or "") or whom or _struck(effect) or "all links", _WHOM_MAX)),
        Cell(texts.short(shape, 60) if isinstance(shape, str) else ""),
        Cell(", ".join(parameters(fault))),
        Cell(planned, "num"),
        Cell(happened or ("never began" if planned and effect.get("inert") else ""), "num"),
        Cell(_did(effect)),
    ]


def _span(band: Band) -> str:
    return f"{band.start / 1e9:.2f}–" + ("the end" if band.end is None else f"{band.end / 1e9:.2f}")


def _struck(effect: Mapping[str, Any]) -> str:
    stopped = effect.get("stopped")
    return " ".join(map(str, stopped)) if isinstance(stopped, list) else ""


_DID = {
    "messages": "{}",
    "connections": "broke {}",
    "operations": "struck {} of the disk",
    "files": "damaged {}",
}


def _did(effect: Mapping[str, Any]) -> str:
    """The effect of a fault in words; that of one that changed nothing says why."""
    if not effect:
        return "not recorded"
    # What is cut is stopped; other faults of messages strike those that pass.
    verb = "stopped " if effect.get("kind") in ("partition", "clog") else "struck "
    counts = [
        (verb if name == "messages" else "") + words.format(count(many, name.removesuffix("s")))
        for name, words in _DID.items()
        if isinstance(many := effect.get(name), int) and many
    ]
    for name, words in (("stopped", "stopped"), ("clocks", "changed the clock of")):
        if isinstance(struck := effect.get(name), list) and struck:
            counts.append(f"{words} {texts.short(' '.join(map(str, struck)), 80)}")
    if counts:
        return ", ".join(counts)
    if effect.get("inert"):
        why = effect.get("why_inert")
        return "changed nothing" + (f": {texts.sentence(why, 160)}" if isinstance(why, str) else "")
    return "took effect"


def parameters(fault: Mapping[str, Any]) -> Iterator[str]:
    """What a fault has beside its kind, time and aim, in words."""
    probability, ms, after = fault.get("probability"), fault.get("ms"), fault.get("after")
    is_clock = str(fault.get("kind", "")).startswith("clock")
    if _is_number(probability) and probability:
        yield f"each with probability {probability:g}"
    if _is_number(ms) and ms:
        yield f"by {ms:g} ms" if is_clock else f"{ms:g} ms"
    if _is_number(rate := fault.get("rate", 1.0)) and rate != 1.0:
        yield f"at {rate:g} times the speed"
    if _is_number(after) and after:
        yield f"after {after} others"
    if isinstance(message := fault.get("message"), str) and message:
        yield f"messages of kind {texts.short(message, 40)}"
    if _is_number(most := fault.get("most")) and most:
        yield f"at most {most}"
    options = fault.get("options")
    for name, what in options.items() if isinstance(options, Mapping) else ():
        yield f"{texts.short(str(name).replace('_', ' '), 40)} {texts.value(what, 60)}"


def network(run: Run) -> Markup | None:
    """What became of the messages; None if nobody counted."""
    network = run.results.get("network")
    return (
        data_tables.plain(network, "Messages on the network")
        if isinstance(network, Mapping) and network
        else None
    )
