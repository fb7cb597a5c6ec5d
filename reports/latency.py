"""How long ops took, and how many there were, over the whole run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.history import History
from reports import shown
from reports.bands import Band
from reports.markup import Drawing, element
from reports.scale import Linear, Logarithmic, round_step
from reports.timeline import fault_class

QUANTILES = (0.5, 0.95, 0.99, 1.0)
MARKS = 1_500
"""Single ops that are drawn at most; among those that would lie on each other, the slowest is."""

_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT, _BOTTOM = 1158, 76, 20, 14, 250, 28
_RATE_PLOT = 120
_ENOUGH = 20
"""Ops in a window, on average, below which quantiles of it mean nothing."""
_SHAPES = (
    "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z",
    "M-3 -3h6v6h-6z",
    "M0 -4l4 7h-8z",
    "M0 -4l4 4l-4 4l-4 -4z",
    "M0 4l4 -7h-8z",
)


@dataclass(frozen=True, slots=True)
class Took:
    """One completed op: when it was invoked, how long it took, how it ended."""

    f: str
    type: str
    time: int
    length: int


@dataclass(frozen=True, slots=True)
class Quantiles:
    """What there is to say in figures of one `f`; `quantiles` are those of its ok ops, in ns."""

    f: str
    ok: int
    fail: int
    info: int
    quantiles: tuple[float, ...] = ()


def took(history: History) -> list[Took]:
    """Every completed client op."""
    return [
        Took(op.f, done.type, op.time, max(0, done.time - op.time))
        for op, done in history.pairs
        if done is not None
    ]


def quantile(ordered: Sequence[float], part: float) -> float:
    """The smallest of the values that at least this part of them do not exceed."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def table(history: History) -> list[Quantiles]:
    """Counts and quantiles by `f`. Ops that never completed count as info."""
    lengths: dict[str, list[int]] = {}
    counts: dict[str, dict[str, int]] = {}
    for op, done in history.pairs:
        end = "info" if done is None else done.type
        of_f = counts.setdefault(op.f, {"ok": 0, "fail": 0, "info": 0})
        of_f[end] += 1
        if done is not None and end == "ok":
            lengths.setdefault(op.f, []).append(done.time - op.time)
    return [
        Quantiles(f, **counts[f], quantiles=_all_quantiles(sorted(lengths.get(f, ()))))
        for f in sorted(counts)
    ]


def _all_quantiles(ordered: Sequence[float]) -> tuple[float, ...]:
    return tuple(quantile(ordered, part) for part in QUANTILES) if ordered else ()


def draw(every: Sequence[Took], bands: Sequence[Band] = ()) -> Drawing:
    """Latency of each op over time, on a logarithmic scale, with quantiles of the ok ones."""
    if not every:
        return Drawing(Markup(""), "No operation completed.")
    x = _time_scale(every, bands)
    y = _latency_scale(every)
    names = sorted({one.f for one in every})
    shown_ops = thinned(every, x, y)
    svg = _frame(
        "Latency of operations over time",
        "latency-summary",
        _TOP + _PLOT + _BOTTOM,
        *_shades(bands, x, _PLOT),
        *_time_axis(x, _PLOT),
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
        f"{len(every):,} completed operations; the slowest took {shown.duration(slowest.length)} "
        f"({shown.short(slowest.f, 40)}, {slowest.type}, at {shown.instant(slowest.time)} s).",
        note,
    )


def draw_rate(every: Sequence[Took], bands: Sequence[Band] = ()) -> Drawing:
    """Completed ops per second over time, by how they ended."""
    if not every:
        return Drawing(Markup(""), "No operation completed.")
    x = _time_scale(every, bands)
    window = max(1, int(round_step((x.high - x.low) / 60)))
    counts = _counts(every, window)
    most = max(sum(count.values()) for count in counts.values())
    per_second = 1e9 / window
    y = Linear(0, most * per_second, _TOP + _RATE_PLOT, _TOP)
    svg = _frame(
        "Operations per second over time",
        "rate-summary",
        _TOP + _RATE_PLOT + _BOTTOM,
        *_shades(bands, x, _RATE_PLOT),
        *_time_axis(x, _RATE_PLOT),
        *_rate_axis(y),
        *(
            bar
            for at, count in counts.items()
            for bar in _stack(at * window, window, count, x, y, per_second)
        ),
    )
    summary = f"Up to {most * per_second:,.0f} operations a second, over windows of {shown.duration(window)}."
    return Drawing(svg, summary)


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


def _time_scale(every: Sequence[Took], bands: Sequence[Band]) -> Linear:
    ends = [one.time + one.length for one in every] + [band.end or band.start for band in bands]
    return Linear(0, max(1, *ends), _LEFT, _WIDTH - _RIGHT)


