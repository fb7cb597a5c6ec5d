"""The deterministic simulator: real Trio programs on virtual time, a simulated network, disks and clocks.

Start at `World`. Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostrakon.harness.sim.buggify import sometimes as sometimes
    from ostrakon.harness.sim.clock import Clock as Clock
    from ostrakon.harness.sim.disk import SimDisk as SimDisk
    from ostrakon.harness.sim.disk_fault import Budget as Budget
    from ostrakon.harness.sim.disk_fault import DiskFault as DiskFault
    from ostrakon.harness.sim.errors import NotSimulated as NotSimulated
    from ostrakon.harness.sim.errors import SimulationError as SimulationError
    from ostrakon.harness.sim.errors import UnsupportedTrio as UnsupportedTrio
    from ostrakon.harness.sim.framing import Framing as Framing
    from ostrakon.harness.sim.framing import LengthPrefixed as LengthPrefixed
    from ostrakon.harness.sim.framing import Lines as Lines
    from ostrakon.harness.sim.hold import Hold as Hold
    from ostrakon.harness.sim.hold import InFlight as InFlight
    from ostrakon.harness.sim.latency import Constant as Constant
    from ostrakon.harness.sim.latency import Exponential as Exponential
    from ostrakon.harness.sim.latency import Latency as Latency
    from ostrakon.harness.sim.latency import LogNormal as LogNormal
    from ostrakon.harness.sim.latency import Recorded as Recorded
    from ostrakon.harness.sim.latency import Uniform as Uniform
    from ostrakon.harness.sim.link import Cut as Cut
    from ostrakon.harness.sim.link import Deviation as Deviation
    from ostrakon.harness.sim.link import Disturbance as Disturbance
    from ostrakon.harness.sim.link import Disturbed as Disturbed
    from ostrakon.harness.sim.link import Link as Link
    from ostrakon.harness.sim.machine import Crash as Crash
    from ostrakon.harness.sim.machine import Machine as Machine
    from ostrakon.harness.sim.network import Message as Message
    from ostrakon.harness.sim.network import Network as Network
    from ostrakon.harness.sim.process import Process as Process
    from ostrakon.harness.sim.schedule import DelayBounded as DelayBounded
    from ostrakon.harness.sim.schedule import PriorityChanges as PriorityChanges
    from ostrakon.harness.sim.schedule import RandomSchedule as RandomSchedule
    from ostrakon.harness.sim.schedule import Schedule as Schedule
    from ostrakon.harness.sim.schedule import draw_schedule as draw_schedule
    from ostrakon.harness.sim.stuck import Waiting as Waiting
    from ostrakon.harness.sim.tape import Choice as Choice
    from ostrakon.harness.sim.tape import Diverged as Diverged
    from ostrakon.harness.sim.tape import Tape as Tape
    from ostrakon.harness.sim.tape import check_determinism as check_determinism
    from ostrakon.harness.sim.watchdog import EndlessLoop as EndlessLoop
    from ostrakon.harness.sim.world import StopReason as StopReason
    from ostrakon.harness.sim.world import World as World

_MODULES = {
    "clock": ("Clock",),
    "disk": ("SimDisk",),
    "disk_fault": ("Budget", "DiskFault"),
    "errors": ("NotSimulated", "SimulationError", "UnsupportedTrio"),
    "framing": ("Framing", "LengthPrefixed", "Lines"),
    "hold": ("Hold", "InFlight"),
    "latency": ("Constant", "Exponential", "Latency", "LogNormal", "Recorded", "Uniform"),
    "link": ("Cut", "Deviation", "Disturbance", "Disturbed", "Link"),
    "machine": ("Crash", "Machine"),
    "network": ("Message", "Network"),
    "process": ("Process",),
    "schedule": ("DelayBounded", "PriorityChanges", "RandomSchedule", "Schedule", "draw_schedule"),
    "buggify": ("sometimes",),
    "stuck": ("Waiting",),
    "tape": ("Choice", "Diverged", "Tape", "check_determinism"),
    "watchdog": ("EndlessLoop",),
    "world": ("StopReason", "World"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
