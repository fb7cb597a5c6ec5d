"""Basic Paxos without input or output: `Instance.step(event)` returns the next instance and its effects.

`Transition.handle` dispatches an event to the roles (proposer, acceptor, learner) and collects the effects. A
message is an effect `Send` of one instance and an event `Received` of another; `ostrakon.paxos_impl.server`
carries it.

Nothing in this package awaits, reads a clock, draws randomness or iterates over a set. The paper is Leslie
Lamport's *Paxos Made Simple* (2001), cited as PMS with the section.
"""

from ostrakon.paxos_impl.core.acceptor import Acceptor
from ostrakon.paxos_impl.core.ballot import Ballot, Value, Vote
from ostrakon.paxos_impl.core.effect import (
    Chosen,
    ConfigActive,
    Durable,
    Effect,
    Learned,
    Outcome,
    Persist,
    Refused,
    Reply,
    Restarted,
    Send,
    SetTimer,
    Unknown,
)
from ostrakon.paxos_impl.core.event import (
    Event,
    GetRequested,
    ProposeRequested,
    Received,
    Started,
    TimerFired,
)
from ostrakon.paxos_impl.core.instance import Instance
from ostrakon.paxos_impl.core.learner import Learner, Tally
from ostrakon.paxos_impl.core.message import (
    DECREE,
    Accepted,
    Ask,
    Message,
    Nack,
    Prepare,
    Promise,
    Propose,
    Tell,
)
from ostrakon.paxos_impl.core.proposer import BackingOff, Idle, Preparing, Proposer, Proposing
from ostrakon.paxos_impl.core.rules import RULES, Rules
from ostrakon.paxos_impl.core.trace import TraceEvent, persisted_event, trace_event

__all__ = [
    "DECREE",
    "RULES",
    "Accepted",
    "Acceptor",
    "Ask",
    "BackingOff",
    "Ballot",
    "Chosen",
    "ConfigActive",
    "Durable",
    "Effect",
    "Event",
    "GetRequested",
    "Idle",
    "Instance",
    "Learned",
    "Learner",
    "Message",
    "Nack",
    "Outcome",
    "Persist",
    "Prepare",
    "Preparing",
    "Promise",
    "Propose",
    "ProposeRequested",
    "Proposer",
    "Proposing",
    "Received",
    "Refused",
    "Reply",
    "Restarted",
    "Rules",
    "Send",
    "SetTimer",
    "Started",
    "Tally",
    "Tell",
    "TimerFired",
    "TraceEvent",
    "Unknown",
    "Value",
    "Vote",
    "persisted_event",
    "trace_event",
]
