"""The paper of a space-time diagram: a lane for each node, and a row for everything that happened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ostrakon.harness.history import Event, Op
from ostrakon.reports.bands import Band

CLIENTS = "clients"
"""The lane on which the witness's client ops stand."""

_LABEL, _MARGIN = 0.95, 0.15
"""How wide the space before the first lane is, and the one after the last, in lanes."""

WIDTH, LEFT, TOP, ROW, LEAST_LANE = 1158, 92, 44, 28, 150


@dataclass(frozen=True, slots=True)
class FaultEdge:
    """A fault begins or ends, or is at work already when the drawing begins."""

    band: Band
    how: Literal["begins", "ends", "goes on"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the drawing."""

    time: int
    what: Event | Op | tuple[FaultEdge, ...]
    """What happened; faults that begin or end with nothing else between them share a row."""


@dataclass(frozen=True, slots=True)
class DiagramLayout:
    """Where everything lies."""

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
        """Every turn of a fault with its row."""
        return ((at, turn) for at, row in enumerate(self.rows) for turn in _turns_of(row))

    @property
    def width(self) -> float:
        """Of the whole drawing."""
        return LEFT + self.inset + self.lane_width * (len(self.lanes) + _MARGIN)

    @property
    def height(self) -> float:
        """Of the whole drawing."""
        return TOP + ROW * (len(self.rows) + 0.6)


def lay_out(
    events: Sequence[Event], ops: Sequence[Op], bands: Sequence[Band], nodes: Sequence[str]
) -> DiagramLayout:
    """Give everything a row, in order of time, and every node a lane, n2 before n10.

    `nodes` names lanes that are there even if nothing happens on them. There is at least one event.
    """
    names = {*nodes, *(event.node for event in events)}
    lanes = (*((CLIENTS,) if ops else ()), *sorted(names, key=_natural))
    times = [*(event.time for event in events), *(op.time for op in ops)]
    rows = [
        *(Row(time, (turn,)) for time, turn in _turns(bands, min(times), max(times))),
        *(Row(event.time, event) for event in events),
        *(Row(op.time, op) for op in ops),
    ]
    rows.sort(key=lambda row: row.time)
    parts = len(lanes) + _MARGIN if ops else len(lanes) + _LABEL + _MARGIN
    width = max(LEAST_LANE, (WIDTH - LEFT - 16) / parts)
    inset: float = 16 if ops else _LABEL * width
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


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
