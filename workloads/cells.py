"""The matrix of faults of the replicated store: what can happen to each message, write, timer and change.

The cells of messages are a kind of message, what becomes of it, and what its sender is when it arrives. Those
of writes are a file, when power fails, and whose power fails. Those of timers are a timer and how it
fires. Those of changes are a change of a replica's state and what happens right after it. Each cell's plan
arranges the combination by events; `ostrakon cells` says which ones are reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from ostrakon.harness.cell import Cell
from ostrakon.harness.plan import Fault, Latency, Plan
from ostrakon.workloads.vocabulary import OF_REPLICAS

_FROM_MS, _UNTIL_MS = 300, 1700
"""When faults may begin, and when all are over."""
_LEASE_MS, _TERM_MS = 300, 700
"""Longer than a lease, and longer than it takes to elect another leader."""
_PLAN = Plan(
    workload="register",
    seed=1,
    nodes=3,
    concurrency=6,
    rate=100.0,
    time_limit_s=2.0,
    latency=Latency("uniform", 1.0, 10.0),
    options={"slots_per_snapshot": 4},
)
_BUSY = replace(_PLAN, rate=300.0, concurrency=9)
_OF_MEMBERS = replace(_PLAN, workload="membership", nodes=5, rate=60.0)

_FATES: Mapping[str, Mapping[str, Any]] = {
    "lost": {"kind": "drop"},
    "doubled": {"kind": "duplicate", "ms": 30.0},
    "overtaken": {"kind": "reorder", "ms": 40.0},
    "late by a term": {"kind": "reorder", "ms": float(_TERM_MS)},
    "late by a lease": {"kind": "reorder", "ms": float(_LEASE_MS)},
    "late by a restart": {"kind": "reorder", "ms": 250.0},
}
_SENDERS = ("still leads", "is deposed", "may be removed", "is restarted")
_SENT_BY = {
    "Prepare": "prepare_sent",
    "Promise": "promise_sent",
    "Propose": "propose_sent",
    "Accepted": "accept_sent",
    "Nack": "nack_sent",
    "Commit": "commit_sent",
    "Ask": "ask_sent",
    "Tell": "tell_sent",
    "Offer": "offer_sent",
    "Fetch": "fetch_sent",
    "Chunk": "chunk_sent",
}
"""The event that a node reports when it sends a message; heartbeats' answers and pre-votes have none."""
_OF_ELECTIONS = ("Prepare", "Promise", "Canvass", "Support", "Nack")
_OF_LAGGARDS = ("Ask", "Tell", "Offer", "Fetch", "Chunk")
_FILES = {"a vote or promise": "replica.0", "a snapshot": "replica.snapshot"}
_CHANGES = {
    "the log is cut": "compacted",
    "a snapshot is durable": "snapshot_taken",
    "a snapshot is installed": "snapshot_installed",
    "members are in force": "config_active",
}


def store_cells(workload: str) -> Mapping[str, Cell]:
    """The cells of the store by name, as far as they are for a workload; those that cannot be are listed for
    `register`.
    """
    every = (*_of_messages(), *_of_writes(), *_of_timers(), *_of_changes())
    return {name: cell for name, cell in every if (cell.plan or _PLAN).workload == workload}


def _waiting(when: str, lasts_ms: int, **fields: Any) -> Fault:
    return Fault(at_ms=_FROM_MS, for_ms=_UNTIL_MS - _FROM_MS, when=when, lasts_ms=lasts_ms, **fields)


def _with(plan: Plan, *faults: Fault) -> Plan:
    return replace(plan, faults=faults)


def _of_messages() -> Iterator[tuple[str, Cell]]:
    for kind in OF_REPLICAS.kinds:
        for fate, fields in _FATES.items():
            for sender in _SENDERS:
                name = f"{kind} {fate}, sender {sender}"
                yield name, _of_message(kind, fate, fields, sender)


def _of_message(kind: str, fate: str, fields: Mapping[str, Any], sender: str) -> Cell:
    about = f"a {kind} is {fate}, and its sender {sender} by then"
    by = _SENT_BY.get(kind)
    if sender == "still leads" and fate == "late by a term":
        return Cell(about=about, impossible="a leader of an earlier term leads no more")
    if sender in ("may be removed", "is restarted") and by is None:
        return Cell(
            about=about, impossible=f"no event says who sent a {kind}, so its sender cannot be struck"
        )
    plan = _OF_MEMBERS if sender == "may be removed" else _PLAN
    faults = list(_causes(kind))
    faults.append(
        Fault(
            at_ms=_FROM_MS,
            for_ms=_UNTIL_MS - _FROM_MS,
            probability=1.0,
            message=kind,
            most=2,
            **fields,
        )
    )
    if fate == "late by a restart":
        faults.append(Fault("kill", _FROM_MS + 100, 60, target="followers"))
    match sender:
        case "is deposed":
            faults.append(Fault("partition", _FROM_MS + 20, _TERM_MS, target="leader"))
        case "is restarted":
            assert by is not None
            faults.append(_waiting(by, 60, kind="kill"))
    leaders = 2 if sender == "is deposed" or fate == "late by a term" else 1
    if fate == "late by a term" and sender != "is deposed":
        faults.append(Fault("partition", _FROM_MS + 40, _TERM_MS - 200, target="leader"))
    return Cell(about=about, plan=_with(plan, *faults), leaders=leaders)


