"""Multi-Paxos without input or output: `Replica.step(event)` returns the next replica and its effects.

Each slot of the log is decided by the rules of `ostrakon.paxos_impl.core`, which decides one decree (PMS 3).
`rules` has what a log adds to them.

Read `state` first (what a replica knows), then `dispatch` (which role acts on which event), then the roles:
`acceptor`, `election`, `leader`, `learner`, `reading`, `reconfiguration`, `transfer`. Papers are cited as PMS
(Lamport, *Paxos Made Simple*, 2001), Paxos Made Live (Chandra, Griesemer, Redstone, 2007) and Raft (Ongaro,
*Consensus: Bridging Theory and Practice*, 2014), each with its section.
"""

from ostrakon.paxos_impl.core.event import Started
from ostrakon.paxos_impl.core.multi.command import NOOP, Batch, Command, CommandId
from ostrakon.paxos_impl.core.multi.configuration import CLUSTER, Configuration, Member
from ostrakon.paxos_impl.core.multi.effect import (
    Apply,
    Changed,
    Chose,
    Compacted,
    Configured,
    Decline,
    Effect,
    Fact,
    HoldsLease,
    Install,
    Leads,
    Learned,
    Overloaded,
    Persist,
    PersistLazily,
    Promised,
    Query,
    Rejected,
    Restarted,
    SaveSnapshot,
    Send,
    SetTimer,
    SnapshotTaken,
    TakeSnapshot,
    Voted,
)
from ostrakon.paxos_impl.core.multi.event import (
    ChangeRequested,
    Drained,
    Event,
    ReadHow,
    ReadRequested,
    ReadsRequested,
    Received,
    SnapshotSaved,
    Submitted,
    Timer,
    TimerFired,
)
from ostrakon.paxos_impl.core.multi.lease import ClockReading, Grant, LeaseConfig
from ostrakon.paxos_impl.core.multi.log import FIRST, Cell, Log
from ostrakon.paxos_impl.core.multi.message import Entry, Message
from ostrakon.paxos_impl.core.multi.recovery import Recovered, Recovery, Replay
from ostrakon.paxos_impl.core.multi.replica import Replica
from ostrakon.paxos_impl.core.multi.rules import LOG_RULES, LogRules
from ostrakon.paxos_impl.core.multi.snapshot import Compaction, Image, Snapshot
from ostrakon.paxos_impl.core.multi.trace import trace_event

__all__ = [
    "CLUSTER",
    "FIRST",
    "LOG_RULES",
    "NOOP",
    "Apply",
    "Batch",
    "Cell",
    "ChangeRequested",
    "Changed",
    "Chose",
    "ClockReading",
    "Command",
    "CommandId",
    "Compacted",
    "Compaction",
    "Configuration",
    "Configured",
    "Decline",
    "Drained",
    "Effect",
    "Entry",
    "Event",
    "Fact",
    "Grant",
    "HoldsLease",
    "Image",
    "Install",
    "Leads",
    "Learned",
    "LeaseConfig",
    "Log",
    "LogRules",
    "Member",
    "Message",
    "Overloaded",
    "Persist",
    "PersistLazily",
    "Promised",
    "Query",
    "ReadHow",
    "ReadRequested",
    "ReadsRequested",
    "Received",
    "Recovered",
    "Recovery",
    "Rejected",
    "Replay",
    "Replica",
    "Restarted",
    "SaveSnapshot",
    "Send",
    "SetTimer",
    "Snapshot",
    "SnapshotSaved",
    "SnapshotTaken",
    "Started",
    "Submitted",
    "TakeSnapshot",
    "Timer",
    "TimerFired",
    "Voted",
    "trace_event",
]
