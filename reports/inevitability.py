"""When the failure became inevitable: the share of other futures that fail, over the time of the trial.

`ostrakon explain` leaves `explanation.json` in a run folder. What is missing or damaged there is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ostrakon.reports import texts
from ostrakon.reports.bands import Band
from ostrakon.reports.chart import BOTTOM, LEFT, RIGHT, TOP, WIDTH, frame, level, shades, time_axis
from ostrakon.reports.markup import Drawing, element
from ostrakon.reports.scale import Linear

FILE = "explanation.json"
_PLOT = 140
_ENTRIES_MAX, _PARTS_MAX = 12, 100


@dataclass(frozen=True, slots=True)
class Explained:
    """The result of `ostrakon explain`, ready for the page."""

    curve: Drawing
    conclusion: str
    happened: tuple[str, ...]
    """What happened at the step of the curve, a line each."""
    needed: tuple[str, ...]
    """The parts of the plan without which the trial does not fail."""
    spare: int
    """How many parts it fails without."""


def explained(folder: Path, bands: Sequence[Band] = ()) -> Explained | None:
    """The explanation in a run folder; None if there is none, or if it cannot be read."""
    try:
        told = json.loads((folder / FILE).read_bytes())
        points = [_Point.of(moment) for moment in told["moments"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if len(points) < 2:
        return None
    parts = [part for part in _mappings(told.get("parts")) if isinstance(part.get("number"), int)]
    needed = [part for part in parts if part.get("without") != "invalid"][:_PARTS_MAX]
    happened = _mappings(told.get("happened"))[:_ENTRIES_MAX]
    return Explained(
        _draw(points, told.get("step"), bands),
        texts.sentence(told.get("conclusion") or "", 600),
        tuple(
            f"{_seconds(entry.get('time'))}  {texts.sentence(entry.get('what'), 300)}" for entry in happened
        ),
        tuple(f"{texts.sentence(part.get('kind'), 40)} {part['number']}" for part in needed),
        len(parts) - len(needed),
    )


@dataclass(frozen=True, slots=True)
class _Point:
    time: int
    share: float
    low: float
    high: float
    counts: str

    @classmethod
    def of(cls, moment: Mapping[str, Any]) -> _Point:
        low, high = (min(1.0, max(0.0, float(end))) for end in moment["interval"])
        counts = f"{int(moment['failed'])} of {int(moment['futures'])}"
        return cls(int(moment["time"]), min(1.0, max(0.0, float(moment["share"]))), low, high, counts)


def _draw(points: Sequence[_Point], step: Any, bands: Sequence[Band]) -> Drawing:
    x = Linear(0, max(1, *(point.time for point in points)), LEFT, WIDTH - RIGHT)
    y = Linear(0, 1, TOP + _PLOT, TOP)
    svg = frame(
        "Share of other futures that fail, over the moment at which they begin",
        "inevitable-summary",
        TOP + _PLOT + BOTTOM,
        *shades(bands, x, _PLOT),
        *time_axis(x, _PLOT),
        *(mark for share in (0, 0.5, 1) for mark in level(y(share), f"{share:.0%}")),
        *_step(step, x),
        element("path", d=_outline(points, x, y), class_="interval"),
        element("polyline", points=_line(points, x, y), class_="share"),
        *(_dot(point, x, y) for point in points),
    )
    return Drawing(
        svg, f"From {points[0].counts} futures at the beginning to {points[-1].counts} at the end."
    )


def _step(step: Any, x: Linear) -> Iterator[Markup]:
    """The time in which the share rises most."""
    if isinstance(step, list) and len(step) == 2 and all(isinstance(at, int) for at in step):
        start, end = (x(min(max(at, 0), x.high)) for at in step)
        yield element("rect", x=start, y=TOP, width=max(2.0, end - start), height=_PLOT, class_="step")


def _outline(points: Sequence[_Point], x: Linear, y: Linear) -> str:
    upper = [f"{x(point.time):.1f} {y(point.high):.1f}" for point in points]
    lower = [f"{x(point.time):.1f} {y(point.low):.1f}" for point in reversed(points)]
    return f"M{'L'.join([*upper, *lower])}Z"


def _line(points: Sequence[_Point], x: Linear, y: Linear) -> str:
    return " ".join(f"{x(point.time):.1f},{y(point.share):.1f}" for point in points)


def _dot(point: _Point, x: Linear, y: Linear) -> Markup:
    label = f"{_seconds(point.time)}: {point.counts} futures fail"
    title = element("title", label)
    return element("circle", title, cx=x(point.time), cy=y(point.share), r=3.5, class_="share")


def _entry(entry: Mapping[str, Any]) -> str:
    return f"{_seconds(entry.get('time'))}  {texts.sentence(entry.get('what'), 300)}"


def _seconds(time: Any) -> str:
    return f"{time / 1e9:.4f} s" if isinstance(time, int) else "?"


def _mappings(told: Any) -> list[Mapping[str, Any]]:
    return [one for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []
