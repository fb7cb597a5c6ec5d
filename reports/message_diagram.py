"""Messages between any programs as a space-time diagram (Lamport 1978), as the network saw them.

A lane for each node and one for clients, time downwards, a row for each departure and arrival. `draw` takes
nothing but messages, so that it serves a simulation, a proxy between real processes, and Maelstrom's nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from markupsafe import Markup

from ostrakon.harness.history import Event, Op
from ostrakon.harness.history.message import Message
from ostrakon.harness.history.plural import count
from ostrakon.reports import tables, texts
from ostrakon.reports.bands import Band
from ostrakon.reports.diagram_layout import (
    CLIENTS,
    LETTER,
    DiagramLayout,
    End,
    Row,
    diagram,
    lay_out,
)
from ostrakon.reports.event_text import said, words
from ostrakon.reports.glyph import glyph
from ostrakon.reports.markup import Drawing, element

LIMIT = 24
"""Messages that are drawn at most; the page's viewer has all."""
_LONGEST_LABEL = 40
_EVENTS_MAX = 16

Place = tuple[Message, bool]


def draw(
    messages: Sequence[Message],
    bands: Sequence[Band] = (),
    *,
    ops: Sequence[Op] = (),
    events: Sequence[Event] = (),
    nodes: Sequence[str] = (),
    limit: int = LIMIT,
) -> Drawing:
    """The messages around some client ops, or the first ones where there are none.

    `ops` are the witness's, each invocation and completion. `events` are what nodes noted; those between
    the messages are drawn, too. `nodes` names lanes that are drawn even if nothing happens on them.

    >>> draw([Message("n1", "n2", 0, 2_000_000, text="vote 3")]).summary
    '1 message between 2 lanes (n1, n2), from 0.000000 s to 0.002000 s.'
    """
    chosen = around(messages, ops, limit)
    if not chosen:
        return Drawing(Markup(""), "No message was recorded.")
    ends = [End(message, is_arrival=False) for message in chosen]
    ends += [End(message, is_arrival=True) for message in chosen if message.received is not None]
    # Who never got a message has a lane, too.
    noted = _during(events, ends)
    lanes = [*nodes, *(message.receiver for message in chosen)]
    paper = lay_out([*ends, *noted], ops, bands, lanes)
    note = ""
    if len(chosen) < len(messages):
        which = "those around the witness" if ops else "the first"
        note = f"{len(chosen):,} of {len(messages):,} messages are drawn, {which}."
    return Drawing(_paint(paper, chosen), _summary(paper, chosen), note, _table(chosen))


def around(messages: Sequence[Message], ops: Sequence[Op], limit: int) -> list[Message]:
    """At most `limit` messages, those nearest to the ops in time, in order of sending."""
    ordered = sorted(messages, key=lambda message: message.sent)
    if len(ordered) <= limit or not ops:
        return ordered[:limit]
    spans = _spans(ops)

    def distance(at: int) -> tuple[int, int]:
        message = ordered[at]
        last = message.sent if message.received is None else message.received
        return min(max(begin - last, message.sent - end, 0) for begin, end in spans), at

    # Each operation gets its share, so that the last one is not pushed out by the first.
    kept = sorted(range(len(ordered)), key=distance)[:limit]
    return [ordered[at] for at in sorted(kept)]


def _during(events: Sequence[Event], ends: Sequence[End]) -> list[Event]:
    """The events between the first and the last of some departures and arrivals, if they are few."""
    begin, last = min(end.time for end in ends), max(end.time for end in ends)
    during = [event for event in events if begin <= event.time <= last and not _is_start(event)]
    return during[:_EVENTS_MAX]


def _is_start(event: Event) -> bool:
    return event.event == "restart" and event.incarnation == 0


def _spans(ops: Sequence[Op]) -> list[tuple[int, int]]:
    by_process = groupby(sorted(ops, key=lambda op: (str(op.process), op.index)), lambda op: op.process)
    spans = []
    for _, own in by_process:
        begun: Op | None = None
        for op in own:
            if op.type == "invoke":
                begun = op
            else:
                spans.append((begun.time if begun is not None else op.time, op.time))
                begun = None
        if begun is not None:
            spans.append((begun.time, begun.time))
    return spans


def _paint(paper: DiagramLayout, messages: Sequence[Message]) -> Markup:
    row_of = {
        (id(row.what.message), row.what.is_arrival): n
        for n, row in enumerate(paper.rows)
        if isinstance(row.what, End)
    }
    return diagram(
        paper,
        "Space-time diagram of messages",
        *(part for message in messages for part in _arrow(paper, row_of, message)),
        *(_op(paper, at, row) for at, row in enumerate(paper.rows) if isinstance(row.what, Op)),
        *(_note(paper, at, row) for at, row in enumerate(paper.rows) if isinstance(row.what, Event)),
    )


