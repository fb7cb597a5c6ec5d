"""The operations of clients around the witness: a lane for each client, a bar from invocation to completion.

Time is stretched where much happens, so that short ops can be read and long waits do not push them apart; the
drawing says so. It is what a page shows on paper and where scripts do not run; elsewhere the page's viewer
takes its place, which has all operations.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ostrakon.harness.faults.registry import colour_of
from ostrakon.harness.history import History, Op
from ostrakon.harness.history.plural import count
from ostrakon.reports import tables, texts
from ostrakon.reports.bands import Band, rows
from ostrakon.reports.event_text import describe, label
from ostrakon.reports.linearization import Order, points
from ostrakon.reports.markup import Drawing, element
from ostrakon.reports.scale import Stretched, stretched

LIMIT = 24
"""Ops that are drawn at most."""

_LANE, _BAR, _BAND, _LEFT, _RIGHT, _WIDTH = 30, 20, 18, 14, 70, 1062
_NAMES = 96
"""The width of the names of lanes, which stay in sight when the drawing is scrolled."""
_FADE, _LETTER = 46.0, 6.7
_WIDEST_LABEL = 17
"""Letters that a bar makes room for; longer labels are cut unless the op took long enough."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One op as it is drawn."""

    lane: int
    invoked: Op
    completed: Op | None

    @property
    def ended(self) -> str:
        """Its outcome; `info` if it had no answer."""
        return self.completed.type if self.completed is not None else "info"


def draw(
    history: History,
    bands: Sequence[Band] = (),
    *,
    witness: Collection[int] = (),
    order: Order | None = None,
    concurrency: int | None = None,
    limit: int = LIMIT,
) -> Drawing:
    """The ops of clients around the witness, or the first ones when there is none.

    `witness` holds indices of ops; `order` is a linearization, or a part of one, that is drawn on the bars.
    With `concurrency`, a process that took over from a crashed one gets its lane, as the harness counts
    processes on by the concurrency.
    """
    pairs = list(history.pairs)
    chosen = focus(pairs, witness, limit)
    if not chosen:
        return Drawing(Markup(""), "No client did anything.")
    lanes = sorted({lane_of(op, concurrency) for op, _ in chosen})
    bars = [Bar(lanes.index(lane_of(op, concurrency)), op, done) for op, done in chosen]
    begin, end = _span(bars)
    near = [band for band in bands if band.start <= end and (band.end is None or band.end >= begin)]
    scale = _scale(bars, near, begin, end)
    is_timed = texts.has_times(history)
    name = "client" if concurrency else "process"
    picture = _paint(bars, rows(near, end), scale, witness, is_timed=is_timed, order=order)
    names = _names([f"{name} {lane}" for lane in lanes], _top(rows(near, end)))
    return Drawing(
        element("div", names, picture, class_="lanes"),
        _summary(bars, len(lanes), near),
        " ".join(filter(None, (_axis_note(is_timed), _note(len(bars), len(pairs), bool(witness))))),
        tables.pairs(focus(chosen, witness, tables.ROWS), "", is_timed=is_timed),
    )


def focus(
    pairs: Sequence[tuple[Op, Op | None]], witness: Collection[int], limit: int
) -> list[tuple[Op, Op | None]]:
    """The ops of the witness and those invoked nearest to them; the first ops when there is no witness."""
    if len(pairs) <= limit:
        return list(pairs)
    seen = [at for at, pair in enumerate(pairs) if _is_in(pair, witness)][:limit]
    if not seen:
        return list(pairs[:limit])
    kept, reach = set(seen), 1
    while len(kept) < limit:
        ring = sorted({at + step for at in seen for step in (-reach, reach)} - kept)
        kept.update([at for at in ring if 0 <= at < len(pairs)][: limit - len(kept)])
        reach += 1
    return [pairs[at] for at in sorted(kept)]


def lane_of(op: Op, concurrency: int | None) -> int:
    """The lane of an op's process."""
    assert op.process != "nemesis"
    return op.process % concurrency if concurrency else op.process


def _is_in(pair: tuple[Op, Op | None], witness: Collection[int]) -> bool:
    return any(op is not None and op.index in witness for op in pair)


def _span(bars: Sequence[Bar]) -> tuple[int, int]:
    times = [op.time for bar in bars for op in (bar.invoked, bar.completed) if op is not None]
    return min(times), max(times)


