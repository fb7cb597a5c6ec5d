"""One state: who has executed the same has the same state (M3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from ostrakon.checkers.replication.life import Life, Lives, detail_of, told, untested, verdict_of
from ostrakon.checkers.value import canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, Trace


def state(trace: Trace) -> Verdict:
    """M3: replicas that have executed the same log up to a slot have the same `state_hash` there.

    Judges `applied` and `snapshot_installed` whose detail has a `state_hash`, which may be told every so
    often only. Logs that are not the same are left to M1.
    """
    events = told(trace, "applied", "snapshot_installed", "restart")
    hashed = sum(detail_of(event, "state_hash") is not None for event in events)
    return verdict_of(_strays(events), hashes=hashed) if hashed else untested("M3", "state_hash")


@dataclass(frozen=True, slots=True)
class _Hashed:
    """An event with a hash of the state, and what its replica executed since the hash before it."""

    event: Event
    since: tuple[Event, ...]


def _parted(one: _Hashed, other: _Hashed) -> tuple[str, dict[str, Any]]:
    """Where two states parted, as far as the hashes and the results of commands tell: as part of a sentence,
    and as details."""
    by_slot = {event.slot: event for event in other.since}
    both = [(event, by_slot[event.slot]) for event in one.since if event.slot in by_slot]
    for left, right in both:
        did = [(detail_of(event, "executed"), detail_of(event, "results")) for event in (left, right)]
        if did[0] != did[1]:
            results = {
                event.node: list(what[1] or ()) for event, what in zip((left, right), did, strict=True)
            }
            what = (
                f"slot {left.slot}, {value_text(left.value)}, is the first in which they did not do the same"
            )
            return what, {"parted": left.slot, "operation": left.value, "results": results}
    slots = [left.slot for left, _ in both]
    if not slots:
        return "what parted them was not told", {}
    told = ", ".join(f"{left.slot}: {value_text(left.value)}" for left, _ in both[:_MOST_OPERATIONS])
    between = f"slot {slots[0]}" if len(slots) == 1 else f"one of the slots {slots[0]} to {slots[-1]}"
    return f"{between} parted them ({told})", {"parted": slots, "operation": [left.value for left, _ in both]}


_MOST_OPERATIONS = 8
_Log = bytes
"""Stands for all that was executed up to some slot."""


def _strays(events: list[Event]) -> Iterator[Anomaly]:
    lives = Lives()
    logs: dict[Life, _Log] = {}
    reached: dict[int, _Log] = {}
    """By slot, the first log that got there, for those who come to it by a snapshot."""
    first: dict[_Log, _Hashed] = {}
    since: dict[Life, tuple[Event, ...]] = {}
    for event in events:
        life, slot = lives.of(event), event.slot or 0
        match event.event:
            case "restart":
                upto = detail_of(event, "applied_upto")
                logs[life] = reached.get(upto, b"") if upto is not None else b""
                since[life] = ()
                continue
            case "snapshot_installed":
                log = reached.setdefault(slot, _longer(b"", slot, event))
                since[life] = ()
            case _:
                log = _longer(logs.get(life, b""), slot, event)
                reached.setdefault(slot, log)
                since[life] = (*since.get(life, ()), event)
        logs[life] = log
        hash_ = detail_of(event, "state_hash")
        if hash_ is None:
            continue
        hashed = _Hashed(event, since.get(life, ()))
        since[life] = ()
        known = first.setdefault(log, hashed)
        earlier = known.event
        if detail_of(earlier, "state_hash") != hash_:
            how, details = _parted(known, hashed)
            yield Anomaly(
                "states diverge",
                f"{earlier.node} and {event.node} executed the same log up to slot {slot} and are not in the "
                f"same state: something besides the log had a part in it; {how}",
                (earlier, event),
                property="M3",
                details={"slot": slot, **details},
            )


def _longer(log: _Log, slot: int, event: Event) -> _Log:
    key = canonical(event.value)
    return blake2b(log + f"{slot} {type(key).__name__} {key!r}".encode(), digest_size=16).digest()
