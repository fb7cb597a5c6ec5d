"""HTML and SVG from data: every text and attribute is escaped here, because values are hostile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from ostrakon.reports.texts import visible

Child = str | Markup | None
Attribute = str | float | bool | None

_EMPTY = Markup()
_VOID = frozenset({"br", "col", "input"})


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture with its description."""

    svg: Markup
    summary: str
    """The contents of the picture in one or two sentences, for readers who do not see it."""
    note: str = ""
    """What was left out, and by which rule; empty when nothing was."""
    table: Markup = _EMPTY
    """The same as a table, where that can be read."""


def element(tag: str, *children: Child, **attributes: Attribute) -> Markup:
    """One element. `class_` becomes `class`, `stroke_width` becomes `stroke-width`.

    An attribute that is None or False is left out, one that is True has no value. A child that is plain
    text is escaped and made visible, one that is markup is taken as it is.
    """
    opening = Markup("").join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{opening}>")
    return Markup(f"<{tag}{opening}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Markup:
    """Several pieces, one after the other."""
    return _EMPTY.join(_escaped(child) for child in children if child is not None)


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def _escaped(child: str | Markup) -> Markup:
    return child if isinstance(child, Markup) else escape(visible(child))


def _attribute(name: str, value: Attribute) -> Markup:
    if value is None or value is False:
        return _EMPTY
    name = name.rstrip("_").replace("_", "-")
    if value is True:
        return Markup(f" {name}")
    text = value if isinstance(value, str) else number(value)
    return Markup(f' {name}="{escape(text)}"')
