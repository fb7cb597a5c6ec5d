"""Protocol events, which a checker can compare with the paper, derived from the effects.

The driver carries out an effect and derives its event from the same object, so the trace cannot differ from
what was done.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot, Value, Vote
from ostrakon.paxos_impl.core.effect import ConfigActive, Effect, Learned, Restarted, Send
from ostrakon.paxos_impl.core.message import Accepted, Ask, Nack, Prepare, Promise, Propose, Tell


class TraceEvent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One protocol event of one node, at the moment it becomes observable.

    `event` is one of restart, config_active, prepare_sent, promise_sent, nack_sent, propose_sent,
    accept_sent (a vote), learned, persisted, ask_sent, tell_sent.
    """

    node: str
    incarnation: int
    """How often the node was started before, from 0."""
    seq: int
    """Counts the events of this incarnation, from 0."""
    event: str
    message: str | None = None
    """The id of the message that made it observable."""
    cause: str | None = None
    """The id of the message that the node was handling."""
    to: tuple[str, ...] = ()
    slot: int | None = None
    ballot: Ballot | None = None
    value: Value = None
    accepted: tuple[tuple[int, Ballot, Value], ...] = ()
    """The votes that a promise reports or a restart recovered: (slot, ballot, value)."""
    promised: Ballot | None = None
    """The ballot that a nack names, or a restart recovered."""
    members: tuple[str, ...] = ()
    """The nodes that count towards quorums from `config_active` on."""
    how: str | None = None
    """How a value was learned: "votes" were counted, or another node "told"."""
    detail: Any = None


@cache
def node_name(server_id: int) -> str:
    """The name of a server in traces and message ids."""
    return f"n{server_id}"


def trace_event(effect: Effect, server_id: int, incarnation: int, seq: int) -> TraceEvent | None:
    """The event that others observe when `effect` is carried out; None if they observe nothing."""
    me = (node_name(server_id), incarnation, seq)
    match effect:
        case Send(to, message, id, cause):
            return _sent(message, me, id, cause, tuple(map(node_name, to)))
        case Learned(Vote(ballot, value), how, slot, cause):
            return TraceEvent(*me, "learned", cause=cause, slot=slot, ballot=ballot, value=value, how=how)
        case Restarted(state, slot):
            detail = None if state.chosen is None else {"chosen": state.chosen.value}
            return TraceEvent(
                *me, "restart", accepted=_votes(slot, state.accepted), promised=state.promised, detail=detail
            )
        case ConfigActive(members):
            return TraceEvent(*me, "config_active", members=tuple(map(node_name, members)))
    return None


def persisted_event(n: int, server_id: int, incarnation: int, seq: int) -> TraceEvent:
    """The event that `Persist` number n, and all before it, became durable."""
    return TraceEvent(node_name(server_id), incarnation, seq, "persisted", detail=n)


def _sent(
    message: object, me: tuple[str, int, int], id: str, cause: str | None, to: tuple[str, ...]
) -> TraceEvent | None:
    match message:
        case Prepare(ballot, slot):
            return TraceEvent(*me, "prepare_sent", id, cause, to, slot, ballot)
        case Promise(ballot, accepted, slot):
            votes = _votes(slot, accepted)
            return TraceEvent(*me, "promise_sent", id, cause, to, slot, ballot, accepted=votes)
        case Nack(ballot, promised, slot):
            return TraceEvent(*me, "nack_sent", id, cause, to, slot, ballot, promised=promised)
        case Propose(ballot, value, slot):
            return TraceEvent(*me, "propose_sent", id, cause, to, slot, ballot, value)
        case Accepted(ballot, value, slot):
            return TraceEvent(*me, "accept_sent", id, cause, to, slot, ballot, value)
        case Ask(slot):
            return TraceEvent(*me, "ask_sent", id, cause, to, slot)
        case Tell(accepted, None, slot):
            return TraceEvent(*me, "tell_sent", id, cause, to, slot, accepted=_votes(slot, accepted))
        case Tell(accepted, Vote(ballot, value), slot):
            votes = _votes(slot, accepted)
            return TraceEvent(*me, "tell_sent", id, cause, to, slot, ballot, value, accepted=votes)
    return None


def _votes(slot: int, accepted: Vote | None) -> tuple[tuple[int, Ballot, Value], ...]:
    return () if accepted is None else ((slot, accepted.ballot, accepted.value),)
