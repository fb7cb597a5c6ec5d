"""The shape of a trial: pairs of successive events at each node, and their numbers; no values and no times.

Two trials of one shape have tried much the same; a shape that nobody has seen is a sign that the search got
somewhere new (the edges and magnitudes by which fuzzers such as AFL know one execution from another).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ostrakon.harness.history import NEMESIS, Event, Op


class TransitionCount(NamedTuple):
    """A transition and the order of magnitude of its number."""

    transition: str
    """Two kinds of event, the second of which came next at the same node, and between them how its ballot
    compares: `promise_sent <nack_sent` is a refusal at a ballot below that of the promise."""
    magnitude: int
    """1 for once, 2 for two or three times, 3 for four to seven, and so on."""


class Windows(NamedTuple):
    """The operations of clients during faults of one kind."""

    faults: int = 0
    """The number of these faults."""
    quiet: int = 0
    """The number of these faults during which no operation began or ended."""
    ops: int = 0
    """The number of operations that began during these faults."""

    def plus(self, other: Windows) -> Windows:
        """The sum."""
        return Windows(self.faults + other.faults, self.quiet + other.quiet, self.ops + other.ops)


def transitions(trace: Iterable[Event]) -> dict[str, int]:
    """The number of each transition, in order of their names."""
    found: Counter[str] = Counter()
    last: dict[str, tuple[str, tuple[int, int] | None]] = {}
    for event in trace:
        before, ballot = last.get(event.node, ("", None))
        if before:
            found[f"{before} {_relation(ballot, event.ballot)}{event.event}"] += 1
        last[event.node] = event.event, event.ballot or ballot
    return dict(sorted(found.items()))


def shapes(transitions: Mapping[str, int]) -> Iterator[TransitionCount]:
    """The shapes of a trial with these transitions."""
    return (TransitionCount(transition, count.bit_length()) for transition, count in transitions.items())


def windows(history: Iterable[Op]) -> dict[str, Windows]:
    """The operations of clients during faults, by kind of fault."""
    found: dict[str, Windows] = {}
    opened: dict[int, tuple[str, int, int]] = {}
    begun = touched = 0
    for op in history:
        if op.process != NEMESIS:
            touched += 1
            begun += op.type == "invoke"
            continue
        for number in _opened_by(op):
            opened[number] = op.f.removeprefix("start-"), begun, touched
        for number in _closed_by(op, opened):
            kind, begun_before, touched_before = opened.pop(number)
            window = Windows(1, int(touched == touched_before), begun - begun_before)
            found[kind] = found.get(kind, Windows()).plus(window)
    return dict(sorted(found.items()))


def _relation(one: tuple[int, int] | None, other: tuple[int, int] | None) -> str:
    """The comparison of the second ballot with the first; empty if one of them is missing."""
    if one is None or other is None:
        return ""
    return "=" if other == one else "<" if other < one else ">"


def _opened_by(op: Op) -> list[int]:
    return [op.value["id"]] if op.f.startswith("start-") else []


def _closed_by(op: Op, opened: Mapping[int, object]) -> list[int]:
    if op.f == "heal":
        return list(opened)
    ended = op.f.startswith("stop-") and op.value["id"] in opened
    return [op.value["id"]] if ended else []
