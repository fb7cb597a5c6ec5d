"""Who brings the faults: their shapes, what each does and undoes, and when."""

from ostrakon.harness.faults.apply import apply_fault
from ostrakon.harness.faults.crash_point import crashed_at_await, crashed_at_sync
from ostrakon.harness.faults.device_fault import (
    decayed,
    failing_disk,
    full_disk,
    jumped,
    skewed,
    slow_disk,
    spoilt_disk,
    suspended,
)
from ostrakon.harness.faults.draw import draw_faults
from ostrakon.harness.faults.effect import ActiveFault, Effect
from ostrakon.harness.faults.fault import (
    Links,
    clogged,
    corrupted,
    delayed,
    disturbed,
    dropped,
    duplicated,
    killed,
    partition,
    paused,
    powerless,
    reordered,
    reset,
    stopped,
)
from ostrakon.harness.faults.grudge import Grudge
from ostrakon.harness.faults.kinds import FAULTS, GROUPS, FaultKind, UnknownFault, fault_kinds, find_fault
from ostrakon.harness.faults.machine_control import Machine, MachineControl
from ostrakon.harness.faults.nemesis import AppliedFault, Nemesis, schedule
from ostrakon.harness.faults.package import Package, Scattered, Steady
from ostrakon.harness.faults.target import TARGETS, Target

__all__ = [
    "FAULTS",
    "GROUPS",
    "TARGETS",
    "ActiveFault",
    "AppliedFault",
    "Effect",
    "FaultKind",
    "Grudge",
    "Links",
    "Machine",
    "MachineControl",
    "Nemesis",
    "Package",
    "Scattered",
    "Steady",
    "Target",
    "UnknownFault",
    "apply_fault",
    "clogged",
    "corrupted",
    "crashed_at_await",
    "crashed_at_sync",
    "decayed",
    "delayed",
    "disturbed",
    "draw_faults",
    "dropped",
    "duplicated",
    "failing_disk",
    "fault_kinds",
    "find_fault",
    "full_disk",
    "jumped",
    "killed",
    "partition",
    "paused",
    "powerless",
    "reordered",
    "reset",
    "schedule",
    "skewed",
    "slow_disk",
    "spoilt_disk",
    "stopped",
    "suspended",
]
