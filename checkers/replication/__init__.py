"""Do replicas of a log execute one log, in order, once, and lose nothing? M1 to M13 of what they report.

`replication` judges a whole trial; each property is a function of its own beside. P1 to P10 and M8, which
hold of each slot, are in `checkers.consensus`.
"""

from checkers.replication.compaction import compaction
from checkers.replication.durability import durability
from checkers.replication.executed import exactly_once
from checkers.replication.judgement import replication
from checkers.replication.lease_reads import lease_reads
from checkers.replication.monitor import LogMonitor
from checkers.replication.prefix import no_holes, prefix
from checkers.replication.progress import progress
from checkers.replication.recovery import converged, recovery
from checkers.replication.registry import registry
from checkers.replication.state import state

__all__ = [
    "LogMonitor",
    "compaction",
    "converged",
    "durability",
    "exactly_once",
    "lease_reads",
    "no_holes",
    "prefix",
    "progress",
    "recovery",
    "registry",
    "replication",
    "state",
]
