"""Do replicas of a log execute one log, in order, once, and lose nothing? M1 to M13 of what they report.

`replication` judges a whole trial; each property is a function of its own beside. P1 to P11 and M8, which
hold of each slot, are in `ostrakon.checkers.consensus`.
"""

from ostrakon.checkers.replication.compaction import compaction
from ostrakon.checkers.replication.durability import durability
from ostrakon.checkers.replication.executed import exactly_once
from ostrakon.checkers.replication.judgement import replication
from ostrakon.checkers.replication.lease_reads import lease_reads
from ostrakon.checkers.replication.monitor import LogMonitor
from ostrakon.checkers.replication.prefix import no_holes, prefix
from ostrakon.checkers.replication.progress import progress
from ostrakon.checkers.replication.recovery import converged, recovery
from ostrakon.checkers.replication.registry import registry
from ostrakon.checkers.replication.state import state

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
