"""Plain data of any shape as tables and lists of terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ostrakon.reports import texts
from ostrakon.reports.markup import element
from ostrakon.reports.tables import ROWS, Cell, code, table

_DEPTH, _COLUMNS, _FEW = 4, 24, 6


def plain(what: Any, caption: str = "", depth: int = _DEPTH) -> Markup:
    """Plain data of any shape: mappings of mappings as tables, mappings as lists of terms."""
    match what:
        case Mapping() if what and depth:
            if all(isinstance(inner, Mapping) and inner for inner in what.values()):
                named = [{"": name, **inner} for name, inner in what.items()]
                return records(named, caption)
            return element(
                "dl",
                *(_term(name, inner, depth) for name, inner in list(what.items())[:ROWS]),
                class_="facts",
            )
        case list() | tuple() if what and depth:
            if all(isinstance(inner, Mapping) for inner in what):
                return records(what, caption)
            if any(isinstance(inner, Mapping | list) for inner in what):
                return element("ul", *(element("li", plain(inner, "", depth - 1)) for inner in what[:ROWS]))
        case str():
            return element("span", texts.cut(what, 600), class_="text")
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
    return table(caption, titles, rows, len(entries))


def _cell(what: Any) -> Cell:
    match what:
        case None:
            return Cell("")
        case bool():
            return Cell("yes" if what else "no")
        case int():
            return Cell(texts.short(f"{what:,}", 40), "num")
        case float():
            return Cell(f"{what:,.6g}", "num")
        case str():
            return Cell(texts.cut(what, 200))
        case list() | tuple() if all(isinstance(inner, str) for inner in what):
            return Cell(texts.short(" ".join(what), 120))
        case _:
            return Cell(code(what))


def _term(name: object, inner: Any, depth: int) -> Markup:
    if isinstance(inner, Mapping) and 0 < len(inner) <= _FEW and all(map(_is_scalar, inner.values())):
        return element("div", element("dt", _title(name)), element("dd", _inline(inner)))
    nested = isinstance(inner, Mapping | str) or (isinstance(inner, list) and not _are_words(inner))
    said = plain(inner, str(name), depth - 1) if nested else _cell(inner).content or "–"
    return element("div", element("dt", _title(name)), element("dd", said))


def _title(name: object) -> str:
    return texts.short(str(name).replace("_", " "), 60)


def _inline(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{_title(name)} {_cell(what).content}" for name, what in facts.items())


def _is_scalar(what: Any) -> bool:
    return isinstance(what, bool | int | float) or (isinstance(what, str) and len(what) < 40)


def _are_words(what: Sequence[Any]) -> bool:
    return all(isinstance(inner, str) for inner in what)
