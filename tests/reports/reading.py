"""Reading pages back: as a tree of elements, with what a browser would make of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from xml.etree import ElementTree

_VOID = frozenset({"meta", "br", "input", "col", "link", "img"})


@dataclass
class Page(HTMLParser):
    """What there is on a page."""

    source: str
    tags: Counter[str] = field(default_factory=Counter)
    ids: Counter[str] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    words: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        self.unbalanced += self._open

    @property
    def text(self) -> str:
        """What there is to read, in one line."""
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in _VOID:
            self._open.append(tag)
        if tag[0] == "h" and tag[1:].isdigit():
            self.headings.append(int(tag[1:]))
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids[value or ""] += 1
            if name in {"href", "src"}:
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            self.unbalanced.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"script", "style"}:
            self.words.append(data)


def svg(drawing: str) -> ElementTree.Element:
    """A drawing as XML; raises if it is none."""
    return ElementTree.fromstring(drawing)


def classed(drawing: str, name: str) -> list[ElementTree.Element]:
    """The elements of a drawing that have this class."""
    return [found for found in svg(drawing).iter() if name in (found.get("class") or "").split()]


def titles(drawing: str) -> list[str]:
    """What a drawing says to the pointer that rests on its parts."""
    return ["".join(found.itertext()) for found in svg(drawing).iter("title")]


def texts(drawing: str) -> list[str]:
    """What is written in a drawing."""
    return ["".join(found.itertext()) for found in svg(drawing).iter("text")]
