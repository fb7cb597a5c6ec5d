"""The part of an anomaly that names the guilty node, as a checker attached it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from ostrakon.checkers.rules import statement
from ostrakon.harness.history import Event
from ostrakon.reports import data_tables, findings, tables, texts
from ostrakon.reports.markup import element

_SENTENCES = ("why", "story", "summary", "because")
_NOTHING: tuple[Any, ...] = (None, "", [], {})
_EVENTS = ("events", "story", "witness")


def tell(blame: Any, colours: Mapping[str, int]) -> Markup | None:
    """The blame in sentences, facts and a table of events; None if no node is blamed."""
    if not blame:
        return None
    return element("div", element("h4", "Who is to blame"), *_told(blame, colours), class_="blame")


def events(blame: Any) -> tuple[Event, ...]:
    """The trace events that a blame points to."""
    if not isinstance(blame, Mapping):
        return ()
    return next((found for name in _EVENTS if (found := findings.events(_bare(blame.get(name))))), ())


def _in_words(what: Any) -> Any:
    """A class or a property with its meaning beside it; anything else as it is."""
    meaning = statement(what) if isinstance(what, str) else ""
    return f"{what}: {meaning}" if meaning else what


def _bare(entries: Any) -> Any:
    """The events of a story, whose entries may say beside each which others it follows from."""
    if not isinstance(entries, list):
        return entries
    return [entry["event"] if _is_wrapped(entry) else entry for entry in entries]


def _is_wrapped(entry: Any) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("event"), Mapping)


def _told(blame: Any, colours: Mapping[str, int]) -> Iterator[Markup]:
    if not isinstance(blame, Mapping):
        yield (
            element("p", texts.sentence(blame, 2_000)) if isinstance(blame, str) else data_tables.plain(blame)
        )
        return
    for name in _SENTENCES:
        if isinstance(said := blame.get(name), str):
            yield element("p", texts.sentence(said, 2_000))
    told = {*_SENTENCES, *_EVENTS}
    facts = {
        name: _in_words(what) for name, what in blame.items() if name not in told and what not in _NOTHING
    }
    if facts:
        yield data_tables.plain(facts)
    if table := tables.folded(events(blame), "How it came about", colours):
        yield table
