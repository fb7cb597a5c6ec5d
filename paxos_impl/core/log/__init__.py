"""Multi-Paxos without input or output: a log of decisions, `Replica.step(event)` by step.

Each slot is decided as `ostrakon.paxos_impl.core` decides its one decree, with the very same rules; see
`core.log.rules` for what a log adds to them. PMS 3 is where the paper says how.
"""

from ostrakon.paxos_impl.core.event import Started
from ostrakon.paxos_impl.core.log.command import NOOP, Batch, Command, CommandId
from ostrakon.paxos_impl.core.log.configuration import CLUSTER, Configuration, Member
from ostrakon.paxos_impl.core.log.effect import (
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
    Note,
    Overloaded,
    Persist,
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
from ostrakon.paxos_impl.core.log.event import (
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
from ostrakon.paxos_impl.core.log.lease import Grant, LeaseTerms, Moment
from ostrakon.paxos_impl.core.log.ledger import FIRST, Cell, Ledger
from ostrakon.paxos_impl.core.log.message import Entry, Message
from ostrakon.paxos_impl.core.log.recollection import Recollection, Recovered, Replay
from ostrakon.paxos_impl.core.log.replica import Replica
from ostrakon.paxos_impl.core.log.rules import LOG_RULES, LogRules
from ostrakon.paxos_impl.core.log.snapshot import Compaction, Image, Snapshot
from ostrakon.paxos_impl.core.log.trace import trace_event

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
    "LeaseTerms",
    "Ledger",
    "LogRules",
    "Member",
    "Message",
    "Moment",
    "Note",
    "Overloaded",
    "Persist",
    "Promised",
    "Query",
    "ReadHow",
    "ReadRequested",
    "ReadsRequested",
    "Received",
    "Recollection",
    "Recovered",
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
