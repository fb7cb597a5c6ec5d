"""The witness: the ops and events of the first finding, around which the drawings of a run are made."""

from __future__ import annotations

from collections.abc import Sequence

from ostrakon.harness.history import Event, History, Op, Trace
from ostrakon.reports import blame, texts
from ostrakon.reports.findings import Finding

OPS = 12
"""The most client ops that are drawn beside messages."""

_COLOURS = 4


def ops(found: Sequence[Finding], history: History) -> list[Op]:
    """The ops of the first finding, each with its other half, in their order."""
    ends = {op.index: op for finding in found[:1] for op in finding.ops[:OPS]}
    for op in list(ends.values()):
        for other in (history.invocation(op), history.completion(op)):
            if other is not None:
                ends[other.index] = other
    return [ends[index] for index in sorted(ends)][:OPS]


def events(found: Sequence[Finding], ops: Sequence[Op], trace: Trace) -> tuple[Event, ...]:
    """The events of the first finding that has any, with those of its blame.

    Where the witness is of clients only, their last answer says when to look at what nodes had learned.
    """
    for finding in found:
        if told := (*finding.events, *blame.events(finding.blame)):
            return told
    last = ops[-1].time if ops else -1
    return tuple(event for event in trace if event.event == "learned" and event.time <= last)[-3:]


def colours(found: Sequence[Finding]) -> dict[str, int]:
    """A number for each of the values that contradict each other, by its JSON, if they are few."""
    values: dict[str, None] = {}
    for finding in found[:1]:
        seen: tuple[Op | Event, ...] = (*finding.ops, *finding.events, *blame.events(finding.blame))
        values.update(dict.fromkeys(texts.value(one.value, 400) for one in seen if one.value is not None))
    return {text: number for number, text in enumerate(values)} if 2 <= len(values) <= _COLOURS else {}
