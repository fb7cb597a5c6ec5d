"""Checkers: functions from a history (and sometimes a trace) to a verdict.

    from ostrakon import checkers

    verdict = checkers.set_full(history)

The names in `__all__` are public. Each is loaded when it is first used, because some take long to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ostrakon.checkers.collections.counter import counter as counter
    from ostrakon.checkers.collections.queues import queue as queue
    from ostrakon.checkers.collections.queues import total_queue as total_queue
    from ostrakon.checkers.collections.set_full import set_full as set_full
    from ostrakon.checkers.collections.sets import final_set as final_set
    from ostrakon.checkers.collections.unique_ids import unique_ids as unique_ids
    from ostrakon.checkers.consensus.agreement import agreement as agreement
    from ostrakon.checkers.consensus.agreement import integrity as integrity
    from ostrakon.checkers.consensus.agreement import validity as validity
    from ostrakon.checkers.consistency.bank import bank as bank
    from ostrakon.checkers.consistency.causal import causal as causal
    from ostrakon.checkers.consistency.causal_reverse import causal_reverse as causal_reverse
    from ostrakon.checkers.consistency.long_fork import long_fork as long_fork
    from ostrakon.checkers.consistency.sequential import sequential as sequential
    from ostrakon.checkers.consistency.sessions import monotonic_reads as monotonic_reads
    from ostrakon.checkers.consistency.sessions import sessions as sessions
    from ostrakon.checkers.coordination.fencing import fencing as fencing
    from ostrakon.checkers.coordination.leases import client_leases as client_leases
    from ostrakon.checkers.coordination.leases import node_leases as node_leases
    from ostrakon.checkers.keyed_histories import independent as independent
    from ostrakon.checkers.linearizability import linearizable as linearizable
    from ostrakon.checkers.run.availability import availability as availability
    from ostrakon.checkers.run.evidence import evidence as evidence
    from ostrakon.checkers.run.latency import latency as latency
    from ostrakon.checkers.run.rates import rates as rates
    from ostrakon.checkers.run.stats import stats as stats
    from ostrakon.checkers.transactions import list_append as list_append
    from ostrakon.checkers.transactions import rw_register as rw_register

_MODULES: Final = {
    "collections.counter": ("counter",),
    "collections.queues": ("queue", "total_queue"),
    "collections.set_full": ("set_full",),
    "collections.sets": ("final_set",),
    "collections.unique_ids": ("unique_ids",),
    "consensus.agreement": ("agreement", "integrity", "validity"),
    "consistency.bank": ("bank",),
    "consistency.causal": ("causal",),
    "consistency.causal_reverse": ("causal_reverse",),
    "consistency.long_fork": ("long_fork",),
    "consistency.sequential": ("sequential",),
    "consistency.sessions": ("monotonic_reads", "sessions"),
    "coordination.fencing": ("fencing",),
    "coordination.leases": ("client_leases", "node_leases"),
    "keyed_histories": ("independent",),
    "linearizability": ("linearizable",),
    "run.availability": ("availability",),
    "run.evidence": ("evidence",),
    "run.latency": ("latency",),
    "run.rates": ("rates",),
    "run.stats": ("stats",),
    "transactions": ("list_append", "rw_register"),
}
_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
