"""Anomalies prepared for the page: the first of each kind in full, with operations and events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ostrakon.harness.history import History, Op
from ostrakon.reports import blame, cycle, data_tables, tables, texts
from ostrakon.reports.findings import Finding
from ostrakon.reports.markup import Drawing


@dataclass(frozen=True, slots=True)
class AnomalySection:
    """A finding, ready to be read, and the others of its kind."""

    finding: Finding
    alike: Sequence[Finding]
    ops: Markup | None
    events: Markup | None
    blame: Markup | None
    cycle: Drawing | None
    details: Markup | None


def tell(
    by_kind: Sequence[Sequence[Finding]], history: History, colours: Mapping[str, int]
) -> Iterator[AnomalySection]:
    """Prepare the first finding of each kind. Only one row of the page is the target of links to an op."""
    anchored: set[int] = set()
    blamed: list[Any] = []
    for number, (finding, *alike) in enumerate(by_kind):
        # The same story may hang on several anomalies; it is told with the first.
        story = None if finding.blame in blamed else finding.blame
        blamed.append(finding.blame)
        new = {op.index for op in finding.ops} - anchored
        anchored |= new
        drawn = cycle.draw(finding.details, name=f"cycle-{number}")
        yield AnomalySection(
            finding=finding,
            alike=alike,
            ops=_operations(finding.ops, history, colours, new),
            events=tables.folded(finding.events, "Events that show it", colours),
            blame=blame.tell(story, colours),
            cycle=drawn,
            details=_details(finding.details, cycle.TOLD if drawn is not None else ()),
        )


def _operations(
    ops: Sequence[Op], history: History, colours: Mapping[str, int], anchors: set[int]
) -> Markup | None:
    """The operations that some ops of a history are halves of, one a row."""
    found: dict[int, tuple[Op, Op | None]] = {}
    for op in ops:
        begun = op if op.type == "invoke" else history.invocation(op) or op
        done = history.completion(begun) if begun.type == "invoke" else op
        found[begun.index] = begun, done
    if not found:
        return None
    is_timed = texts.has_times(history)
    caption = "Operations that show it"
    return tables.pairs(list(found.values()), caption, is_timed=is_timed, colours=colours, anchors=anchors)


def _details(details: Mapping[str, Any], told: Sequence[str]) -> Markup | None:
    rest = {name: what for name, what in details.items() if name not in told}
    return data_tables.plain(rest) if rest else None
