"""Ops, trace events and findings of any shape as HTML tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from ostrakon.harness.history import Event, Op
from ostrakon.harness.history.plural import count
from ostrakon.reports import texts
from ostrakon.reports.event_text import answer, question
from ostrakon.reports.markup import Child, element, join

ROWS = 60
"""Rows of a table at most; what is more is counted."""

_SHORT = 7
"""Rows up to which a table of events is open from the beginning."""


class Cell(NamedTuple):
    """The content and the style of a cell."""

    content: Child
    style: str | None = None


def pairs(
    pairs: Sequence[tuple[Op, Op | None]],
    caption: str,
    *,
    is_timed: bool = True,
    colours: Mapping[str, int] | None = None,
    anchors: Collection[int] = (),
) -> Markup:
    """Client ops from invocation to completion, one a row; the rows of `anchors` can be linked to.

    `op` links to the operation in the drawing of the page. Without times, the positions of ops tell their
    order.
    """
    heads = ("op", "f", "value", "answered", "ended", "node", "process", "from, s", "to, s", "slot", "error")
    rows = [_pair_cells(op, done, colours or {}, is_timed=is_timed) for op, done in pairs[:ROWS]]
    ids = [_anchor(op, done, anchors) for op, done in pairs[:ROWS]]
    return table(caption, heads, rows, len(pairs), ids)


def _anchor(op: Op, done: Op | None, anchors: Collection[int]) -> str | None:
    index = next((end.index for end in (op, done) if end is not None and end.index in anchors), None)
    return None if index is None else f"row-op-{index}"


def events(events: Sequence[Event], caption: str, colours: Mapping[str, int]) -> Markup:
    """Trace events, in words and in figures."""
    heads = ("time, s", "node", "event", "ballot", "slot", "value", "reports", "to", "message", "cause")
    rows = [_event_cells(event, colours) for event in events[:ROWS]]
    return table(caption, heads, rows, len(events))


def folded(events_: Sequence[Event], caption: str, colours: Mapping[str, int]) -> Markup | None:
    """Trace events as a table that is open if it is short; None if there are none."""
    if not events_:
        return None
    summary = element("summary", f"{caption}: {count(len(events_), 'event')}")
    return element("details", summary, events(events_, "", colours), open=len(events_) <= _SHORT)


def code(what: Any, limit: int = texts.LIMIT, colours: Mapping[str, int] | None = None) -> Markup:
    """A value, as JSON; with a swatch if its colour stands for it in the drawings."""
    number = (colours or {}).get(texts.value(what, 400))
    swatch = element("i", class_=f"swatch v{number}", aria_hidden="true") if number is not None else None
    return join((swatch, element("code", "nil" if what is None else texts.value(what, limit))))


def _pair_cells(op: Op, done: Op | None, colours: Mapping[str, int], *, is_timed: bool) -> list[Cell]:
    ended = done.type if done is not None else "info"
    told = answer(op, done, 2 * texts.LIMIT)
    last = done if done is not None else op
    span = f"{op.index}–{done.index}" if done is not None else str(op.index)
    return [
        Cell(element("a", span, href=f"#op-{op.index}", title="show it in the drawing")),
        Cell(texts.short(op.f, 40)),
        Cell(_code(op.value, question(op, done, 2 * texts.LIMIT), colours)),
        Cell(_code(done.value if done is not None else None, told, colours)),
        Cell(element("span", ended, class_=f"type {ended}")),
        Cell(texts.short(last.node or op.node or "", 40)),
        Cell(str(op.process), "num"),
        Cell(texts.instant(op.time) if is_timed else "", "num"),
        Cell(texts.instant(done.time) if is_timed and done is not None else "", "num"),
        Cell(f"{last.slot}, {texts.ballot(last.ballot)}".strip(", ") if last.slot is not None else "", "num"),
        Cell(texts.sentence(done.error, 160) if done is not None and done.error is not None else ""),
    ]


def _code(what: Any, told: str, colours: Mapping[str, int]) -> Markup | None:
    """What was asked or answered, with the swatch of its value if it has a colour."""
    if not told:
        return None
    if texts.value(what, 400) in colours:
        return code(what, colours=colours)
    return element("code", told)


def _event_cells(event: Event, colours: Mapping[str, int]) -> list[Cell]:
    again = f", incarnation {event.incarnation}" if event.incarnation else ""
    return [
        Cell(texts.instant(event.time), "num"),
        Cell(texts.short(event.node, 40) + again),
        Cell(texts.short(event.event.replace("_", " "), 40)),
        Cell(texts.ballot(event.ballot), "num"),
        Cell("" if event.slot is None else str(event.slot), "num"),
        Cell("" if event.value is None else code(event.value, colours=colours)),
        Cell(_reports(event)),
        Cell(texts.short(" ".join(event.to), 60)),
        Cell(texts.short(event.message or "", 40), "id"),
        Cell(texts.short(event.cause or "", 40), "id"),
    ]


def _reports(event: Event) -> str:
    """What a promise, a nack, a restart or a learner has to tell beside its value."""
    votes = ", ".join(f"voted {texts.ballot(b)}={texts.value(v, 40)}" for _, b, v in event.accepted[:8])
    promised = f"promised {texts.ballot(event.promised)}" if event.promised else ""
    how = texts.short(event.how or "", 40)
    members = f"members {texts.short(' '.join(event.members), 80)}" if event.members else ""
    detail = "" if event.detail is None else texts.value(event.detail, 80)
    return "; ".join(part for part in (promised, votes, how, members, detail) if part)


def table(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    total: int,
    ids: Sequence[str | None] = (),
) -> Markup:
    """A table without its empty columns, in a frame that scrolls by itself."""
    used = [n for n in range(len(heads)) if any(row[n].content for row in rows)]
    more = f" ({len(rows)} of {total:,})" if total > len(rows) else ""
    head = element("tr", *(element("th", heads[n], scope="col", class_=_side(rows, n)) for n in used))
    body = [
        element("tr", *(element("td", row[n].content, class_=row[n].style) for n in used), id=id_)
        for row, id_ in zip(rows, ids or [None] * len(rows), strict=True)
    ]
    table = element(
        "table",
        element("caption", caption + more) if caption else None,
        element("thead", head),
        element("tbody", *body),
    )
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=caption or "table")


def _side(rows: Sequence[Sequence[Cell]], column: int) -> str | None:
    return "num" if all(row[column].style == "num" or not row[column].content for row in rows) else None
