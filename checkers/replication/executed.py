"""Exactly once: however often a command is sent and decided, it has one effect and one result (M4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ostrakon.checkers.replication.life import Life, Lives, detail_of, told, untested, verdict_of
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, Trace


def exactly_once(trace: Trace) -> Verdict:
    """M4: no life of a replica lets a command take effect in two slots, or twice in one; and a command that
    comes again is answered with what came of it when it took effect.

    Judges `applied` whose detail has `executed`: the [client, number] of each command of the slot that took
    effect. `results` has a hash of what came of each of these, and `repeated` the [client, number, hash] of
    those that were recognised as repeated and answered; both may be missing. That all replicas execute a
    command in the same slot is M3.
    """
    events = [
        event
        for event in told(trace, "applied", "restart")
        if event.event == "restart" or detail_of(event, "executed") is not None
    ]
    if all(event.event == "restart" for event in events):
        return untested("M4", "applied that tells what it executed")
    repeated = sum(len(detail_of(event, "repeated") or ()) for event in events)
    return verdict_of(_wrong(events), repeated=repeated)


def _wrong(events: list[Event]) -> Iterator[Anomaly]:
    lives = Lives()
    done: dict[tuple[Life, Key], Event] = {}
    first: dict[Key, _Result] = {}
    for event in events:
        life = lives.of(event)
        if event.event == "restart":
            continue
        yield from _twice(event, life, done)
        yield from _answered_anew(event, first)


def _twice(event: Event, life: Life, done: dict[tuple[Life, Key], Event]) -> Iterator[Anomaly]:
    for command in detail_of(event, "executed"):
        key = life, canonical(command)
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


_Result = tuple[Any, Event]
"""A hash of what came of a command, and the event that told so."""


def _answered_anew(event: Event, first: dict[Key, _Result]) -> Iterator[Anomaly]:
    results = detail_of(event, "results") or ()
    for command, result in zip(detail_of(event, "executed"), results, strict=False):
        first.setdefault(canonical(command), (result, event))
    for *command, result in detail_of(event, "repeated") or ():
        known = first.get(canonical(command))
        if known is None or known[0] == result:
            continue
        executed = known[1]
        yield Anomaly(
            "answered anew",
            f"{executed.node} executed {_name(command)} in slot {executed.slot}; when it came again in slot "
            f"{event.slot}, {event.node} had another result for it",
            (executed, event),
            property="M4",
            details={"slot": event.slot},
        )


def _name(command: Any) -> str:
    match command:
        case [client, int(number)]:
            return f"command {number} of {client}"
    return value_text(command)
