"""The deterministic simulator: real Trio programs on virtual time, a simulated network, disks and clocks.

Start at `World`. Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.sim.buggify import sometimes as sometimes
    from harness.sim.clock import Clock as Clock
    from harness.sim.disk import SimDisk as SimDisk
    from harness.sim.disk_fault import Budget as Budget
    from harness.sim.disk_fault import DiskFault as DiskFault
    from harness.sim.errors import NotSimulated as NotSimulated
    from harness.sim.errors import SimulationError as SimulationError
    from harness.sim.errors import UnsupportedTrio as UnsupportedTrio
    from harness.sim.framing import Framing as Framing
    from harness.sim.framing import LengthPrefixed as LengthPrefixed
    from harness.sim.framing import Lines as Lines
    from harness.sim.hold import Hold as Hold
    from harness.sim.hold import InFlight as InFlight
    from harness.sim.latency import Constant as Constant
    from harness.sim.latency import Exponential as Exponential
    from harness.sim.latency import Latency as Latency
    from harness.sim.latency import LogNormal as LogNormal
    from harness.sim.latency import Recorded as Recorded
    from harness.sim.latency import Uniform as Uniform
    from harness.sim.link import Cut as Cut
    from harness.sim.link import Deviation as Deviation
    from harness.sim.link import Disturbance as Disturbance
    from harness.sim.link import Disturbed as Disturbed
    from harness.sim.link import Link as Link
    from harness.sim.machine import Crash as Crash
    from harness.sim.machine import Machine as Machine
    from harness.sim.network import Message as Message
    from harness.sim.network import Network as Network
    from harness.sim.process import Process as Process
    from harness.sim.schedule import DelayBounded as DelayBounded
    from harness.sim.schedule import PriorityChanges as PriorityChanges
    from harness.sim.schedule import RandomSchedule as RandomSchedule
    from harness.sim.schedule import Schedule as Schedule
    from harness.sim.schedule import draw_schedule as draw_schedule
    from harness.sim.stuck import Waiting as Waiting
    from harness.sim.tape import Choice as Choice
    from harness.sim.tape import Diverged as Diverged
    from harness.sim.tape import Tape as Tape
    from harness.sim.tape import check_determinism as check_determinism
    from harness.sim.watchdog import EndlessLoop as EndlessLoop
    from harness.sim.world import StopReason as StopReason
    from harness.sim.world import World as World

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
