"""One state: who has executed the same has the same state (M3)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

from ostrakon.checkers.replication.life import Life, Lives, detail_of, told, untested, verdict_of
from ostrakon.checkers.value import canonical
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


_Log = bytes
"""Stands for all that was executed up to some slot."""


def _strays(events: list[Event]) -> Iterator[Anomaly]:
    lives = Lives()
    logs: dict[Life, _Log] = {}
    reached: dict[int, _Log] = {}
    """By slot, the first log that got there, for those who come to it by a snapshot."""
    first: dict[_Log, Event] = {}
    for event in events:
        life, slot = lives.of(event), event.slot or 0
        match event.event:
            case "restart":
                upto = detail_of(event, "applied_upto")
                logs[life] = reached.get(upto, b"") if upto is not None else b""
                continue
            case "snapshot_installed":
                log = reached.setdefault(slot, _longer(b"", slot, event))
            case _:
                log = _longer(logs.get(life, b""), slot, event)
                reached.setdefault(slot, log)
        logs[life] = log
        hash_ = detail_of(event, "state_hash")
        if hash_ is None:
            continue
        earlier = first.setdefault(log, event)
        if detail_of(earlier, "state_hash") != hash_:
            yield Anomaly(
                "states diverge",
                f"{earlier.node} and {event.node} executed the same log up to slot {slot} and are not in the "
                f"same state: something besides the log had a part in it",
                (earlier, event),
                property="M3",
                details={"slot": slot},
            )


def _longer(log: _Log, slot: int, event: Event) -> _Log:
    key = canonical(event.value)
    return blake2b(log + f"{slot} {type(key).__name__} {key!r}".encode(), digest_size=16).digest()
