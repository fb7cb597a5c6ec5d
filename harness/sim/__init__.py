"""The deterministic simulator: real Trio programs on virtual time, a simulated network, disks and clocks.

Start at `World`. Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostrakon.harness.sim.disk.disk import SimDisk as SimDisk
    from ostrakon.harness.sim.disk.disk_fault import Budget as Budget
    from ostrakon.harness.sim.disk.disk_fault import DiskFault as DiskFault
    from ostrakon.harness.sim.kernel.choice_log import Choice as Choice
    from ostrakon.harness.sim.kernel.choice_log import ChoiceLog as ChoiceLog
    from ostrakon.harness.sim.kernel.choice_log import Diverged as Diverged
    from ostrakon.harness.sim.kernel.choice_log import check_determinism as check_determinism
    from ostrakon.harness.sim.kernel.clock import Clock as Clock
    from ostrakon.harness.sim.kernel.errors import NotSimulated as NotSimulated
    from ostrakon.harness.sim.kernel.errors import SimulationError as SimulationError
    from ostrakon.harness.sim.kernel.errors import UnsupportedAsyncio as UnsupportedAsyncio
    from ostrakon.harness.sim.kernel.errors import UnsupportedTrio as UnsupportedTrio
    from ostrakon.harness.sim.kernel.schedule import DelayBounded as DelayBounded
    from ostrakon.harness.sim.kernel.schedule import PriorityChanges as PriorityChanges
    from ostrakon.harness.sim.kernel.schedule import RandomSchedule as RandomSchedule
    from ostrakon.harness.sim.kernel.schedule import Schedule as Schedule
    from ostrakon.harness.sim.kernel.schedule import draw_schedule as draw_schedule
    from ostrakon.harness.sim.kernel.watchdog import EndlessLoop as EndlessLoop
    from ostrakon.harness.sim.machine.buggify import sometimes as sometimes
    from ostrakon.harness.sim.machine.machine import Crash as Crash
    from ostrakon.harness.sim.machine.machine import Machine as Machine
    from ostrakon.harness.sim.machine.process import Process as Process
    from ostrakon.harness.sim.machine.world import StopReason as StopReason
    from ostrakon.harness.sim.machine.world import World as World
    from ostrakon.harness.sim.network.hold import Hold as Hold
    from ostrakon.harness.sim.network.hold import InFlight as InFlight
    from ostrakon.harness.sim.network.link import Cut as Cut
    from ostrakon.harness.sim.network.link import Link as Link
    from ostrakon.harness.sim.network.network import LinkMessage as LinkMessage
    from ostrakon.harness.sim.network.network import Network as Network
    from ostrakon.harness.sim.sandbox.sandbox import enclosed as enclosed
    from ostrakon.harness.substrates.framing import Framing as Framing
    from ostrakon.harness.substrates.framing import LengthPrefixed as LengthPrefixed
    from ostrakon.harness.substrates.framing import Lines as Lines
    from ostrakon.harness.substrates.latency import Constant as Constant
    from ostrakon.harness.substrates.latency import Exponential as Exponential
    from ostrakon.harness.substrates.latency import Latency as Latency
    from ostrakon.harness.substrates.latency import LogNormal as LogNormal
    from ostrakon.harness.substrates.latency import MeasuredDelays as MeasuredDelays
    from ostrakon.harness.substrates.latency import Uniform as Uniform
    from ostrakon.harness.substrates.message_faults import Disturbance as Disturbance
    from ostrakon.harness.substrates.message_faults import Disturbed as Disturbed
    from ostrakon.harness.substrates.message_faults import MessageDeviation as MessageDeviation
    from ostrakon.harness.substrates.no_progress import Waiting as Waiting

_MODULES = {
    "disk.disk": ("SimDisk",),
    "disk.disk_fault": ("Budget", "DiskFault"),
    "kernel.choice_log": ("Choice", "ChoiceLog", "Diverged", "check_determinism"),
    "kernel.clock": ("Clock",),
    "kernel.errors": ("NotSimulated", "SimulationError", "UnsupportedAsyncio", "UnsupportedTrio"),
    "kernel.schedule": ("DelayBounded", "PriorityChanges", "RandomSchedule", "Schedule", "draw_schedule"),
    "kernel.watchdog": ("EndlessLoop",),
    "machine.buggify": ("sometimes",),
    "machine.machine": ("Crash", "Machine"),
    "machine.process": ("Process",),
    "machine.world": ("StopReason", "World"),
    "network.hold": ("Hold", "InFlight"),
    "network.link": ("Cut", "Link"),
    "network.network": ("LinkMessage", "Network"),
    "sandbox.sandbox": ("enclosed",),
}
_SHARED = {
    "framing": ("Framing", "LengthPrefixed", "Lines"),
    "latency": ("Constant", "Exponential", "Latency", "LogNormal", "MeasuredDelays", "Uniform"),
    "message_faults": ("Disturbance", "Disturbed", "MessageDeviation"),
    "no_progress": ("Waiting",),
}
"""Those that the other substrates use too."""
_MODULE_OF = {
    **{name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names},
    **{name: f"ostrakon.harness.substrates.{module}" for module, names in _SHARED.items() for name in names},
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
