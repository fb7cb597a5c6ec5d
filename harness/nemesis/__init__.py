"""Who brings the faults: their shapes, what each does and undoes, and when."""

from harness.nemesis.custody import Custody, Machine
from harness.nemesis.draw import draw_faults
from harness.nemesis.fault import (
    Effect,
    Links,
    Underway,
    delayed,
    dropped,
    duplicated,
    enact,
    killed,
    partition,
    paused,
    powerless,
    reordered,
)
from harness.nemesis.grudge import Grudge
from harness.nemesis.kinds import FAULTS, GROUPS, FaultKind, UnknownFault, fault_kinds
from harness.nemesis.nemesis import Deed, Nemesis, schedule

__all__ = [
    "FAULTS",
    "GROUPS",
    "Custody",
    "Deed",
    "Effect",
    "FaultKind",
    "Grudge",
    "Links",
    "Machine",
    "Nemesis",
    "Underway",
    "UnknownFault",
    "delayed",
    "draw_faults",
    "dropped",
    "duplicated",
    "enact",
    "fault_kinds",
    "killed",
    "partition",
    "paused",
    "powerless",
    "reordered",
    "schedule",
]
