"""The time and the victims of each fault, from the ops of the nemesis, else from the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from ostrakon.harness.faults.registry import find_kind
from ostrakon.harness.history import History, Op
from ostrakon.reports import texts


@dataclass(frozen=True, slots=True)
class Band:
    """One fault, from its beginning to its end."""

    kind: str
    start: int
    """Nanoseconds since the trial's start."""
    end: int | None
    """None if no end was recorded."""
    whom: str = ""
    """The nodes or links that it was aimed at, in words."""
    nodes: tuple[str, ...] = ()
    """The nodes it stopped, for faults of machines."""
    number: int | None = None
    """Its place among the faults of the plan; None if the nemesis does not say."""

    @property
    def label(self) -> str:
        """The kind and the victims."""
        name = self.kind.replace("_", " ")
        return f"{name}: {self.whom}" if self.whom else name


def bands(history: History, plan: Mapping[str, Any]) -> tuple[Band, ...]:
    """All faults of a run in the order in which they began."""
    recorded = tuple(sorted(_recorded(history.nemesis), key=lambda band: band.start))
    return recorded or tuple(sorted(_planned(plan), key=lambda band: band.start))


def kinds(of: Iterable[Band]) -> list[str]:
    """The kinds of fault there are, each once, by name."""
    return sorted({band.kind for band in of})


def rows(of: Sequence[Band], last: int) -> list[tuple[int, Band]]:
    """A row for each band so that no two on one row overlap, taking the topmost that is free."""
    free_from: list[int] = []
    placed: list[tuple[int, Band]] = []
    for band in of:
        row = next((n for n, free in enumerate(free_from) if free <= band.start), len(free_from))
        if row == len(free_from):
            free_from.append(0)
        free_from[row] = last if band.end is None else band.end
        placed.append((row, band))
    return placed


def _recorded(ops: Iterable[Op]) -> Iterator[Band]:
    """`start-x` begins a fault, `stop-x` ends the one that has its id, else its aim; `heal` ends all.

    A nemesis tells of everything twice, before and after it does it: a fault begins when it is first
    heard of and ends when it is first said to.
    """
    open_: dict[str, Band] = {}
    ended: set[str] = set()
    for op in ops:
        verb, _, kind = op.f.partition("-")
        name = f"{kind} {_identity(op.value)}"
        if verb == "start" and kind:
            begun = replace(_begun(kind, op.time, _fault_in(op.value)), number=_number(op.value))
            if name not in open_:
                open_[name] = begun
                ended.discard(name)
            else:  # Whom it struck may have been found out only when it began.
                open_[name] = replace(open_[name], whom=begun.whom, nodes=begun.nodes)
        elif verb == "stop" and kind and name not in ended:
            # A foreign nemesis may end a fault without saying which one of its kind.
            known = name if name in open_ else next((n for n in open_ if open_[n].kind == kind), None)
            if known is not None:
                yield replace(open_.pop(known), end=op.time)
                ended.add(name)
        elif op.f == "heal":
            yield from (replace(band, end=op.time) for band in open_.values())
            open_.clear()
    yield from open_.values()


def _number(value: Any) -> int | None:
    number = value.get("id") if isinstance(value, Mapping) else None
    return number if isinstance(number, int) else None


def _identity(value: Any) -> str:
    if isinstance(value, Mapping) and "id" in value:
        return f"#{texts.value(value['id'])}"
    return texts.value(_fault_in(value), 400)


def _planned(plan: Mapping[str, Any]) -> Iterator[Band]:
    faults = plan.get("faults")
    for fault in faults if isinstance(faults, list) else ():
        if isinstance(fault, Mapping) and _is_time(at_ms := fault.get("at_ms")):
            length = fault.get("for_ms")
            end = (at_ms + length) * 1_000_000 if _is_time(length) else None
            yield replace(_begun(str(fault.get("kind", "fault")), at_ms * 1_000_000, fault), end=end)


def _is_time(ms: Any) -> TypeGuard[int]:
    """Whether it is a number of milliseconds that a run could last."""
    return isinstance(ms, int) and 0 <= ms < 10**12


def _begun(kind: str, time: int, fault: Mapping[str, Any]) -> Band:
    known = find_kind(kind)
    # A node that is down throughout does nothing, so the band lies on its lane.
    is_down = known is not None and known.downtime == "throughout"
    nodes = _names(fault.get("nodes")) if is_down else ()
    return Band(texts.short(kind, 40), time, None, whom(fault), nodes)


def _fault_in(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        return {"nodes": value} if isinstance(value, list) else {}
    inner = value.get("fault")
    return inner if isinstance(inner, Mapping) else value


def whom(fault: Mapping[str, Any], limit: int = 90) -> str:
    """The aim of a fault in few words: its nodes, the sides of a partition, or its links."""
    grudge, links, nodes = fault.get("grudge"), fault.get("links"), _names(fault.get("nodes"))
    words = (fault.get(field) for field in ("target", "shape", "message"))
    parts = [texts.short(word, 40) for word in words if isinstance(word, str) and word]
    if isinstance(grudge, Mapping) and grudge:
        parts.append(_sides({str(receiver): _names(senders) for receiver, senders in grudge.items()}))
    elif nodes:
        parts.append(" ".join(nodes))
    elif isinstance(links, list) and links and not parts:
        pairs = [f"{link[0]}→{link[1]}" for link in links if isinstance(link, list) and len(link) == 2]
        parts.append(texts.short(" ".join(pairs), min(limit, 200)))
    return texts.short(" ".join(parts), limit)


def _sides(grudge: Mapping[str, tuple[str, ...]]) -> str:
    """The sides of a partition; if it has none, each node with the nodes that it does not hear."""
    names = sorted({*grudge, *(sender for senders in grudge.values() for sender in senders)})
    sides: dict[str, tuple[str, ...]] = {}
    for name in names:
        sides[name] = tuple(other for other in names if other not in grudge.get(name, ()))
    if all(sides[other] == side for side in sides.values() for other in side):
        return " | ".join(" ".join(side) for side in dict.fromkeys(sides.values()))
    deaf = [f"{name} does not hear {' '.join(sorted(grudge[name]))}" for name in names if grudge.get(name)]
    return "; ".join(deaf)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(texts.short(str(name), 24) for name in value) if isinstance(value, list | tuple) else ()
