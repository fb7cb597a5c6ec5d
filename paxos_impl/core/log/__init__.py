"""Multi-Paxos without input or output: a log of decisions, `Replica.step(event)` by step.

Each slot is decided as `paxos_impl.core` decides its one decree, with the very same rules; see
`core.log.rules` for what a log adds to them. PMS 3 is where the paper says how.
"""

from paxos_impl.core.event import Started
from paxos_impl.core.log.command import NOOP, Batch, Command, CommandId
from paxos_impl.core.log.effect import (
    Apply,
    Chose,
    Decline,
    Effect,
    Fact,
    Learned,
    Note,
    Overloaded,
    Persist,
    Promised,
    Query,
    Restarted,
    Send,
    SetTimer,
    Voted,
)
from paxos_impl.core.log.event import Drained, Event, ReadRequested, Received, Submitted, Timer, TimerFired
from paxos_impl.core.log.ledger import FIRST, Cell, Ledger
from paxos_impl.core.log.message import Entry, Message
from paxos_impl.core.log.replica import Recovered, Replica
from paxos_impl.core.log.rules import LOG_RULES, LogRules
from paxos_impl.core.log.trace import trace_event

__all__ = [
    "FIRST",
    "LOG_RULES",
    "NOOP",
    "Apply",
    "Batch",
    "Cell",
    "Chose",
    "Command",
    "CommandId",
    "Decline",
    "Drained",
    "Effect",
    "Entry",
    "Event",
    "Fact",
    "Learned",
    "Ledger",
    "LogRules",
    "Message",
    "Note",
    "Overloaded",
    "Persist",
    "Promised",
    "Query",
    "ReadRequested",
    "Received",
    "Recovered",
    "Replica",
    "Restarted",
    "Send",
    "SetTimer",
    "Started",
    "Submitted",
    "Timer",
    "TimerFired",
    "Voted",
    "trace_event",
]
