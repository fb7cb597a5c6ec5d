"""The parts that all charts over time have: the frame, the time axis, the shades of faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from ostrakon.reports.bands import Band, rows
from ostrakon.reports.markup import element
from ostrakon.reports.quantiles import Took
from ostrakon.reports.scale import Linear
from ostrakon.reports.timeline import fault_class

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 1158, 76, 20, 14, 28
_BAND, _MOST_ROWS = 6, 8


def time_scale(every: Sequence[Took], bands: Sequence[Band]) -> Linear:
    """From the start of the run to its last recorded moment."""
    ends = [one.time + one.length for one in every] + [band.end or band.start for band in bands]
    return Linear(0, max(1, *ends), LEFT, WIDTH - RIGHT)


def frame(title: str, labelled_by: str, height: float, *content: Markup) -> Markup:
    """The chart itself; the element of the page called `labelled_by` says what it shows."""
    return element(
        "svg",
        element("title", title),
        *content,
        class_="plot",
        viewBox=f"0 0 {WIDTH} {height}",
        width=WIDTH,
        height=height,
        role="img",
        aria_labelledby=labelled_by,
    )


def shades(bands: Sequence[Band], x: Linear, plot: float) -> Iterator[Markup]:
    """The faults, behind everything else."""
    for row, band in rows(bands, int(x.high)):
        start = x(min(band.start, x.high))
        end = x(x.high if band.end is None else min(band.end, x.high))
        width, y = max(1.5, end - start), TOP + 1 + _BAND * min(row, _MOST_ROWS)
        yield element(
            "g",
            element("title", band.label),
            element("rect", x=start, y=TOP, width=width, height=plot, class_="shade"),
            element("rect", x=start, y=y, width=width, height=_BAND - 1, class_="band"),
            class_=f"fault {fault_class(band.kind)}",
        )


def time_axis(x: Linear, plot: float) -> Iterator[Markup]:
    """Lines at round times, and what times they are."""
    for tick in x.ticks(9):
        at = x(tick)
        yield element("line", x1=at, x2=at, y1=TOP, y2=TOP + plot, class_="grid")
        yield element(
            "text", f"{tick / 1e9:g} s", x=at, y=TOP + plot + 17, class_="tick", text_anchor="middle"
        )


def level(at: float, label: str) -> Iterator[Markup]:
    """A line across the chart, and what it stands for."""
    yield element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="grid")
    yield element("text", label, x=LEFT - 8, y=at + 4, class_="tick", text_anchor="end")
