"""Faults: what each kind does and undoes, how faults are drawn and aimed, and the nemesis."""

from ostrakon.harness.faults.clock import jumped, skewed, suspended
from ostrakon.harness.faults.clog import clogged
from ostrakon.harness.faults.cluster import Cluster, Links
from ostrakon.harness.faults.crash_point import crashed_at_await, crashed_at_sync
from ostrakon.harness.faults.disk import damaging_disk, decayed, failing_disk, full_disk, slow_disk
from ostrakon.harness.faults.draw import (
    SIZES,
    also,
    between,
    either_way,
    fewer_than_half,
    some_links,
    some_messages,
    some_pair,
    victims,
)
from ostrakon.harness.faults.effect import ActiveFault, Effect, settled
from ostrakon.harness.faults.grudge import Grudge
from ostrakon.harness.faults.kind import FaultKind, aim_at_links, aim_at_nodes
from ostrakon.harness.faults.machine_control import Machine, MachineControl
from ostrakon.harness.faults.messages import (
    corrupted,
    delayed,
    disturbed,
    dropped,
    duplicated,
    reordered,
)
from ostrakon.harness.faults.moment import (
    OF_EVENT,
    CallIn,
    Moment,
    Moments,
    reported,
    reported_by_another,
    reported_soon_after,
)
from ostrakon.harness.faults.nemesis import AppliedFault, Nemesis, schedule
from ostrakon.harness.faults.package import Package, Scattered, Steady, draw_faults
from ostrakon.harness.faults.partition import partition
from ostrakon.harness.faults.process import killed, paused, powerless, stopped
from ostrakon.harness.faults.registry import (
    FAULTS,
    GROUPS,
    NoSuchTarget,
    UnknownFault,
    all_faults,
    apply_fault,
    can_act,
    fault_kinds,
    find_fault,
    find_kind,
    kind_names,
    kind_of,
    kinds_on,
    targets_in,
)
from ostrakon.harness.faults.reset import reset
from ostrakon.harness.faults.target import TARGETS, Target, latest
from ostrakon.harness.faults.traffic import TRAFFIC

__all__ = [
    "FAULTS",
    "GROUPS",
    "OF_EVENT",
    "SIZES",
    "TARGETS",
    "TRAFFIC",
    "ActiveFault",
    "AppliedFault",
    "CallIn",
    "Cluster",
    "Effect",
    "FaultKind",
    "Grudge",
    "Links",
    "Machine",
    "MachineControl",
    "Moment",
    "Moments",
    "Nemesis",
    "NoSuchTarget",
    "Package",
    "Scattered",
    "Steady",
    "Target",
    "UnknownFault",
    "aim_at_links",
    "aim_at_nodes",
    "all_faults",
    "also",
    "apply_fault",
    "between",
    "can_act",
    "clogged",
    "corrupted",
    "crashed_at_await",
    "crashed_at_sync",
    "damaging_disk",
    "decayed",
    "delayed",
    "disturbed",
    "draw_faults",
    "dropped",
    "duplicated",
    "either_way",
    "failing_disk",
    "fault_kinds",
    "fewer_than_half",
    "find_fault",
    "find_kind",
    "full_disk",
    "jumped",
    "killed",
    "kind_names",
    "kind_of",
    "kinds_on",
    "latest",
    "partition",
    "paused",
    "powerless",
    "reordered",
    "reported",
    "reported_by_another",
    "reported_soon_after",
    "reset",
    "schedule",
    "settled",
    "skewed",
    "slow_disk",
    "some_links",
    "some_messages",
    "some_pair",
    "stopped",
    "suspended",
    "targets_in",
    "victims",
]
