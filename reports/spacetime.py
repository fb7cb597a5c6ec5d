"""The messages around a witness as a space-time diagram (Lamport 1978): a lane for each node, time downwards.

Every event has a row of its own, so that nothing is written over anything else; an arrow is a message
whose arrival made its receiver do something that it reported.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.history import Event, Op, Trace
from reports import shown
from reports.bands import Band
from reports.causality import Key, Message, key, messages, senders, story
from reports.markup import Drawing, element
from reports.timeline import fault_class

LIMIT = 44
"""Trace events that are drawn at most."""

_ROW, _TOP, _LEFT, _LEAST_LANE, _WIDTH = 25, 44, 92, 176, 1120
CLIENTS = "clients"

FIRST_PHASE = frozenset({"prepare_sent", "promise_sent", "nack_sent"})
SECOND_PHASE = frozenset({"propose_sent", "accept_sent"})


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the drawing."""

    time: int
    what: Event | Op | Band
    begins: bool = True
    """For a fault: whether it begins or ends here."""


@dataclass(frozen=True, slots=True)
class Paper:
    """Where everything lies."""

    lanes: tuple[str, ...]
    rows: tuple[Row, ...]
    lane_width: float

    def x(self, lane: str) -> float:
        """The middle line of a lane."""
        return _LEFT + 16 + self.lane_width * self.lanes.index(lane)

    def y(self, row: int) -> float:
        """The middle of a row."""
        return _TOP + _ROW * (row + 0.7)

    @property
    def width(self) -> float:
        """Of the whole drawing."""
        return _LEFT + self.lane_width * len(self.lanes)

    @property
    def height(self) -> float:
        """Of the whole drawing."""
        return _TOP + _ROW * (len(self.rows) + 0.6)


def draw(
    trace: Trace,
    bands: Sequence[Band] = (),
    *,
    witness: Sequence[Event] = (),
    ops: Sequence[Op] = (),
    nodes: Sequence[str] = (),
    colours: Mapping[str, int] | None = None,
    limit: int = LIMIT,
) -> Drawing:
    """The witness and what led to it; without a witness, what led to the first learned value.

    `ops` are the witness's client ops, `nodes` names lanes that are drawn even if nothing happens on
    them, and `colours` numbers the values that stand against each other, by their JSON.
    """
    events = story(trace, witness, limit)
    if not events:
        return Drawing(Markup(""), "No node reported anything.")
    rows = _rows(events, ops, bands)
    paper = _paper(events, rows, nodes, has_clients=bool(ops))
    sent_by = senders(trace)
    arrows = [message for message in messages(events, sent_by) if message.sent in events]
    svg = _paint(
        paper, arrows, _stubs(events, trace), _NONE | {key(event) for event in witness}, colours or {}
    )
    note = "" if len(events) == len(trace) else _note(len(events), len(trace), bool(witness))
    return Drawing(svg, _summary(events, arrows, paper), note)


_NONE: frozenset[Key] = frozenset()


def _rows(events: Sequence[Event], ops: Sequence[Op], bands: Sequence[Band]) -> tuple[Row, ...]:
    times = [event.time for event in events] + [op.time for op in ops]
    begin, end = min(times), max(times)
    faults = [Row(band.start, band) for band in bands if begin <= band.start <= end]
    faults += [
        Row(band.end, band, False) for band in bands if band.end is not None and begin <= band.end <= end
    ]
    rows = [Row(event.time, event) for event in events] + [Row(op.time, op) for op in ops] + faults
    return tuple(sorted(rows, key=lambda row: row.time))


def _paper(events: Sequence[Event], rows: tuple[Row, ...], nodes: Sequence[str], has_clients: bool) -> Paper:
    names = {*nodes, *(event.node for event in events)}
    lanes = (*((CLIENTS,) if has_clients else ()), *sorted(names, key=_natural))
    return Paper(lanes, rows, max(_LEAST_LANE, (_WIDTH - _LEFT) / len(lanes)))


