"""The messages around a witness as a space-time diagram (Lamport 1978): a lane for each node, time downwards.

Every event has a row of its own, so that nothing is written over anything else; an arrow is a message
whose arrival made its receiver do something that it reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ostrakon.harness.history import Event, Op, Trace
from ostrakon.harness.history.plural import count
from ostrakon.reports import tables, texts
from ostrakon.reports.bands import Band
from ostrakon.reports.causality import (
    Key,
    Message,
    Unanswered,
    gathered,
    key,
    messages,
    senders,
    story,
    unanswered,
)
from ostrakon.reports.diagram_layout import (
    CLIENTS,
    LEFT,
    LETTER,
    DiagramLayout,
    End,
    Row,
    diagram,
    lay_out,
)
from ostrakon.reports.event_text import phase, said, verb, where, words
from ostrakon.reports.glyph import glyph
from ostrakon.reports.markup import Drawing, element

LIMIT = 44
"""Trace events that are drawn at most."""

_LONGEST_LABEL = 48


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is drawn."""

    paper: DiagramLayout
    arrows: Sequence[Message]
    counted: Sequence[Message]
    """Messages that may have been counted; no event names them."""
    unanswered: Sequence[Unanswered]
    witness: Collection[Key]
    colours: Mapping[str, int]

    @property
    def row_of(self) -> dict[Key, int]:
        """The row of each event."""
        return {key(row.what): n for n, row in enumerate(self.paper.rows) if isinstance(row.what, Event)}


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
    drawn = {key(event) for event in events}
    arrows = [message for message in messages(events, senders(trace)) if key(message.sent) in drawn]
    scene = Scene(
        paper=lay_out(events, ops, bands, nodes),
        arrows=arrows,
        counted=list(gathered(events, arrows)),
        unanswered=unanswered(events, trace),
        witness={key(event) for event in witness},
        colours=colours or {},
    )
    note = "" if len(events) == len(trace) else _note(len(events), len(trace), bool(witness))
    return Drawing(_paint(scene), _summary(scene), note, tables.events(events, "", scene.colours))


def _paint(scene: Scene) -> Markup:
    paper, row_of = scene.paper, scene.row_of
    sides = _label_sides(scene)
    return diagram(
        paper,
        "Space-time diagram of the messages between nodes",
        *(_arrow(paper, row_of, message, certain=False) for message in scene.counted),
        *(stub for lost in scene.unanswered for stub in _stubs(paper, row_of[key(lost.sent)], lost)),
        *(_arrow(paper, row_of, message, certain=True) for message in scene.arrows),
        *(_mark(scene, at, row, sides[at]) for at, row in enumerate(paper.rows)),
    )


def _stubs(paper: DiagramLayout, row: int, lost: Unanswered) -> Iterator[Markup]:
    """A short dashed line to each side on which somebody did not get the message, and their names."""
    x, y = paper.x(lost.sent.node), paper.y(row)
    for side, anchor in ((-1, "end"), (1, "start")):
        names = " ".join(to for to in lost.to if to in paper.lanes and (paper.x(to) - x) * side > 0)
        if names:
            title = f"{_sent(lost.sent)} to {names}: nothing shows that it arrived"
            label = texts.short(f"✕ {names}", int(paper.lane_width / 6) - 4)
            yield element(
                "g",
                element("title", title),
                element("line", x1=x, y1=y, x2=x + side * 16, y2=y + 14),
                element("text", label, x=x + side * 18, y=y + 17, text_anchor=anchor),
                class_=f"stub {phase(lost.sent)}",
            )


def _arrow(paper: DiagramLayout, row_of: Mapping[Key, int], message: Message, *, certain: bool) -> Markup:
    sent, received = message.sent, message.received
    start, end = paper.x(sent.node), paper.x(received.node)
    title = f"{_sent(sent)} to {received.node}, "
    title += texts.duration(received.time - sent.time) if certain else "perhaps counted here"
    return element(
        "g",
        element("title", title),
        element(
            "line",
            x1=start,
            y1=paper.y(row_of[key(sent)]),
            x2=end + (9 if start > end else -9),
            y2=paper.y(row_of[key(received)]) - 1,
            marker_end=f"url(#head-{phase(sent)})" if certain else None,
        ),
        class_=f"arrow {phase(sent)}{'' if certain else ' perhaps'}",
    )


def _sent(event: Event) -> str:
    return f"{verb(event)} {texts.ballot(event.ballot)} from {event.node}"


def _label_sides(scene: Scene) -> list[int]:
    """The side of each row's mark on which its label is less in the way of arrows: 1 right, -1 left."""
    paper, row_of = scene.paper, scene.row_of
    crowd = [0] * len(paper.rows)
    for arrow in (*scene.arrows, *scene.counted):
        side = 1 if paper.x(arrow.received.node) > paper.x(arrow.sent.node) else -1
        crowd[row_of[key(arrow.sent)]] += side
        crowd[row_of[key(arrow.received)]] -= side
    return [-1 if isinstance(row.what, Event) and crowd[at] > 0 else 1 for at, row in enumerate(paper.rows)]


def _mark(scene: Scene, at: int, row: Row, side: int) -> Markup | None:
    match row.what:
        case tuple() | End():
            return None
        case Op() as op:
            x, shape, marked = scene.paper.x(CLIENTS), f"client {op.type}", True
            short, full = said(op), said(op, 400)
        case Event() as event:
            x, shape, marked = scene.paper.x(event.node), event.event, key(event) in scene.witness
            short, full = words(event), words(event, 400)
    # Nothing else is written in this row, so a label may reach beyond its lane.
    y, room = scene.paper.y(at), (x - LEFT if side < 0 else scene.paper.width - x) - 16
    colour = scene.colours.get(texts.value(row.what.value, 400)) if row.what.value is not None else None
    return element(
        "g",
        element("title", f"{full}\nat {texts.instant(row.time)} s{where(row.what)}"),
        element("circle", cx=x, cy=y, r=10.5, class_="halo") if marked else None,
        glyph(shape, x, y),
        element(
            "text",
            texts.short(short, min(_LONGEST_LABEL, int(room / LETTER))),
            x=x + 14 * side,
            y=y + 4,
            text_anchor="end" if side < 0 else None,
        ),
        class_=f"event{' witness' if marked else ''}{f' v{colour}' if colour is not None else ''}",
    )


def _summary(scene: Scene) -> str:
    rows, lanes = scene.paper.rows, scene.paper.lanes
    names = ", ".join(texts.short(lane, 24) for lane in lanes[:12])
    return (
        f"{count(len(scene.row_of), 'event')} and {count(len(scene.arrows), 'message')} "
        f"between {count(len(lanes), 'lane')} ({names}), "
        f"from {texts.instant(rows[0].time)} s to {texts.instant(rows[-1].time)} s."
    )


def _note(drawn: int, total: int, has_witness: bool) -> str:
    witness, first = "the witness, what led to it and what was near", "what led to the first decision"
    return f"{drawn:,} of {total:,} trace events are drawn: {witness if has_witness else first}."
