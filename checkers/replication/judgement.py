"""All that is to be said of a trial of a replicated log, beyond what is true of each slot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from ostrakon.checkers.consistency.sessions import sessions
from ostrakon.checkers.coordination.leases import node_leases
from ostrakon.checkers.linearizability import linearizable
from ostrakon.checkers.models.model import Model
from ostrakon.checkers.replication.compaction import compaction
from ostrakon.checkers.replication.durability import durability
from ostrakon.checkers.replication.executed import exactly_once
from ostrakon.checkers.replication.lease_reads import LEASED, lease_reads
from ostrakon.checkers.replication.life import detail_of
from ostrakon.checkers.replication.prefix import no_holes, prefix
from ostrakon.checkers.replication.recovery import converged
from ostrakon.checkers.replication.registry import registry
from ostrakon.checkers.replication.state import state
from ostrakon.checkers.verdict import Verdict, guarded
from ostrakon.harness.history import Event, History, Trace


def replication(
    history: History,
    trace: Trace,
    *,
    model: str | Model | None = None,
    reads: tuple[str, ...] = ("read", "get"),
    settled: bool = False,
    among: Collection[str] | None = None,
    required: Iterable[str] = ("M1", "M2"),
) -> dict[str, Verdict]:
    """M1 to M7, M9, M10, M11 and M13, by property, for `Verdict.compose`; M8 is among P1 to P11's.

    `model` is what clients' ops must be linearizable to (M6); `reads` are the ops that only look (M13);
    `settled` says that the trial went on without faults for long enough for replicas to converge (M11), or
    for those `among` them that were well. A
    property about something of which the trace says nothing is left out, unless it is `required`: then it
    is unknown.
    """
    kinds = {event.event for event in trace}
    details = {name for name in ("state_hash", "executed") if _tells(trace, name)}
    checks: dict[str, tuple[bool, Callable[[], Verdict]]] = {
        "M1": ("applied" in kinds, lambda: prefix(trace)),
        "M2": ("applied" in kinds, lambda: no_holes(trace)),
        "M3": ("state_hash" in details, lambda: state(trace)),
        "M4": ("executed" in details, lambda: exactly_once(trace)),
        "M5": ("restart" in kinds, lambda: durability(trace)),
        "M6": (model is not None, lambda: linearizable(history, model or "")),
        "M7": (
            not kinds.isdisjoint(("lease_acquired", *LEASED)),
            lambda: node_leases(trace, rule="M7") if kinds.isdisjoint(LEASED) else lease_reads(trace),
        ),
        "M9": ("compacted" in kinds, lambda: compaction(trace)),
        "M10": ("registry_assign" in kinds, lambda: registry(trace)),
        "M11": (settled, lambda: converged(trace, among=among)),
        "M13": (any(op.slot is not None for op in history), lambda: sessions(history, reads=reads)),
    }
    wanted = set(required)
    if strangers := sorted(wanted - checks.keys()):
        raise ValueError(f"{', '.join(strangers)}: not among the properties of a log, {', '.join(checks)}")
    return {name: guarded(name, check) for name, (has, check) in checks.items() if has or name in wanted}


def _tells(trace: Iterable[Event], name: str) -> bool:
    return any(detail_of(event, name) is not None for event in trace)