def _arrow(
    paper: DiagramLayout, row_of: Mapping[tuple[int, bool], int], message: Message
) -> Iterator[Markup]:
    x, y = paper.x(message.sender), paper.y(row_of[id(message), False])
    to = paper.x(message.receiver)
    side = -1 if to < x else 1
    label, title = message.text or _size(message), _title(message)
    if message.received is None:
        line = element("line", x1=x, y1=y, x2=x + side * 26, y2=y + 12)
        lost = element("text", "✕", x=x + side * 32, y=y + 17, text_anchor="middle")
        yield element("g", element("title", title), line, lost, class_="stub other")
    else:
        line = element(
            "line",
            x1=x,
            y1=y,
            x2=to - 2 * side,
            y2=paper.y(row_of[id(message), True]) - 1,
            marker_end="url(#head-other)",
        )
        yield element("g", element("title", title), line, class_="arrow other")
    yield element(
        "g",
        element("title", title),
        element("circle", cx=x, cy=y, r=3, class_="leaves"),
        element(
            "text",
            texts.short(label, min(_LONGEST_LABEL, int(_room(paper, x, side) / LETTER))),
            x=x + 9 * side,
            y=y - 4,
            text_anchor="end" if side < 0 else None,
        ),
        class_="event",
    )


def _room(paper: DiagramLayout, x: float, side: int) -> float:
    return max(60.0, (paper.width - x if side > 0 else x - 60) - 16)


def _op(paper: DiagramLayout, at: int, row: Row) -> Markup:
    assert isinstance(row.what, Op)
    x, y = paper.x(CLIENTS), paper.y(at)
    return element(
        "g",
        element("title", f"{said(row.what, 400)}\nat {texts.instant(row.time)} s, op {row.what.index}"),
        element("circle", cx=x, cy=y, r=10.5, class_="halo"),
        glyph(f"client {row.what.type}", x, y),
        element("text", texts.short(said(row.what), _LONGEST_LABEL), x=x + 14, y=y + 4),
        class_="event witness",
    )


def _note(paper: DiagramLayout, at: int, row: Row) -> Markup:
    assert isinstance(row.what, Event)
    x, y = paper.x(row.what.node), paper.y(at)
    return element(
        "g",
        element("title", f"{words(row.what, 400)}\nat {texts.instant(row.time)} s on {row.what.node}"),
        glyph(row.what.event, x, y),
        element("text", texts.short(words(row.what), _LONGEST_LABEL), x=x + 14, y=y + 4),
        class_="event",
    )


def _title(message: Message) -> str:
    fate = (
        "never arrived"
        if message.received is None
        else f"arrived after {texts.duration(message.received - message.sent)}"
    )
    size = f", {_size(message)}" if message.text and message.size is not None else ""
    what = texts.short(message.text or _size(message), 200)
    sent = f"sent at {texts.instant(message.sent)} s, {fate}"
    return f"{message.sender} → {message.receiver}: {what}{size}\n{sent}"


def _size(message: Message) -> str:
    return "" if message.size is None else count(message.size, "byte")


def _summary(paper: DiagramLayout, messages: Sequence[Message]) -> str:
    names = ", ".join(texts.short(lane, 24) for lane in paper.lanes[:12])
    lost = sum(message.received is None for message in messages)
    told = f", {lost} of which never arrived," if lost else ""
    last = max(message.received or message.sent for message in messages)
    return (
        f"{count(len(messages), 'message')}{told} between {count(len(paper.lanes), 'lane')} "
        f"({names}), from {texts.instant(messages[0].sent)} s to {texts.instant(last)} s."
    )


def _table(messages: Sequence[Message]) -> Markup:
    heads = ("sent, s", "arrived, s", "from", "to", "message", "bytes")
    rows = [
        [
            tables.Cell(texts.instant(message.sent), "num"),
            tables.Cell(texts.instant(message.received) if message.received is not None else "never", "num"),
            tables.Cell(texts.short(message.sender, 40)),
            tables.Cell(texts.short(message.receiver, 40)),
            tables.Cell(texts.short(message.text, 120)),
            tables.Cell("" if message.size is None else str(message.size), "num"),
        ]
        for message in messages[: tables.ROWS]
    ]
    return tables.table("", heads, rows, len(messages))
