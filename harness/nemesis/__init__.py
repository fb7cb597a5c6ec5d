"""Who brings the faults: their shapes, what each does and undoes, and when."""

from ostrakon.harness.nemesis.crash_point import crashed_at_await, crashed_at_sync
from ostrakon.harness.nemesis.custody import Custody, Machine
from ostrakon.harness.nemesis.device_fault import (
    decayed,
    failing_disk,
    full_disk,
    jumped,
    skewed,
    slow_disk,
    spoilt_disk,
    suspended,
)
from ostrakon.harness.nemesis.draw import draw_faults
from ostrakon.harness.nemesis.effect import Effect, Underway
from ostrakon.harness.nemesis.enact import enact
from ostrakon.harness.nemesis.fault import (
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
from ostrakon.harness.nemesis.grudge import Grudge
from ostrakon.harness.nemesis.kinds import FAULTS, GROUPS, FaultKind, UnknownFault, fault_kinds, find_fault
from ostrakon.harness.nemesis.nemesis import Deed, Nemesis, schedule
from ostrakon.harness.nemesis.package import Package, Scattered, Steady
from ostrakon.harness.nemesis.target import TARGETS, Target

__all__ = [
    "FAULTS",
    "GROUPS",
    "TARGETS",
    "Custody",
    "Deed",
    "Effect",
    "FaultKind",
    "Grudge",
    "Links",
    "Machine",
    "Nemesis",
    "Package",
    "Scattered",
    "Steady",
    "Target",
    "Underway",
    "UnknownFault",
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
    "enact",
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
