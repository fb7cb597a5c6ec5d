"""Exactly once: however often a command is sent, proposed and decided, it has its effect once (M4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from checkers.replication.life import Life, detail_of, life_of, told, untested, verdict_of
from checkers.value import Key, canonical, value_text
from checkers.verdict import Anomaly, Verdict
from harness.history import Event, Trace


def exactly_once(trace: Trace) -> Verdict:
    """M4: no life of a replica lets a command take effect in two slots, or twice in one.

    Judges `applied` whose detail has `executed`: the [client, number] of each command of the slot that took
    effect, without those that were recognised as repeated. That all replicas do so in the same slots is M3.
    """
    events = [event for event in told(trace, "applied") if detail_of(event, "executed") is not None]
    return verdict_of(_twice(events)) if events else untested("M4", "applied that tells what it executed")


def _twice(events: list[Event]) -> Iterator[Anomaly]:
    done: dict[tuple[Life, Key], Event] = {}
    for event in events:
        for command in detail_of(event, "executed"):
            key = life_of(event), canonical(command)
            earlier = done.get(key)
            done.setdefault(key, event)
            if earlier is not None:
                yield Anomaly(
                    "executed twice",
                    f"{event.node} executed {_name(command)} in slot {earlier.slot} and again in slot "
                    f"{event.slot}",
                    (earlier, event),
                    property="M4",
                    details={"slot": event.slot},
                )


def _name(command: Any) -> str:
    match command:
        case [client, int(number)]:
            return f"command {number} of {client}"
    return value_text(command)
