"""Find out whether a distributed system written in Python keeps its promises.

This module is the public face: what a chaos test or a checker's script needs is imported from here. Each
name is loaded when it is first used, so `import ostrakon` costs nothing.

    from ostrakon import Workload, linearizable, lines_to, models, reads_and_writes
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostrakon import checkers as checkers
    from ostrakon.checkers import linearizable as linearizable
    from ostrakon.checkers import models as models
    from ostrakon.checkers.collections.queues import total_queue as total_queue
    from ostrakon.checkers.coordination.leases import client_leases as client_leases
    from ostrakon.checkers.transactions import list_append as list_append
    from ostrakon.checkers.transactions import notation as notation
    from ostrakon.checkers.transactions import rw_register as rw_register
    from ostrakon.checkers.verdict import Anomaly as Anomaly
    from ostrakon.checkers.verdict import Verdict as Verdict
    from ostrakon.harness import faults as faults
    from ostrakon.harness import generator as generator
    from ostrakon.harness import strategies as strategies
    from ostrakon.harness.catalogue import find_workload as find_workload
    from ostrakon.harness.faults import Package as Package
    from ostrakon.harness.faults import Steady as Steady
    from ostrakon.harness.faults import fault_kinds as fault_kinds
    from ostrakon.harness.faults.target import latest as latest
    from ostrakon.harness.history import Event as Event
    from ostrakon.harness.history import History as History
    from ostrakon.harness.history import Op as Op
    from ostrakon.harness.history import Trace as Trace
    from ostrakon.harness.history import read_any as read_any
    from ostrakon.harness.hosts.system import Service as Service
    from ostrakon.harness.hosts.system import System as System
    from ostrakon.harness.hosts.system import SystemPackage as SystemPackage
    from ostrakon.harness.hosts.system import system_workload as system_workload
    from ostrakon.harness.hosts.topology import Host as Host
    from ostrakon.harness.lines import lines_to as lines_to
    from ostrakon.harness.lines import reads_and_writes as reads_and_writes
    from ostrakon.harness.note import note as note
    from ostrakon.harness.plan import BadPlan as BadPlan
    from ostrakon.harness.plan import Deviation as Deviation
    from ostrakon.harness.plan import Fault as Fault
    from ostrakon.harness.plan import Latency as Latency
    from ostrakon.harness.plan import Plan as Plan
    from ostrakon.harness.plan import PlannedOp as PlannedOp
    from ostrakon.harness.planning import plan_for as plan_for
    from ostrakon.harness.sim import NotSimulated as NotSimulated
    from ostrakon.harness.sim import World as World
    from ostrakon.harness.sim import check_determinism as check_determinism
    from ostrakon.harness.sim import sometimes as sometimes
    from ostrakon.harness.store import Store as Store
    from ostrakon.harness.trial import Trial as Trial
    from ostrakon.harness.trial import run as run
    from ostrakon.harness.workload import Client as Client
    from ostrakon.harness.workload import Monitor as Monitor
    from ostrakon.harness.workload import Refused as Refused
    from ostrakon.harness.workload import SeededBug as SeededBug
    from ostrakon.harness.workload import Site as Site
    from ostrakon.harness.workload import Unavailable as Unavailable
    from ostrakon.harness.workload import Workload as Workload

_MODULES = {
    "checkers": ("linearizable",),
    "checkers.collections.queues": ("total_queue",),
    "checkers.coordination.leases": ("client_leases",),
    "checkers.transactions": ("list_append", "rw_register"),
    "checkers.verdict": ("Anomaly", "Verdict"),
    "harness.history": ("Event", "History", "Op", "Trace", "read_any"),
    "harness.hosts.system": ("Service", "System", "SystemPackage", "system_workload"),
    "harness.hosts.topology": ("Host",),
    "harness.lines": ("lines_to", "reads_and_writes"),
    "harness.catalogue": ("find_workload",),
    "harness.faults": ("Package", "Steady", "fault_kinds"),
    "harness.faults.target": ("latest",),
    "harness.note": ("note",),
    "harness.plan": ("BadPlan", "Deviation", "Fault", "Latency", "Plan", "PlannedOp"),
    "harness.planning": ("plan_for",),
    "harness.sim": ("NotSimulated", "World", "check_determinism", "sometimes"),
    "harness.store": ("Store",),
    "harness.trial": ("Trial", "run"),
    "harness.workload": (
        "Client",
        "Monitor",
        "Refused",
        "SeededBug",
        "Site",
        "Unavailable",
        "Workload",
    ),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}
_SUBMODULES = {
    "checkers": "checkers",
    "faults": "harness.faults",
    "generator": "harness.generator",
    "models": "checkers.models",
    "notation": "checkers.transactions.notation",
    "strategies": "harness.strategies",
}

__all__ = sorted([*_HOMES, *_SUBMODULES])


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        found = import_module(f"{__name__}.{_SUBMODULES[name]}")
    elif name in _HOMES:
        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found  # The next use does not come here.
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
