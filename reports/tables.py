"""Ops, trace events and findings of any shape as HTML tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from harness.history import Event, History, Op
from reports import shown
from reports.markup import Child, element, join

ROWS = 60
"""Rows of a table at most; what is more is counted."""

_DEPTH, _COLUMNS, _SHORT, _FEW = 4, 24, 7, 6


class Cell(NamedTuple):
    """What stands in one cell of a table."""

    content: Child
    style: str | None = None


def ops(
    ops: Sequence[Op],
    caption: str,
    history: History,
    colours: Mapping[str, int],
    anchors: Collection[int] = (),
) -> Markup:
    """Client ops, linked to their bars in the timeline; the rows of `anchors` can be linked to."""
    heads = ("op", "time, s", "process", "type", "f", "value", "node", "slot", "ballot", "error")
    rows = [_op_cells(op, history, colours) for op in ops[:ROWS]]
    ids = [f"row-op-{op.index}" if op.index in anchors else None for op in ops[:ROWS]]
    return _table(caption, heads, rows, len(ops), ids)


def events(events: Sequence[Event], caption: str, colours: Mapping[str, int]) -> Markup:
    """Trace events, in words and in figures."""
    heads = ("time, s", "node", "event", "ballot", "slot", "value", "reports", "to", "message", "cause")
    rows = [_event_cells(event, colours) for event in events[:ROWS]]
    return _table(caption, heads, rows, len(events))


def folded(events_: Sequence[Event], caption: str, colours: Mapping[str, int]) -> Markup | None:
    """Trace events as a table that is open if it is short; None if there are none."""
    if not events_:
        return None
    summary = element("summary", f"{caption}: {len(events_):,} event{'s' if len(events_) != 1 else ''}")
    return element("details", summary, events(events_, "", colours), open=len(events_) <= _SHORT)


def plain(what: Any, caption: str = "", depth: int = _DEPTH) -> Markup:
    """Plain data of any shape: mappings of mappings as tables, mappings as lists of terms."""
    match what:
        case Mapping() if what and depth:
            if all(isinstance(inner, Mapping) and inner for inner in what.values()):
                named = [{"": name, **inner} for name, inner in what.items()]
                return records(named, caption)
            return element(
                "dl", *(_term(name, inner, depth) for name, inner in _some(what.items())), class_="facts"
            )
        case list() | tuple() if what and depth:
            if all(isinstance(inner, Mapping) for inner in what):
                return records(what, caption)
            if any(isinstance(inner, Mapping | list) for inner in what):
                return element("ul", *(element("li", plain(inner, "", depth - 1)) for inner in what[:ROWS]))
        case str():
            return element("span", shown.cut(what, 600), class_="text")
        case _:
            pass
    return code(what, 400)


def brief(details: Mapping[str, Any]) -> Markup:
    """Further findings: a few figures in place, anything longer folded away."""
    if not details:
        return Markup("")
    if len(details) <= _FEW and all(isinstance(what, bool | int | float) for what in details.values()):
        return element("span", _inline(details), class_="note")
    return element("details", element("summary", "Details"), plain(details))


def records(entries: Sequence[Mapping[str, Any]], caption: str, heads: Sequence[str] = ()) -> Markup:
    """Mappings as the rows of a table; its columns are whatever they hold, those in `heads` first."""
    names = list(dict.fromkeys([*heads, *(name for entry in entries[:ROWS] for name in entry)]))[:_COLUMNS]
    rows = [[_cell(entry.get(name)) for name in names] for entry in entries[:ROWS]]
    titles = [_title(name) for name in names]
    return _table(caption, titles, rows, len(entries))


def code(what: Any, limit: int = shown.LIMIT, colours: Mapping[str, int] | None = None) -> Markup:
    """A value, as JSON; with a swatch if its colour stands for it in the drawings."""
    number = (colours or {}).get(shown.value(what, 400))
    swatch = element("i", class_=f"swatch v{number}", aria_hidden="true") if number is not None else None
    return join((swatch, element("code", shown.value(what, limit))))


def _op_cells(op: Op, history: History, colours: Mapping[str, int]) -> list[Cell]:
    invoked = history.invocation(op) if op.type != "invoke" else op
    number: Child = str(op.index)
    if invoked is not None:
        number = element("a", str(op.index), href=f"#op-{invoked.index}", title="show it in the timeline")
    return [
        Cell(number),
        Cell(shown.instant(op.time), "num"),
        Cell(str(op.process), "num"),
        Cell(element("span", op.type, class_=f"type {op.type}")),
        Cell(shown.short(op.f, 40)),
        Cell(code(op.value, colours=colours)),
        Cell(shown.short(op.node or "", 40)),
        Cell("" if op.slot is None else str(op.slot), "num"),
        Cell(shown.ballot(op.ballot), "num"),
        Cell("" if op.error is None else shown.sentence(op.error, 160)),
    ]


def _event_cells(event: Event, colours: Mapping[str, int]) -> list[Cell]:
    again = f", incarnation {event.incarnation}" if event.incarnation else ""
    return [
        Cell(shown.instant(event.time), "num"),
        Cell(shown.short(event.node, 40) + again),
        Cell(shown.short(event.event.replace("_", " "), 40)),
        Cell(shown.ballot(event.ballot), "num"),
        Cell("" if event.slot is None else str(event.slot), "num"),
        Cell("" if event.value is None else code(event.value, colours=colours)),
        Cell(_reports(event)),
        Cell(shown.short(" ".join(event.to), 60)),
        Cell(shown.short(event.message or "", 40), "id"),
        Cell(shown.short(event.cause or "", 40), "id"),
    ]


def _reports(event: Event) -> str:
    """What a promise, a nack, a restart or a learner has to tell beside its value."""
    votes = ", ".join(f"voted {shown.ballot(b)}={shown.value(v, 40)}" for _, b, v in event.accepted[:8])
    promised = f"promised {shown.ballot(event.promised)}" if event.promised else ""
    how = shown.short(event.how or "", 40)
    members = f"members {shown.short(' '.join(event.members), 80)}" if event.members else ""
    detail = "" if event.detail is None else shown.value(event.detail, 80)
    return "; ".join(part for part in (promised, votes, how, members, detail) if part)


def _table(
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


def _cell(what: Any) -> Cell:
    match what:
        case None:
            return Cell("")
        case bool():
            return Cell("yes" if what else "no")
        case int():
            return Cell(f"{what:,}", "num")
        case float():
            return Cell(f"{what:,.6g}", "num")
        case str():
            return Cell(shown.cut(what, 200))
        case list() | tuple() if all(isinstance(inner, str) for inner in what):
            return Cell(shown.short(" ".join(what), 120))
        case _:
            return Cell(code(what))


def _term(name: object, inner: Any, depth: int) -> Markup:
    if isinstance(inner, Mapping) and 0 < len(inner) <= _FEW and all(map(_is_scalar, inner.values())):
        return element("div", element("dt", _title(name)), element("dd", _inline(inner)))
    nested = isinstance(inner, Mapping | str) or (isinstance(inner, list) and not _are_words(inner))
    said = plain(inner, str(name), depth - 1) if nested else _cell(inner).content or "–"
    return element("div", element("dt", _title(name)), element("dd", said))


def _title(name: object) -> str:
    return shown.short(str(name).replace("_", " "), 60)


def _inline(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{_title(name)} {_cell(what).content}" for name, what in facts.items())


def _is_scalar(what: Any) -> bool:
    return isinstance(what, bool | int | float) or (isinstance(what, str) and len(what) < 40)


def _are_words(what: Sequence[Any]) -> bool:
    return all(isinstance(inner, str) for inner in what)


def _some(items: Collection[tuple[object, Any]]) -> Iterator[tuple[object, Any]]:
    yield from list(items)[:ROWS]
