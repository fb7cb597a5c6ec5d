"""Ops, trace events and findings of any shape as HTML tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from harness.history import Event, History, Op
from reports import shown
from reports.markup import Child, element, join

ROWS = 60
"""Rows of a table at most; what is more is counted."""

_DEPTH = 4


def ops(
    ops: Sequence[Op],
    caption: str,
    history: History,
    colours: Mapping[str, int],
    anchors: Collection[int] = (),
) -> Markup:
    """Client ops, linked to their bars in the timeline; the rows of `anchors` can be linked to."""
    heads = ("op", "time, s", "process", "type", "f", "value", "node", "slot", "ballot", "error")
    rows = [_op_row(op, history, colours, anchors) for op in ops[:ROWS]]
    return _table(caption, heads, rows, len(ops))


def events(events: Sequence[Event], caption: str, colours: Mapping[str, int]) -> Markup:
    """Trace events, in words and in figures."""
    heads = ("time, s", "node", "event", "ballot", "slot", "value", "reports", "to", "message", "cause")
    rows = [_event_row(event, colours) for event in events[:ROWS]]
    return _table(caption, heads, rows, len(events))


def plain(what: Any, caption: str = "", depth: int = _DEPTH) -> Markup:
    """Plain data of any shape: mappings of mappings as tables, mappings as lists of terms."""
    match what:
        case Mapping() if what and depth:
            if all(isinstance(inner, Mapping) and inner for inner in what.values()):
                named = [{"": name, **inner} for name, inner in what.items()]
                return records(named, caption)
            return element("dl", *(_term(name, inner, depth) for name, inner in _some(what.items())), class_="facts")
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


def records(entries: Sequence[Mapping[str, Any]], caption: str, heads: Sequence[str] = ()) -> Markup:
    """Mappings as the rows of a table; its columns are whatever they hold, those in `heads` first."""
    found = dict.fromkeys([*heads, *(str(name) for entry in entries[:ROWS] for name in entry)])
    used = [name for name in found if any(_is_said(entry.get(name)) for entry in entries)]
    rows = [element("tr", *(_cell(entry.get(name)) for name in used)) for entry in entries[:ROWS]]
    return _table(caption, [name.replace("_", " ") for name in used], rows, len(entries))


def code(what: Any, limit: int = shown.LIMIT, colours: Mapping[str, int] | None = None) -> Markup:
    """A value, as JSON; with a swatch if its colour stands for it in the drawings."""
    number = (colours or {}).get(shown.value(what, 400))
    swatch = element("i", class_=f"swatch v{number}", aria_hidden="true") if number is not None else None
    return join((swatch, element("code", shown.value(what, limit))))


def _op_row(op: Op, history: History, colours: Mapping[str, int], anchors: Collection[int]) -> Markup:
    invoked = history.invocation(op) if op.type != "invoke" else op
    number: Child = str(op.index)
    if invoked is not None:
        number = element("a", str(op.index), href=f"#op-{invoked.index}", title="show it in the timeline")
    return element(
        "tr",
        element("td", number),
        element("td", shown.instant(op.time), class_="num"),
        element("td", str(op.process), class_="num"),
        element("td", element("span", op.type, class_=f"type {op.type}")),
        element("td", shown.short(op.f, 40)),
        element("td", code(op.value, colours=colours)),
        element("td", shown.short(op.node or "", 40)),
        element("td", "" if op.slot is None else str(op.slot), class_="num"),
        element("td", shown.ballot(op.ballot), class_="num"),
        element("td", "" if op.error is None else shown.sentence(op.error, 160)),
        id=f"row-op-{op.index}" if op.index in anchors else None,
    )


def _event_row(event: Event, colours: Mapping[str, int]) -> Markup:
    again = f" ·{event.incarnation}" if event.incarnation else ""
    return element(
        "tr",
        element("td", shown.instant(event.time), class_="num"),
        element("td", shown.short(event.node, 40) + again),
        element("td", shown.short(event.event.replace("_", " "), 40)),
        element("td", shown.ballot(event.ballot), class_="num"),
        element("td", "" if event.slot is None else str(event.slot), class_="num"),
        element("td", "" if event.value is None else code(event.value, colours=colours)),
        element("td", _reports(event)),
        element("td", shown.short(" ".join(event.to), 60)),
        element("td", shown.short(event.message or "", 40), class_="id"),
        element("td", shown.short(event.cause or "", 40), class_="id"),
    )


def _reports(event: Event) -> str:
    """What a promise, a nack, a restart or a learner has to tell beside its value."""
    votes = ", ".join(f"voted {shown.ballot(b)}={shown.value(v, 40)}" for _, b, v in event.accepted[:8])
    promised = f"promised {shown.ballot(event.promised)}" if event.promised else ""
    how = shown.short(event.how or "", 40)
    members = f"members {shown.short(' '.join(event.members), 80)}" if event.members else ""
    detail = "" if event.detail is None else shown.value(event.detail, 80)
    return "; ".join(part for part in (promised, votes, how, members, detail) if part)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Markup], total: int) -> Markup:
    """A table without its empty columns, in a frame that scrolls by itself."""
    more = f" ({len(rows)} of {total:,})" if total > len(rows) else ""
    table = element(
        "table",
        element("caption", caption + more) if caption else None,
        element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
        element("tbody", *rows),
    )
    label = caption or "table"
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)


def _cell(what: Any) -> Markup:
    match what:
        case None:
            return element("td")
        case bool():
            return element("td", "yes" if what else "no")
        case int():
            return element("td", f"{what:,}", class_="num")
        case float():
            return element("td", f"{what:,.6g}", class_="num")
        case str():
            return element("td", shown.cut(what, 200))
        case list() if all(isinstance(inner, str) for inner in what):
            return element("td", shown.short(" ".join(what), 120))
        case _:
            return element("td", code(what))


def _term(name: object, inner: Any, depth: int) -> Markup:
    said = plain(inner, str(name), depth - 1) if isinstance(inner, Mapping | list | str) else _cell_text(inner)
    return element("div", element("dt", shown.short(str(name).replace("_", " "), 60)), element("dd", said))


def _cell_text(what: Any) -> Child:
    if isinstance(what, bool) or what is None:
        return {True: "yes", False: "no", None: "–"}[what]
    return f"{what:,}" if isinstance(what, int) else f"{what:,.6g}" if isinstance(what, float) else code(what)


def _some(items: Collection[tuple[object, Any]]) -> Iterator[tuple[object, Any]]:
    yield from list(items)[:ROWS]


def _is_said(what: Any) -> bool:
    return what is not None and what not in ("", [], {})
