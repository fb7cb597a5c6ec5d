"""One node of a small world: its state, what others have seen of it, and the effect of one event on it.

A node's step depends only on the node and the event, so it is computed once, for all worlds that the node is
a part of. What others saw of the node is kept beside its state (a ghost: the node cannot read it), because a
promise is broken when others see it broken.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from ostrakon.paxos_impl.core import (
    Accepted,
    Ballot,
    Durable,
    Event,
    Instance,
    Learned,
    Message,
    Nack,
    Persist,
    Prepare,
    Promise,
    Propose,
    Received,
    Reply,
    Rules,
    Send,
    Vote,
)


class Local(msgspec.Struct, frozen=True):
    """A node. Two equal ones behave alike for ever."""

    instance: Instance
    """The instance, with its counters at zero: they number messages and set delays, and decide nothing."""
    disk: tuple[Durable, ...] = (Durable(),)
    """The states that a restart may find, the latest last: one state, unless a message left before it was
    durable."""
    asked: int = 0
    """How many values clients have proposed to it, in all its lives."""
    asked_now: int = 0
    """How many of them in this life."""
    kept: Ballot | None = None
    """The highest ballot at which others saw it promise or vote."""
    voted: Vote | None = None
    """The highest vote that others saw it cast."""
    prepared: tuple[Ballot, int] | None = None
    """The highest ballot it prepared, and in which life."""

    @property
    def node(self) -> int:
        """Its server id."""
        return self.instance.server_id


@dataclass(slots=True)
class Outcome:
    """The node after an event, and what others can see of the event."""

    local: Local
    sent: list[tuple[int, Message]] = field(default_factory=list)
    """Receiver and message."""
    votes: list[Vote] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    prepares: list[Ballot] = field(default_factory=list)
    proposals: list[Propose] = field(default_factory=list)
    broken: str | None = None
    """The first property that the node broke by itself: P7, P8 or P10."""

    @property
    def is_silent(self) -> bool:
        """Whether nobody else can see anything of it."""
        return not (self.sent or self.votes or self.promises or self.prepares or self.proposals)


def begin(server_id: int, members: tuple[int, ...], rules: Rules) -> Local:
    """A node that has just been started for the first time."""
    return Local(Instance.recover(server_id, members, rules=rules))


def restart(local: Local, found: Durable) -> Local:
    """The node after a crash, with what it found on its disk. What others saw of it remains seen."""
    before = local.instance
    instance = Instance.recover(
        before.server_id,
        before.members,
        incarnation=before.incarnation + 1,
        state=found,
        rules=before.rules,
    )
    return replace(local, instance=instance, disk=(found,), asked_now=0)


def react(local: Local, *happened: Event, at_once: tuple[type, ...] = (Promise, Nack)) -> Outcome:
    """The node after events, and after the messages that it sends itself and handles `at_once`."""
    outcome = Outcome(local)
    instance = local.instance
    events = deque(happened)
    while events:
        instance, effects = instance.step(events.popleft())
        for effect in effects:
            match effect:
                case Persist(state=state):
                    _write(outcome, state)
                case Send(to, message):
                    _flush(outcome, effect)
                    _witness(outcome, message, instance.incarnation)
                    events.extend(_send(outcome, to, message, at_once))
                case Reply() | Learned():
                    _flush(outcome, effect)
    outcome.local = replace(outcome.local, instance=_without_counters(instance))
    return outcome


def _write(outcome: Outcome, state: Durable) -> None:
    disk = outcome.local.disk
    if state != disk[-1]:
        outcome.local = replace(outcome.local, disk=(*(old for old in disk if old != state), state))


def _flush(outcome: Outcome, effect: Send | Reply | Learned) -> None:
    """The messages that waited for the disk have left, so the disk has the state."""
    if effect.after is not None and len(outcome.local.disk) > 1:
        outcome.local = replace(outcome.local, disk=outcome.local.disk[-1:])


def _send(outcome: Outcome, to: tuple[int, ...], message: Message, at_once: tuple[type, ...]) -> list[Event]:
    """Send a message; returns what the node itself receives at once.

    Votes are not sent: which nodes can learn by them is computed from the votes. A node receives its own
    promise before those of others, because it promises before it asks them. Its own proposal takes time:
    another node's prepare may arrive first.
    """
    me = outcome.local.node
    if isinstance(message, Accepted):
        return []
    takes_time = not isinstance(message, at_once)
    outcome.sent.extend((receiver, message) for receiver in to if receiver != me or takes_time)
    return [] if takes_time or me not in to else [Received(message, me, "")]


def _witness(outcome: Outcome, message: Message, life: int) -> None:
    """Compare what others see now with what they have seen before."""
    local = outcome.local
    match message:
        case Prepare(ballot):
            outcome.prepares.append(ballot)
            if (
                local.prepared is not None
                and (ballot, life) != local.prepared
                and ballot <= local.prepared[0]
            ):
                _break(outcome, "P10")
            outcome.local = replace(local, prepared=(ballot, life))
        case Promise(ballot, accepted):
            outcome.promises.append(message)
            if local.kept is not None and ballot < local.kept:
                _break(outcome, "P7")
            if _hides(local.voted, accepted, ballot):
                _break(outcome, "P8")
            outcome.local = replace(local, kept=_higher(local.kept, ballot))
        case Propose():
            outcome.proposals.append(message)
        case Accepted(ballot, value):
            vote = Vote(ballot, value)
            outcome.votes.append(vote)
            if local.kept is not None and ballot < local.kept:
                _break(outcome, "P7")
            is_news = local.voted is None or ballot > local.voted.ballot
            outcome.local = replace(
                local, kept=_higher(local.kept, ballot), voted=vote if is_news else local.voted
            )


def _hides(voted: Vote | None, reported: Vote | None, ballot: Ballot) -> bool:
    """Whether a promise reports less than the vote that its acceptor was seen to cast."""
    if voted is None or voted.ballot >= ballot:
        return False
    if reported is None or reported.ballot < voted.ballot:
        return True
    return reported.ballot == voted.ballot and reported.value != voted.value


def _higher(known: Ballot | None, ballot: Ballot) -> Ballot:
    return ballot if known is None else max(known, ballot)


def _break(outcome: Outcome, property: str) -> None:
    outcome.broken = outcome.broken or property


def _without_counters(instance: Instance) -> Instance:
    proposer = instance.proposer
    if proposer.attempts:
        proposer = replace(proposer, attempts=0)
    return replace(instance, proposer=proposer, sends=0, persists=0, pulls=0)