def _latency_scale(every: Sequence[Took]) -> Logarithmic:
    lengths = [max(1, one.length) for one in every]
    low = 10.0 ** math.floor(math.log10(min(lengths)))
    high = 10.0 ** math.ceil(math.log10(max(lengths)))
    return Logarithmic(low, max(high, low * 10), _TOP + _PLOT, _TOP)


def _frame(title: str, labelled_by: str, height: float, *content: Markup) -> Markup:
    return element(
        "svg",
        element("title", title),
        *content,
        class_="plot",
        viewBox=f"0 0 {_WIDTH} {height}",
        width=_WIDTH,
        height=height,
        role="img",
        aria_labelledby=labelled_by,
    )


def _shades(bands: Sequence[Band], x: Linear, plot: float) -> Iterator[Markup]:
    for band in bands:
        start = x(min(band.start, x.high))
        end = x(x.high if band.end is None else min(band.end, x.high))
        yield element(
            "g",
            element("title", band.label),
            element("rect", x=start, y=_TOP, width=max(1.5, end - start), height=plot, class_="shade"),
            element("rect", x=start, y=_TOP - 6, width=max(1.5, end - start), height=5, class_="band"),
            class_=f"fault {fault_class(band.kind)}",
        )


def _time_axis(x: Linear, plot: float) -> Iterator[Markup]:
    for tick in x.ticks(9):
        at = x(tick)
        yield element("line", x1=at, x2=at, y1=_TOP, y2=_TOP + plot, class_="grid")
        yield element(
            "text", f"{tick / 1e9:g} s", x=at, y=_TOP + plot + 17, class_="tick", text_anchor="middle"
        )


def _latency_axis(y: Logarithmic) -> Iterator[Markup]:
    for tick in y.ticks():
        yield from _level(y(tick), shown.duration(tick))


def _rate_axis(y: Linear) -> Iterator[Markup]:
    for tick in y.ticks(4):
        yield from _level(y(tick), f"{tick:,g}/s")


def _level(at: float, label: str) -> Iterator[Markup]:
    yield element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=at, y2=at, class_="grid")
    yield element("text", label, x=_LEFT - 8, y=at + 4, class_="tick", text_anchor="end")


def _dot(one: Took, names: Sequence[str], x: Linear, y: Logarithmic) -> Markup:
    shape = _SHAPES[names.index(one.f) % len(_SHAPES)]
    place = f"translate({x(one.time):.1f} {y(max(1, one.length)):.1f})"
    label = (
        f"{shown.short(one.f, 40)} {one.type}, {shown.duration(one.length)} at {shown.instant(one.time)} s"
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


def windows(every: Sequence[Took]) -> dict[int, list[int]]:
    """The latencies of ok ops by the middle of the window they began in, ascending.

    Empty when the ops are so few that their quantiles would mean nothing.
    """
    oks = [one for one in every if one.type == "ok"]
    if len(oks) < 3 * _ENOUGH:
        return {}
    width = max(1, int(round_step(max(1, oks[-1].time) / min(24, len(oks) // _ENOUGH))))
    lengths: dict[int, list[int]] = {}
    for one in oks:
        lengths.setdefault(one.time // width * width + width // 2, []).append(max(1, one.length))
    return {middle: sorted(lengths[middle]) for middle in sorted(lengths)}


def _quantile_lines(every: Sequence[Took], x: Linear, y: Logarithmic) -> Iterator[Markup]:
    found = windows(every)
    for n, part in enumerate(QUANTILES if found else ()):
        points = [
            f"{x(min(x.high, middle)):.1f},{y(quantile(lengths, part)):.1f}"
            for middle, lengths in found.items()
        ]
        title = element("title", quantile_name(part))
        yield element("polyline", title, points=" ".join(points), class_=f"quantile q{n}")


def quantile_name(part: float) -> str:
    """p50, p99, or max."""
    return "max" if part == 1.0 else f"p{part * 100:g}"


def _counts(every: Sequence[Took], window: int) -> Mapping[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = {}
    for one in every:
        by_type = counts.setdefault((one.time + one.length) // window, {"ok": 0, "info": 0, "fail": 0})
        by_type[one.type] += 1
    return dict(sorted(counts.items()))


def _stack(
    start: int, window: int, count: Mapping[str, int], x: Linear, y: Linear, per_second: float
) -> Iterator[Markup]:
    left, right = x(min(start, x.high)), x(min(start + window, x.high))
    below = 0.0
    for kind, many in count.items():
        if not many:
            continue
        top, bottom = y((below + many) * per_second), y(below * per_second)
        label = f"{many} {kind} within {shown.duration(window)} from {shown.instant(start)} s"
        yield element(
            "rect",
            element("title", label),
            x=left,
            y=top,
            width=max(1.0, right - left - 1),
            height=bottom - top,
            class_=f"count {kind}",
        )
        below += many