def _causes(kind: str) -> Iterator[Fault]:
    """What makes nodes send a kind of message that they do not send all the time."""
    if kind in _OF_ELECTIONS:
        yield Fault("pause", _FROM_MS + 10, 500, target="leader")
    if kind in _OF_LAGGARDS:
        yield Fault("partition", 200, 400, grudge={"n3": ("n1", "n2"), "n1": ("n3",), "n2": ("n3",)})


def _of_writes() -> Iterator[tuple[str, Cell]]:
    for what, file in _FILES.items():
        for role in ("leader", "followers"):
            for moment, options in {
                "before the write": {"operation": "write", "file": file},
                "between write and sync": {"file": file},
            }.items():
                about = f"power fails {moment} of {what}, at the {role}"
                crash = Fault("crash_at_sync", _FROM_MS, 200, target=role, after=1, options=options)
                if file == "replica.snapshot" and moment == "between write and sync":
                    why = "a snapshot is written and synced under another name, and takes its place at once"
                    yield f"{what}: {moment}, {role}", Cell(about=about, impossible=why)
                    continue
                yield f"{what}: {moment}, {role}", Cell(about=about, plan=_with(_PLAN, crash))
            after = "snapshot_taken" if file == "replica.snapshot" else "persisted"
            about = f"power fails right after {what} is durable, at the {role}"
            crash = _waiting(after, 60, kind="power_loss", target=role)
            yield f"{what}: after the sync, {role}", Cell(about=about, plan=_with(_PLAN, crash))
        everybody = _waiting("accept_sent", 60, kind="power_loss", nodes=_PLAN.names, passed=10)
        about = f"all lose power while {what} is written somewhere"
        slow = Fault("slow_disk", _FROM_MS, 900, nodes=_PLAN.names, ms=30.0)
        yield f"{what}: of all", Cell(about=about, plan=_with(_PLAN, slow, everybody))


def _of_timers() -> Iterator[tuple[str, Cell]]:
    for timer, whom in {"election": "followers", "heartbeat": "leader", "lease": "leader"}.items():
        for how, rate in {"early": 1.28, "late": 0.72}.items():
            skew = Fault("clock_skew", _FROM_MS, 1200, target=whom, rate=rate)
            cell = Cell(about=f"the {timer} timer fires {how}", plan=_with(_PLAN, skew))
            yield f"{timer} timer {how}", cell
        late = Fault("suspend", _FROM_MS + 100, _TERM_MS, target="leader")
        about = f"the {timer} timer fires when another node leads"
        yield f"{timer} timer in a later term", Cell(about=about, plan=_with(_PLAN, late), leaders=2)
        cut_off = Fault("partition", _FROM_MS + 110, _TERM_MS + 200, target="leader")
        about = f"the {timer} timer fires when another node leads, of which its own node cannot hear"
        cell = Cell(
            about=about, plan=_with(_BUSY, replace(late, kind="pause", for_ms=_LEASE_MS), cut_off), leaders=2
        )
        yield f"{timer} timer in a later term, cut off", cell


def _of_changes() -> Iterator[tuple[str, Cell]]:
    for change, event in _CHANGES.items():
        plan = _OF_MEMBERS if event == "config_active" else _PLAN
        laggard = tuple(_causes("Offer")) if event == "snapshot_installed" else ()
        for what, fault in {
            "crash": _waiting(event, 60, kind="kill", passed=1),
            "power loss": _waiting(event, 60, kind="power_loss", passed=1),
            "change of leader": _waiting(event, _TERM_MS, kind="partition", target="leader"),
            "partition": _waiting(event, 400, kind="partition"),
        }.items():
            if laggard:
                fault = replace(fault, passed=0)
            about = f"{change}, and right after that there is a {what}"
            leaders = 2 if what == "change of leader" else 1
            cell = Cell(about=about, plan=_with(plan, *laggard, fault), events=(event,), leaders=leaders)
            yield f"{change}: {what}", cell
    yield from _of_promises()


def _of_promises() -> Iterator[tuple[str, Cell]]:
    """A promise that no vote follows, because the candidate is gone, and then restarts.

    The promise alone must keep an older leader out. With a snapshot after each slot, the segment of the log
    that held the promise is dropped.
    """
    plan = replace(_PLAN, options={"slots_per_snapshot": 1, "lease_ms": 0}, rate=200.0)
    gone = _waiting("prepare_sent", 500, kind="kill")
    away = Fault("pause", _FROM_MS, 350, target="leader")
    at_once = (_waiting("promise_sent", 40, kind="kill"),)
    later = tuple(
        Fault("kill", _FROM_MS + at_ms, 40, nodes=(name,))
        for at_ms, name in zip((500, 560, 620), plan.names, strict=True)
    )
    for what, restarts in {"at once": at_once, "when a snapshot has followed": later}.items():
        about = f"a candidate is gone when it is promised its ballot, and who promised restarts {what}"
        cell = Cell(about=about, plan=_with(plan, away, gone, *restarts))
        yield f"a promise without a vote: restart {what}", cell