def _natural(name: str) -> list[tuple[int, str]]:
    """n2 before n10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _stubs(events: Sequence[Event], trace: Trace) -> list[tuple[Event, str, bool]]:
    """Messages without an arrow: who sent, to whom, and whether they did anything outside the drawing."""
    drawn = {(event.cause, event.node) for event in events if event.cause is not None}
    answered = {(event.cause, event.node) for event in trace if event.cause is not None}
    return [
        (event, to, (event.message, to) in answered)
        for event in events
        if event.message is not None
        for to in event.to
        if to != event.node and (event.message, to) not in drawn
    ]


def _paint(
    paper: Paper,
    arrows: Sequence[Message],
    stubs: Sequence[tuple[Event, str, bool]],
    witness: Collection[Key],
    colours: Mapping[str, int],
) -> Markup:
    row_of = {key(row.what): n for n, row in enumerate(paper.rows) if isinstance(row.what, Event)}
    return element(
        "svg",
        element("title", "Space-time diagram of the messages between nodes"),
        element("defs", *(_arrow_head(phase) for phase in ("first", "second", "other"))),
        *_lanes(paper),
        *_stops(paper),
        *(_fault_row(paper, n, row) for n, row in enumerate(paper.rows) if isinstance(row.what, Band)),
        *(_times(paper)),
        *(
            _stub(paper, row_of[key(sent)], sent, to, arrived)
            for sent, to, arrived in stubs
            if to in paper.lanes
        ),
        *(_arrow(paper, row_of, message) for message in arrows),
        *(_mark(paper, n, row, witness, colours) for n, row in enumerate(paper.rows)),
        class_="spacetime",
        viewBox=f"0 0 {paper.width:.0f} {paper.height:.0f}",
        width=paper.width,
        height=paper.height,
        role="img",
        aria_labelledby="spacetime-summary",
    )


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


def _lanes(paper: Paper) -> Iterator[Markup]:
    for lane in paper.lanes:
        x = paper.x(lane)
        yield element("line", x1=x, x2=x, y1=_TOP - 12, y2=paper.height, class_="lane")
        yield element("text", shown.short(lane, 24), x=x, y=_TOP - 20, class_="who", text_anchor="middle")


def _stops(paper: Paper) -> Iterator[Markup]:
    """Shades on the lanes of nodes that were paused, killed or without power."""
    for at, row in enumerate(paper.rows):
        if not isinstance(row.what, Band) or not row.begins:
            continue
        ends = (n for n, other in enumerate(paper.rows) if other.what is row.what and not other.begins)
        top, bottom = paper.y(at), paper.y(next(ends, len(paper.rows) - 1))
        for node in row.what.nodes:
            if node in paper.lanes:
                yield element(
                    "rect",
                    x=paper.x(node) - 7,
                    y=top,
                    width=14,
                    height=max(4.0, bottom - top),
                    class_=f"stopped {fault_class(row.what.kind)}",
                )


def _fault_row(paper: Paper, at: int, row: Row) -> Markup:
    assert isinstance(row.what, Band)
    y, label = paper.y(at), f"{row.what.label} {'begins' if row.begins else 'ends'}"
    return element(
        "g",
        element("line", x1=_LEFT, x2=paper.width, y1=y, y2=y),
        element("text", label, x=paper.width - 6, y=y - 4, text_anchor="end"),
        class_=f"fault-row {fault_class(row.what.kind)}",
    )


def _times(paper: Paper) -> Iterator[Markup]:
    last = None
    for at, row in enumerate(paper.rows):
        if (text := f"{row.time / 1e6:,.2f} ms") != last:
            yield element("text", text, x=_LEFT - 12, y=paper.y(at) + 4, class_="tick", text_anchor="end")
        last = text


def _stub(paper: Paper, row: int, sent: Event, to: str, arrived: bool) -> Markup:
    """A short line towards the receiver; dashed and crossed when nothing shows that it arrived."""
    x, y, side = paper.x(sent.node), paper.y(row), 1 if paper.x(to) > paper.x(sent.node) else -1
    distance = abs(paper.lanes.index(to) - paper.lanes.index(sent.node))
    end_x, end_y = x + side * (14 + 12 * distance), y + 17 - 2 * distance
    fate = "it did something outside this drawing" if arrived else "nothing shows that it arrived or mattered"
    cross = f"M{end_x - 3:.1f} {end_y - 3:.1f}l6 6m0 -6l-6 6"
    return element(
        "g",
        element("title", f"{_verb(sent)} {shown.ballot(sent.ballot)} from {sent.node} to {to}: {fate}"),
        element("line", x1=x, y1=y, x2=end_x, y2=end_y),
        None if arrived else element("path", d=cross),
        class_=f"stub {'onwards' if arrived else 'lost'} {_phase(sent)}",
    )


def _arrow(paper: Paper, row_of: Mapping[Key, int], message: Message) -> Markup:
    sent, received = message.sent, message.received
    took = shown.duration(received.time - sent.time)
    return element(
        "g",
        element(
            "title", f"{_verb(sent)} {shown.ballot(sent.ballot)} from {sent.node} to {received.node}, {took}"
        ),
        element(
            "line",
            x1=paper.x(sent.node),
            y1=paper.y(row_of[key(sent)]),
            x2=paper.x(received.node) + (6 if paper.x(sent.node) > paper.x(received.node) else -6),
            y2=paper.y(row_of[key(received)]) - 1,
            marker_end=f"url(#head-{_phase(sent)})",
        ),
        class_=f"arrow {_phase(sent)}",
    )


def _mark(
    paper: Paper, at: int, row: Row, witness: Collection[Key], colours: Mapping[str, int]
) -> Markup | None:
    match row.what:
        case Band():
            return None
        case Op() as op:
            x, marked, shape, name, full = (
                paper.x(CLIENTS),
                True,
                f"client {op.type}",
                _said(op),
                _said(op, 400),
            )
        case Event() as event:
            x, marked, shape = paper.x(event.node), key(event) in witness, event.event
            name, full = words(event), words(event, 400)
    y, room = paper.y(at), int((paper.lane_width - 30) / 6.3)
    value = shown.value(row.what.value, 400) if row.what.value is not None else None
    colour = colours.get(value) if value is not None else None
    return element(
        "g",
        element("title", f"{full}\nat {shown.instant(row.time)} s{_where(row.what)}"),
        _glyph(shape, x, y),
        element("text", shown.short(name, room), x=x + 12, y=y + 4),
        class_=f"event{' witness' if marked else ''}{f' v{colour}' if colour is not None else ''}",
        id=f"event-{at}",
    )


def _glyph(shape: str, x: float, y: float) -> Markup:
    match shape:
        case "learned" | "applied":
            return element("path", d=f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z", class_="glyph full")
        case "accept_sent":
            return element("rect", x=x - 5.5, y=y - 5.5, width=11, height=11, class_="glyph full")
        case "propose_sent":
            return element("rect", x=x - 5.5, y=y - 5.5, width=11, height=11, class_="glyph")
        case "restart":
            return element(
                "path", d=f"M{x - 7:.1f} {y - 6:.1f}h14m-7 0v12m-4 -4l4 4l4 -4", class_="glyph restart"
            )
        case "nack_sent":
            return element("path", d=f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10", class_="glyph nack")
        case "client ok":
            return element("path", d=f"M{x - 5:.1f} {y - 6:.1f}h11v12h-11z", class_="glyph full")
        case _:
            return element("circle", cx=x, cy=y, r=5, class_="glyph")


def _verb(event: Event) -> str:
    return event.event.removesuffix("_sent").replace("_", " ")


def words(event: Event, limit: int = 60) -> str:
    """An event in a few words, the most telling first."""
    value = "" if event.value is None else shown.value(event.value, limit)
    number = shown.ballot(event.ballot)
    slot = f" [{event.slot}]" if event.slot else ""
    told = ", ".join(f"{shown.ballot(b)}={shown.value(v, limit)}" for _, b, v in event.accepted)
    match event.event:
        case "promise_sent":
            return f"promise {number}{slot}, {f'had {told}' if told else 'free'}"
        case "nack_sent":
            return f"nack {number}{slot}, promised {shown.ballot(event.promised)}"
        case "restart":
            held = [f"promised {shown.ballot(event.promised)}"] if event.promised else []
            return " ".join(["restart", f"#{event.incarnation}:", *held, *([f"had {told}"] if told else [])])
        case "learned" if event.how:
            return f"learned {value}{slot} from {shown.short(event.how, 20)}"
        case "config_active":
            return f"config {' '.join(event.members)}"
        case _:
            return " ".join(word for word in (shown.short(_verb(event), 40), number + slot, value) if word)


def _said(op: Op, limit: int = 60) -> str:
    value = "" if op.value is None else shown.value(op.value, limit)
    outcome = "asks" if op.type == "invoke" else op.type
    return f"{op.process} {outcome}: {shown.short(op.f, 20)} {value}".rstrip()


def _where(what: Event | Op | Band) -> str:
    match what:
        case Event():
            again = f", incarnation {what.incarnation}" if what.incarnation else ""
            return f" on {what.node}{again}, event {what.seq}" + (
                f", to {' '.join(what.to)}" if what.to else ""
            )
        case Op():
            return f", op {what.index}" + (f", node {what.node}" if what.node else "")
        case Band():
            return ""


def _phase(event: Event) -> str:
    if event.event in FIRST_PHASE:
        return "first"
    return "second" if event.event in SECOND_PHASE else "other"


def _summary(events: Sequence[Event], arrows: Sequence[Message], paper: Paper) -> str:
    names = ", ".join(shown.short(lane, 24) for lane in paper.lanes[:12])
    begin, end = shown.instant(paper.rows[0].time), shown.instant(paper.rows[-1].time)
    return (
        f"{len(events)} events and {len(arrows)} messages between {len(paper.lanes)} lanes ({names}), "
        f"from {begin} s to {end} s."
    )


def _note(drawn: int, total: int, has_witness: bool) -> str:
    which = (
        "the witness, what led to it and what was near" if has_witness else "what led to the first decision"
    )
    return f"{drawn:,} of {total:,} trace events are drawn: {which}; trace.jsonl has all."