def _scale(bars: Sequence[Bar], bands: Sequence[Band], begin: int, end: int) -> Stretched:
    room = {
        bar.completed.time: (bar.invoked.time, _room(bar))
        for bar in bars
        if bar.completed is not None and bar.completed.time > bar.invoked.time
    }
    edges = [edge for band in bands for edge in (band.start, band.end) if edge is not None]
    times = {op.time for bar in bars for op in (bar.invoked, bar.completed) if op is not None}
    times.update(edge for edge in edges if begin <= edge <= end)
    return stretched(sorted(times), room, _LEFT, _WIDTH - _RIGHT)


def _room(bar: Bar) -> float:
    letters = min(_WIDEST_LABEL, len(label(bar.invoked, bar.completed)))
    return 12 + _LETTER * letters + (10 if bar.ended == "fail" else 0)


def _top(bands: Sequence[tuple[int, Band]]) -> int:
    return 22 + _BAND * (1 + max((row for row, _ in bands), default=-1))


def _names(names: Sequence[str], top: int) -> Markup:
    """The names of the lanes, in a drawing of their own: no bar ever lies on them."""
    height = top + _LANE * len(names) + 8
    return element(
        "svg",
        *(
            element("text", texts.short(name, 12), x=8, y=top + _LANE * lane + 15, class_="who")
            for lane, name in enumerate(names)
        ),
        class_="names",
        viewBox=f"0 0 {_NAMES} {height}",
        width=_NAMES,
        height=height,
        aria_hidden="true",
    )


def _paint(
    bars: Sequence[Bar],
    bands: Sequence[tuple[int, Band]],
    scale: Stretched,
    witness: Collection[int],
    *,
    is_timed: bool,
    order: Order | None,
) -> Markup:
    top, lanes = _top(bands), 1 + max(bar.lane for bar in bars)
    height, width = top + _LANE * lanes + 8, scale.places[-1] + _RIGHT
    return element(
        "svg",
        element("title", "Operations of clients"),
        _fades(),
        *_axis(scale, height, is_timed=is_timed),
        *_squeezed(scale, top),
        *(_band(band, row, scale, top, height) for row, band in bands),
        *(_lane(top + _LANE * lane, width) for lane in range(lanes)),
        *(_bar(bar, top, scale, witness) for bar in bars),
        *_order(bars, order, scale, top),
        class_="timeline",
        viewBox=f"0 0 {width:.0f} {height}",
        width=width,
        height=height,
        role="group",
        aria_labelledby="timeline-summary",
    )


def _fades() -> Markup:
    stops = (("0", "fade-from"), ("1", "fade-to"))
    gradient = element(
        "linearGradient", *(element("stop", offset=at, class_=name) for at, name in stops), id="fade"
    )
    return element("defs", gradient)


def _axis(scale: Stretched, height: float, *, is_timed: bool) -> Iterator[Markup]:
    for time in scale.ticks():
        x, instant = scale(time), f"{time / 1e9:.3f} s" if is_timed else f"op {time}"
        yield element("line", x1=x, x2=x, y1=16, y2=height, class_="grid")
        anchor = "middle" if x > 30 else "start"
        yield element("text", instant, x=max(x, 2), y=11, class_="tick", text_anchor=anchor)


def _squeezed(scale: Stretched, top: float) -> Iterator[Markup]:
    """Hatches where a long wait is drawn short, so that nobody takes equal widths there for equal times."""
    for begin, end in scale.squeezed():
        strokes = "".join(f"M{x} {top - 1}l5 7" for x in range(int(begin) + 5, int(end) - 6, 7))
        if strokes:
            yield element("path", element("title", "a long wait, drawn short"), d=strokes, class_="squeezed")


def _order(bars: Sequence[Bar], order: Order | None, scale: Stretched, top: int) -> Iterator[Markup]:
    """The moment at which each op may have taken effect, in order, and where the order breaks."""
    if order is None:
        return
    place = {index: number for number, index in enumerate(order.invoked, start=1)}
    moments = points(order, {bar.invoked.index: bar.invoked.time for bar in bars})
    lane = {bar.invoked.index: bar.lane for bar in bars}
    marks = [
        (scale(moment), top + _LANE * lane[index] + 2, place[index]) for index, moment in moments.items()
    ]
    path = " ".join(f"{x:.1f},{y + _BAR / 2:.1f}" for x, y, _ in marks)
    if len(marks) > 1:
        yield element("polyline", element("title", "the order"), points=path, class_="order")
    for x, y, number in marks:
        yield element("line", x1=x, x2=x, y1=y - 2, y2=y + _BAR + 2, class_="moment")
        yield element("text", str(number), x=x + 3, y=y + 2, class_="moment")
    for bar in bars:
        if bar.invoked.index == order.blocked and bar.completed is not None:
            x, y = scale(bar.completed.time), top + _LANE * bar.lane
            bottom = top + _LANE * (1 + max(bar.lane for bar in bars))
            yield element("line", x1=x, x2=x, y1=top - 4, y2=bottom, class_="break")
            is_left = x > scale.places[-1] - 120
            anchor, at = ("end", x - 4) if is_left else ("start", x + 4)
            height = y - 4 if is_left else y + 14
            told = "no order gets past this"
            yield element("text", told, x=at, y=height, text_anchor=anchor, class_="break")


