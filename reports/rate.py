"""Ops per second over time, by their outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from ostrakon.reports import texts
from ostrakon.reports.bands import Band
from ostrakon.reports.chart import BOTTOM, TOP, frame, level, shades, time_axis, time_scale
from ostrakon.reports.markup import Drawing, element
from ostrakon.reports.quantiles import Took
from ostrakon.reports.scale import Linear, round_step

_PLOT = 120


def draw(every: Sequence[Took], bands: Sequence[Band] = ()) -> Drawing:
    """Draw completed ops per second over time, by their outcome."""
    if not every:
        return Drawing(Markup(""), "No operation completed.")
    x = time_scale(every, bands)
    window = max(1, int(round_step((x.high - x.low) / 60)))
    counts = _counts(every, window)
    most = max(sum(count.values()) for count in counts.values())
    per_second = 1e9 / window
    y = Linear(0, most * per_second, TOP + _PLOT, TOP)
    svg = frame(
        "Operations per second over time",
        "rate-summary",
        TOP + _PLOT + BOTTOM,
        *shades(bands, x, _PLOT),
        *time_axis(x, _PLOT),
        *_rate_axis(y),
        *(
            bar
            for at, count in counts.items()
            for bar in _stack(at * window, window, count, x, y, per_second)
        ),
    )
    summary = f"Up to {most * per_second:,.0f} operations a second, over windows of {texts.duration(window)}."
    return Drawing(svg, summary)


def _rate_axis(y: Linear) -> Iterator[Markup]:
    for tick in y.ticks(4):
        yield from level(y(tick), f"{tick:,g}/s")


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
        label = f"{many} {kind} within {texts.duration(window)} from {texts.instant(start)} s"
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
