"""A cycle of transactions as a drawing: each must come before the next, and the last before the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ostrakon.harness.history.plural import count
from ostrakon.reports import texts
from ostrakon.reports.event_text import is_transaction, steps
from ostrakon.reports.markup import Drawing, element

LIMIT = 14
"""Transactions that are drawn at most; a longer cycle is told by its text alone."""

TOLD = ("transactions", "cycle", "story")
"""The details of an anomaly that the drawing tells."""

_WIDTH, _LEFT, _TOP, _BOX, _GAP = 1100, 62, 8, 40, 34
_LETTER = 6.7
_KINDS = frozenset({"ww", "wr", "rw"})


@dataclass(frozen=True, slots=True)
class Edge:
    """One transaction must come before another, and why."""

    earlier: str
    later: str
    kind: str
    why: str


def draw(details: Mapping[str, Any], *, name: str = "cycle") -> Drawing | None:
    """The cycle in an anomaly's details; None if there is none, or one too long to be drawn.

    `cycle` is a list of edges (from, to, kind, why), `transactions` tells of each by its label (op,
    process, value). `name` tells this drawing from others of the page.
    """
    edges = _edges(details.get("cycle"))
    members = details.get("transactions")
    if not edges or len(edges) > LIMIT or not isinstance(members, Mapping):
        return None
    svg = element(
        "svg",
        element("title", "The cycle of transactions"),
        element("defs", _arrow_head(name)),
        *(_box(at, edge.earlier, members.get(edge.earlier)) for at, edge in enumerate(edges)),
        *(_step(at, edge, name) for at, edge in enumerate(edges[:-1])),
        _way_back(len(edges) - 1, edges[-1], name),
        class_="cycle",
        viewBox=f"0 0 {_WIDTH} {_top(len(edges)) + 4}",
        width=_WIDTH,
        height=_top(len(edges)) + 4,
        role="img",
        aria_label=_summary(edges),
    )
    return Drawing(svg, _summary(edges))


def _edges(cycle: Any) -> list[Edge]:
    """The edges of a cycle that hangs together; none if it does not."""
    if not isinstance(cycle, list) or not all(isinstance(edge, Mapping) for edge in cycle):
        return []
    edges = [Edge(*(str(edge.get(name) or "") for name in ("from", "to", "kind", "why"))) for edge in cycle]
    successors = [*edges[1:], *edges[:1]]
    closed = all(edge.later == after.earlier for edge, after in zip(edges, successors, strict=True))
    return edges if closed else []


def _top(at: int) -> float:
    return _TOP + at * (_BOX + _GAP)


def _arrow_head(name: str) -> Markup:
    return element(
        "marker",
        element("path", d="M0 0L8 3.5L0 7z", class_="tip"),
        id=f"{name}-tip",
        markerWidth=8,
        markerHeight=7,
        refX=8,
        refY=3.5,
        orient="auto",
        markerUnits="userSpaceOnUse",
    )


def _box(at: int, label: str, member: Any) -> Markup:
    told = member if isinstance(member, Mapping) else {}
    who = " ".join(f"{name} {texts.value(told[name], 20)}" for name in ("op", "process") if name in told)
    room = int((_WIDTH - _LEFT - 24) / _LETTER)
    return element(
        "g",
        element("title", f"{label}, {who}: {texts.value(told.get('value'), 2_000)}"),
        element("rect", x=_LEFT, y=_top(at), width=_WIDTH - _LEFT - 4, height=_BOX, rx=4),
        element("text", f"{texts.short(label, 20)}   {who}", x=_LEFT + 10, y=_top(at) + 16, class_="who"),
        element("text", texts.short(_in_steps(told.get("value")), room), x=_LEFT + 10, y=_top(at) + 32),
        class_="transaction",
    )


def _in_steps(value: Any) -> str:
    return steps(value, is_done=True) if is_transaction(value) else texts.value(value, 400)


def _step(at: int, edge: Edge, name: str) -> Markup:
    x, y = _LEFT + 30, _top(at) + _BOX
    return element(
        "g",
        element("line", x1=x, x2=x, y1=y, y2=y + _GAP - 1, marker_end=f"url(#{name}-tip)"),
        *_reason(edge, x + 12, y + _GAP / 2 + 4),
        class_=f"edge {_style(edge)}",
    )


def _way_back(last: int, edge: Edge, name: str) -> Markup:
    low, high, x = _top(last) + _BOX, _top(0) + _BOX / 2, _LEFT + 30
    corner = f"M{x} {low}v14H18V{high:.0f}H{_LEFT - 1}"
    return element(
        "g",
        element("path", d=corner, marker_end=f"url(#{name}-tip)"),
        *_reason(edge, x + 12, low + 18),
        class_=f"edge back {_style(edge)}",
    )


def _reason(edge: Edge, x: float, y: float) -> Iterator[Markup]:
    room = int((_WIDTH - x - 60) / _LETTER)
    yield element("title", f"{edge.earlier} before {edge.later}: {edge.why}")
    yield element("text", texts.short(edge.kind, 12), x=x, y=y, class_="kind")
    yield element("text", texts.short(edge.why, room), x=x + 70, y=y)


def _style(edge: Edge) -> str:
    return f"edge-{edge.kind}" if edge.kind in _KINDS else "edge-order"


def _summary(edges: Sequence[Edge]) -> str:
    steps = ", ".join(f"{texts.short(edge.earlier, 20)} {texts.short(edge.kind, 12)}" for edge in edges)
    return f"A cycle of {count(len(edges), 'transaction')}: {steps}, and back to the first."
