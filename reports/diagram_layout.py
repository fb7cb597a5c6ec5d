"""The layout of a space-time diagram: a lane for each node, and a row for everything that happened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from markupsafe import Markup

from ostrakon.harness.history import Event, Op
from ostrakon.harness.history.message import Message
from ostrakon.reports import texts
from ostrakon.reports.bands import Band
from ostrakon.reports.markup import element
from ostrakon.reports.timeline import fault_class

CLIENTS = "clients"
"""The lane on which the witness's client ops stand."""

_LABEL, _MARGIN = 0.95, 0.15
"""How wide the space before the first lane is, and the one after the last, in lanes."""

_MOST_LANE = 330
WIDTH, LEFT, TOP, ROW, LEAST_LANE = 1158, 92, 44, 28, 150
LETTER = 6.7
"""How wide a letter of a label is."""


@dataclass(frozen=True, slots=True)
class FaultEdge:
    """A fault begins or ends, or is at work already when the drawing begins."""

    band: Band
    how: Literal["begins", "ends", "goes on"]


@dataclass(frozen=True, slots=True)
class End:
    """A message leaves its sender, or arrives."""

    message: Message
    is_arrival: bool

    @property
    def time(self) -> int:
        """Nanoseconds since the trial began."""
        if not self.is_arrival:
            return self.message.sent
        assert self.message.received is not None, "what never arrived has no arrival"
        return self.message.received

    @property
    def node(self) -> str:
        """The machine that it leaves or reaches."""
        return self.message.receiver if self.is_arrival else self.message.sender


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the drawing."""

    time: int
    what: Event | End | Op | tuple[FaultEdge, ...]
    """What happened; faults that begin or end with nothing else between them share a row."""


@dataclass(frozen=True, slots=True)
class DiagramLayout:
    """The places of all lanes and rows."""

    lanes: tuple[str, ...]
    rows: tuple[Row, ...]
    lane_width: float
    inset: float
    """How far the first lane is from the left: its labels stand there, unless it is that of clients."""

    def x(self, lane: str) -> float:
        """The middle line of a lane."""
        return LEFT + self.inset + self.lane_width * self.lanes.index(lane)

    def y(self, row: int) -> float:
        """The middle of a row."""
        return TOP + ROW * (row + 0.7)

    def turns(self) -> Iterator[tuple[int, FaultEdge]]:
        """The row of each begin and end of a fault."""
        return ((at, turn) for at, row in enumerate(self.rows) for turn in _turns_of(row))

    @property
    def width(self) -> float:
        """The width of the drawing."""
        return LEFT + self.inset + self.lane_width * (len(self.lanes) + _MARGIN)

    @property
    def height(self) -> float:
        """The height of the drawing."""
        return TOP + ROW * (len(self.rows) + 0.6)


def lay_out(
    events: Sequence[Event | End], ops: Sequence[Op], bands: Sequence[Band], nodes: Sequence[str]
) -> DiagramLayout:
    """Give everything a row, in order of time, and every node a lane, n2 before n10.

    `nodes` names lanes that are there even if nothing happens on them. There is at least one event.
    """
    names = {*nodes, *(event.node for event in events)}
    has_clients = bool(ops) or CLIENTS in names
    lanes = (*((CLIENTS,) if has_clients else ()), *sorted(names - {CLIENTS}, key=natural))
    times = [*(event.time for event in events), *(op.time for op in ops)]
    rows = [
        *(Row(time, (turn,)) for time, turn in _turns(bands, min(times), max(times))),
        *(Row(event.time, event) for event in events),
        *(Row(op.time, op) for op in ops),
    ]
    rows.sort(key=lambda row: row.time)
    parts = len(lanes) + _MARGIN if has_clients else len(lanes) + _LABEL + _MARGIN
    width = min(_MOST_LANE, max(LEAST_LANE, (WIDTH - LEFT - 16) / parts))
    inset: float = 16 if has_clients else _LABEL * width
    return DiagramLayout(lanes, tuple(_merged(rows)), width, inset)


def _merged(rows: Sequence[Row]) -> Iterator[Row]:
    for are_turns, together in groupby(rows, lambda row: isinstance(row.what, tuple)):
        if are_turns:
            alike = list(together)
            yield Row(alike[0].time, tuple(turn for row in alike for turn in _turns_of(row)))
        else:
            yield from together


def _turns_of(row: Row) -> tuple[FaultEdge, ...]:
    return row.what if isinstance(row.what, tuple) else ()


def _turns(bands: Sequence[Band], begin: int, end: int) -> Iterator[tuple[int, FaultEdge]]:
    for band in bands:
        if band.start < begin and (band.end is None or band.end > begin):
            yield begin, FaultEdge(band, "goes on")
        elif begin <= band.start <= end:
            yield band.start, FaultEdge(band, "begins")
        if band.end is not None and begin <= band.end <= end:
            yield band.end, FaultEdge(band, "ends")


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts n2 before n10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def diagram(paper: DiagramLayout, title: str, *content: Markup | None) -> Markup:
    """The whole drawing: lanes, times and faults, and before them messages and events.

    The element of the page called `spacetime-summary` says what it shows.
    """
    return element(
        "svg",
        element("title", title),
        *_background(paper),
        *content,
        class_="spacetime",
        viewBox=f"0 0 {paper.width:.0f} {paper.height + 28:.0f}",
        width=paper.width,
        height=paper.height + 28,
        role="img",
        aria_labelledby="spacetime-summary",
    )


def _background(paper: DiagramLayout) -> Iterator[Markup]:
    """Lanes, times, and faults where they begin, end and stop nodes."""
    yield element("defs", *(_arrow_head(name) for name in ("first", "second", "other")))
    yield from _lanes(paper)
    yield from _stops(paper)
    yield from _fault_lines(paper)
    yield from _times(paper)


def _arrow_head(phase: str) -> Markup:
    return element(
        "marker",
        element("path", d="M0 0L8 3.5L0 7z", class_=f"head {phase}"),
        id=f"head-{phase}",
        markerWidth=8,
        markerHeight=7,
        refX=8,
        refY=3.5,
        orient="auto",
        markerUnits="userSpaceOnUse",
    )


def _lanes(paper: DiagramLayout) -> Iterator[Markup]:
    for lane in paper.lanes:
        x = paper.x(lane)
        yield element("line", x1=x, x2=x, y1=TOP - 12, y2=paper.height, class_="lane")
        for y in (TOP - 20, paper.height + 18):
            yield element("text", texts.short(lane, 24), x=x, y=y, class_="who", text_anchor="middle")


def _stops(paper: DiagramLayout) -> Iterator[Markup]:
    """Shades on the lanes of nodes that were paused, killed or without power."""
    turns = list(paper.turns())
    for at, turn in turns:
        if turn.how == "ends":
            continue
        ends = (n for n, other in turns if other.band is turn.band and other.how == "ends")
        top, bottom = paper.y(at), paper.y(next(ends, len(paper.rows) - 1))
        for node in turn.band.nodes:
            if node in paper.lanes:
                yield element(
                    "rect",
                    x=paper.x(node) - 7,
                    y=top,
                    width=14,
                    height=max(4.0, bottom - top),
                    class_=f"stopped {fault_class(turn.band.kind)}",
                )


def _fault_lines(paper: DiagramLayout) -> Iterator[Markup]:
    """A line across all lanes where faults begin or end."""
    for at, together in groupby(paper.turns(), lambda placed: placed[0]):
        turns = [turn for _, turn in together]
        y, told = paper.y(at), " · ".join(f"{turn.band.label} {turn.how}" for turn in turns)
        yield element(
            "g",
            element("title", told),
            element("line", x1=LEFT, x2=paper.width, y1=y, y2=y),
            element("text", texts.short(told, int((paper.width - LEFT) / LETTER)), x=LEFT + 4, y=y - 4),
            class_=f"fault-row {fault_class(turns[0].band.kind)}",
        )


def _times(paper: DiagramLayout) -> Iterator[Markup]:
    last = None
    for at, row in enumerate(paper.rows):
        if (text := f"{row.time / 1e6:,.2f} ms") != last:
            yield element("text", text, x=LEFT - 12, y=paper.y(at) + 4, class_="tick", text_anchor="end")
        last = text
