"""The latency of ops over time: a mark for each op, and lines for quantiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from ostrakon.reports import texts
from ostrakon.reports.bands import Band
from ostrakon.reports.chart import BOTTOM, TOP, frame, level, shades, time_axis, time_scale
from ostrakon.reports.markup import Drawing, element
from ostrakon.reports.quantiles import QUANTILES, Took, quantile, quantile_name, windows
from ostrakon.reports.scale import Linear, Logarithmic

MARKS = 1_500
"""The most ops that are drawn; of ops whose marks would overlap, only the slowest."""

_PLOT = 250
_SHAPES = (
    "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z",
    "M-3 -3h6v6h-6z",
    "M0 -4l4 7h-8z",
    "M0 -4l4 4l-4 4l-4 -4z",
    "M0 4l4 -7h-8z",
)


def draw(every: Sequence[Took], bands: Sequence[Band] = ()) -> Drawing:
    """Latency of each op over time, on a logarithmic scale, with quantiles of the ok ones."""
    if not every:
        return Drawing(Markup(""), "No operation completed.")
    x = time_scale(every, bands)
    y = _latency_scale(every)
    names = sorted({one.f for one in every})
    shown_ops = thinned(every, x, y)
    svg = frame(
        "Latency of operations over time",
        "latency-summary",
        TOP + _PLOT + BOTTOM,
        *shades(bands, x, _PLOT),
        *time_axis(x, _PLOT),
        *_latency_axis(y),
        *(_dot(one, names, x, y) for one in shown_ops),
        *_quantile_lines(every, x, y),
    )
    note = (
        "" if len(shown_ops) == len(every) else f"{len(shown_ops):,} of {len(every):,} operations are drawn."
    )
    slowest = max(every, key=lambda one: one.length)
    return Drawing(
        svg,
        f"{len(every):,} completed operations; the slowest took {texts.duration(slowest.length)} "
        f"({texts.short(slowest.f, 40)}, {slowest.type}, at {texts.instant(slowest.time)} s).",
        note,
    )


def thinned(every: Sequence[Took], x: Linear, y: Logarithmic, marks: int = MARKS) -> list[Took]:
    """At most about `marks` of the ops: of those that would lie on each other, the slowest."""
    grain = 1.0
    kept = list(every)
    while len(kept) > marks:
        grain *= 1.5
        cells: dict[tuple[str, str, int, int], Took] = {}
        for one in kept:
            cell = (one.f, one.type, int(x(one.time) / grain), int(y(max(1, one.length)) / grain))
            if cell not in cells or one.length > cells[cell].length:
                cells[cell] = one
        kept = list(cells.values())
    return kept


def _latency_scale(every: Sequence[Took]) -> Logarithmic:
    # What ended in the instant in which it began never left its client; it lies at the start of the scale.
    lengths = [one.length for one in every if one.length > 0] or [1]
    low = 10.0 ** math.floor(math.log10(min(lengths)))
    high = 10.0 ** math.ceil(math.log10(max(lengths)))
    return Logarithmic(low, max(high, low * 10), TOP + _PLOT, TOP)


def _latency_axis(y: Logarithmic) -> Iterator[Markup]:
    for tick in y.ticks():
        yield from level(y(tick), texts.duration(tick))


def _dot(one: Took, names: Sequence[str], x: Linear, y: Logarithmic) -> Markup:
    shape = _SHAPES[names.index(one.f) % len(_SHAPES)]
    place = f"translate({x(one.time):.1f} {y(max(1, one.length)):.1f})"
    label = (
        f"{texts.short(one.f, 40)} {one.type}, {texts.duration(one.length)} at {texts.instant(one.time)} s"
    )
    return element("path", element("title", label), d=shape, transform=place, class_=f"dot {one.type}")


def shape_of(names: Sequence[str], f: str) -> Markup:
    """The mark of an `f`, for a legend."""
    shape = _SHAPES[sorted(names).index(f) % len(_SHAPES)]
    return element(
        "svg",
        element("path", d=shape, class_="dot"),
        viewBox="-6 -6 12 12",
        width=12,
        height=12,
        aria_hidden="true",
    )


def _quantile_lines(every: Sequence[Took], x: Linear, y: Logarithmic) -> Iterator[Markup]:
    found = windows(every)
    for n, part in enumerate(QUANTILES if found else ()):
        points = [
            f"{x(min(x.high, middle)):.1f},{y(quantile(lengths, part)):.1f}"
            for middle, lengths in found.items()
        ]
        title = element("title", quantile_name(part))
        yield element("polyline", title, points=" ".join(points), class_=f"quantile q{n}")
