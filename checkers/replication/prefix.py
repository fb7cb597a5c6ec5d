"""One log: what one replica has executed is a prefix of what another has (M1), without holes (M2)."""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.checkers.consensus.phrases import restart_text
from ostrakon.checkers.replication.life import Life, Lives, detail_of, told, untested, verdict_of
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, Trace


def prefix(trace: Trace) -> Verdict:
    """M1: any two replicas, in any of their lives, have executed the same in each slot that both executed.

    With M2 that makes the shorter of two logs a prefix of the other. Judges `applied` by slot and value.
    """
    events = told(trace, "applied", "restart")
    applied = sum(event.event == "applied" for event in events)
    return verdict_of(_forks(events), applied=applied) if applied else untested("M1", "applied")


def _forks(events: list[Event]) -> Iterator[Anomaly]:
    lives = Lives()
    first: dict[int, tuple[Key, Event, Life]] = {}
    for event in events:
        life = lives.of(event)
        if event.event == "restart":
            continue
        slot, key = event.slot or 0, canonical(event.value)
        known, earlier, its_life = first.setdefault(slot, (key, event, life))
        if known != key:
            restarts = max(now - then for now, then in zip(life[1:], its_life[1:], strict=True))
            restarts = restarts if event.node == earlier.node else 0
            yield Anomaly(
                "logs diverge",
                f"in slot {slot}, {earlier.node} executed {value_text(earlier.value)} and "
                f"{event.node}{restart_text(restarts)} {value_text(event.value)}",
                (earlier, event),
                property="M1",
                details={"slot": slot},
            )


def no_holes(trace: Trace, *, first: int = 1) -> Verdict:
    """M2: each life of a replica executes slots in order from `first` on, and leaves none out.

    It may begin, or go on, after the slot of a snapshot that it installed (`snapshot_installed`), or after
    the one up to which its `restart` found the state executed (`applied_upto` in its detail).
    """
    events = told(trace, "applied", "snapshot_installed", "restart")
    if not any(event.event == "applied" for event in events):
        return untested("M2", "applied")
    return verdict_of(_holes(events, first))


def _holes(events: list[Event], first: int) -> Iterator[Anomaly]:
    lives = Lives()
    last: dict[Life, Event] = {}
    due: dict[Life, int] = {}
    for event in events:
        life, slot = lives.of(event), event.slot or 0
        before = last.get(life)
        match event.event:
            case "restart":
                due[life] = first if (upto := detail_of(event, "applied_upto")) is None else upto + 1
                continue
            case "snapshot_installed":
                due[life] = max(due.get(life, first), slot + 1)
            case _:
                expected = due.get(life, first)
                due[life] = slot + 1
                if slot != expected:
                    yield Anomaly(
                        "slots out of order",
                        f"{event.node} executed slot {slot} when slot {expected} was next",
                        (event,) if before is None else (before, event),
                        property="M2",
                        details={"slot": slot},
                    )
        last[life] = event