def _band(band: Band, row: int, scale: Stretched, top: int, height: float) -> Markup:
    x, y = scale(band.start), 20 + _BAND * row
    width = max(3.0, (scale.places[-1] if band.end is None else scale(band.end)) - x)
    room = int((width - 8) / _LETTER)
    return element(
        "g",
        element("title", f"{band.label}\n{_from_to(band)}"),
        element("rect", x=x, y=y, width=width, height=height - y, class_="shade"),
        element("rect", x=x, y=y, width=width, height=_BAND - 3, rx=2, class_="band"),
        element("text", texts.short(band.label, room), x=x + 4, y=y + 11.5) if room > 4 else None,
        class_=f"fault {fault_class(band.kind)}",
    )


def fault_class(kind: str) -> str:
    """The style of a kind of fault. Similar kinds share one, and all unknown kinds share one."""
    return f"fault-{colour_of(kind)}"


def fault_legend(kinds: Iterable[str]) -> list[tuple[str, str]]:
    """For each style that these kinds have, the kinds in words and the style."""
    styles: dict[str, list[str]] = {}
    for kind in kinds:
        styles.setdefault(fault_class(kind), []).append(kind.replace("_", " "))
    return [(", ".join(names), style) for style, names in styles.items()]


def _from_to(band: Band) -> str:
    end = "the end" if band.end is None else f"{texts.instant(band.end)} s"
    return f"from {texts.instant(band.start)} s to {end}"


def _lane(y: float, width: float) -> Markup:
    return element("line", x1=0, x2=width, y1=y + _LANE - 3, y2=y + _LANE - 3, class_="lane")


def _bar(bar: Bar, top: int, scale: Stretched, witness: Collection[int]) -> Markup:
    op, done, y = bar.invoked, bar.completed, top + _LANE * bar.lane + 2
    x = scale(op.time)
    end = scale(done.time) if done is not None else scale.places[-1]
    width = max(4.0, end - x) + (_FADE if bar.ended == "info" else 0.0)
    room = int((width - 8 - (10 if bar.ended == "fail" else 0)) / _LETTER)
    marked = next((end.index for end in (op, done) if end is not None and end.index in witness), None)
    drawn = element(
        "g",
        element("title", describe(op, done)),
        element("rect", x=x, y=y, width=width, height=_BAR, rx=3, class_="body"),
        element("path", d=f"M{x + width - 11:.1f} {y + 6.5}l7 7m0 -7l-7 7", class_="cross")
        if bar.ended == "fail"
        else None,
        element("text", texts.short(label(op, done), room), x=x + 4, y=y + 14) if room > 1 else None,
        id=f"op-{op.index}",
        class_=f"op {bar.ended}{' witness' if marked is not None else ''}",
        data_f=texts.short(op.f, 40),
        data_type=bar.ended,
    )
    return drawn if marked is None else element("a", drawn, href=f"#row-op-{marked}")


def _summary(bars: Sequence[Bar], lanes: int, bands: Sequence[Band]) -> str:
    by_end = {end: sum(bar.ended == end for bar in bars) for end in _ENDS}
    faults = f" while {count(len(bands), 'fault')} came and went" if bands else ""
    ends = ", ".join(f"{by_end[end]} {said}" for end, said in _ENDS.items())
    return f"{count(len(bars), 'operation')} of {count(lanes, 'client')}{faults}: {ends}."


_ENDS = {"ok": "ok", "fail": "failed", "info": "with unknown outcome"}


def _note(drawn: int, total: int, has_witness: bool) -> str:
    if drawn == total:
        return ""
    which = "those of the witness and the nearest to them" if has_witness else "the first"
    return f"{drawn:,} of {total:,} operations are drawn, {which}."


def _axis_note(is_timed: bool) -> str:
    if is_timed:
        return "Time is stretched where much happens; hatched stretches are long waits drawn short."
    return "The file has no times: the positions of its entries are drawn."
