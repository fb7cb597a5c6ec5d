"""One instance of Basic Paxos, proposer, acceptor and learner at once, as a pure state machine.

What must always hold: whatever leaves an instance rests on durable state only, since it waits for the
last `Persist` before it; and what an instance has learned never changes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from paxos_impl.core.acceptor import Acceptor
from paxos_impl.core.ballot import Ballot, Value, Vote
from paxos_impl.core.effect import (
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
from paxos_impl.core.event import Event, GetRequested, ProposeRequested, Received, Started, TimerFired
from paxos_impl.core.learner import Learner
from paxos_impl.core.message import (
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
from paxos_impl.core.proposer import BackingOff, Idle, Preparing, Proposer, Proposing
from paxos_impl.core.rules import RULES, Rules

WAITING_MAX = 1000
"""How many clients may wait for the decree; more are refused rather than held."""


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A client whose proposal has not been answered yet."""

    request: int
    value: Value


class Instance(msgspec.Struct, frozen=True):
    """All that one node knows of the decree. Build it with `recover`, then step it with `Started()`."""

    server_id: int
    members: tuple[int, ...]
    incarnation: int
    acceptor: Acceptor = Acceptor()
    proposer: Proposer = Proposer()
    learner: Learner = Learner()
    waiting: tuple[Waiting, ...] = ()
    own_ballot: Ballot | None = None
    """The ballot it used last in this incarnation."""
    pulls: int = 0
    """How often it has asked what was chosen."""
    persists: int = 0
    sends: int = 0
    rules: Rules = RULES

    @classmethod
    def recover(
        cls,
        server_id: int,
        members: tuple[int, ...],
        *,
        incarnation: int = 0,
        state: Durable = Durable(),  # noqa: B008 - it is frozen
        rules: Rules = RULES,
    ) -> Instance:
        """An instance as it finds itself at start-up, with what was last persisted."""
        assert server_id in members, f"{server_id} is none of {members}"
        assert len(set(members)) == len(members), f"{members} would count someone twice"
        acceptor = Acceptor(state.promised, state.accepted)
        return cls(server_id, members, incarnation, acceptor, learner=Learner(state.chosen), rules=rules)

    @property
    def durable(self) -> Durable:
        """What would have to be on disk by now."""
        return Durable(self.acceptor.promised, self.acceptor.accepted, self.learner.chosen)

    def step(self, event: Event) -> tuple[Instance, list[Effect]]:
        """The instance after an event, and what it wants done, in order."""
        turn = _Turn(self, event.id if isinstance(event, Received) else None)
        turn.handle(event)
        return turn.end(), turn.effects


class _Turn:
    """One step in the making: the parts of an instance, to be replaced, and the effects so far."""

    __slots__ = (
        "acceptor",
        "before",
        "cause",
        "effects",
        "learner",
        "own_ballot",
        "persists",
        "proposer",
        "pulls",
        "rules",
        "sends",
        "waiting",
    )

    def __init__(self, before: Instance, cause: str | None) -> None:
        self.before, self.cause, self.rules = before, cause, before.rules
        self.acceptor, self.proposer, self.learner = before.acceptor, before.proposer, before.learner
        self.waiting, self.own_ballot, self.pulls = before.waiting, before.own_ballot, before.pulls
        self.persists, self.sends = before.persists, before.sends
        self.effects: list[Effect] = []

    def end(self) -> Instance:
        before = self.before
        return Instance(
            before.server_id,
            before.members,
            before.incarnation,
            self.acceptor,
            self.proposer,
            self.learner,
            self.waiting,
            self.own_ballot,
            self.pulls,
            self.persists,
            self.sends,
            self.rules,
        )

    def handle(self, event: Event) -> None:
        match event:
            case Received(message, sender):
                if sender in self.before.members:
                    self.receive(message, sender)
            case ProposeRequested(request, value):
                self.request_propose(request, value)
            case GetRequested(request):
                self.reply(request, _known(self.learner.chosen))
            case TimerFired("retransmit"):
                self.retransmit()
            case TimerFired("back_off"):
                if isinstance(self.proposer.phase, BackingOff):
                    self.prepare()
            case TimerFired("pull"):
                self.pull()
            case Started():
                self.effects.append(Restarted(self.before.durable, DECREE))
                self.effects.append(ConfigActive(self.before.members))
                if self.learner.chosen is None:
                    self.effects.append(SetTimer("pull", 0))

    def receive(self, message: Message, sender: int) -> None:
        match message:
            case Prepare() | Propose():
                self.answer(message, sender)
            case Promise() | Nack():
                self.hear_reply(message, sender)
            case Accepted(ballot, value):
                self.hear_vote(Vote(ballot, value), sender)
            case Ask(slot):
                self.send((sender,), Tell(self.acceptor.accepted, self.learner.chosen, slot))
            case Tell(accepted, chosen):
                if chosen is not None:
                    self.hear_chosen(chosen)
                elif accepted is not None:
                    self.hear_vote(accepted, sender)

    # The proposer.

    def request_propose(self, request: int, value: Value) -> None:
        assert value is not None, "None means that there is no value; it can't be proposed"
        if self.learner.chosen is not None:
            self.reply(request, _known(self.learner.chosen))
        elif len(self.waiting) >= WAITING_MAX:
            self.reply(request, Refused(f"{WAITING_MAX} proposals are waiting already"))
        else:
            self.waiting = (*self.waiting, Waiting(request, value))
            if isinstance(self.proposer.phase, Idle):
                self.prepare()

    def prepare(self) -> None:
        ballot = self.rules.next_ballot(
            self.before.server_id, self.own_ballot, self.acceptor.promised, self.proposer.highest
        )
        self.own_ballot = ballot
        self.proposer = self.proposer.prepare(ballot)
        # Its own promise comes first: the prepare waits until that is durable, and so the ballot can't
        # be used again after a restart (PMS 2.5).
        self.answer(Prepare(ballot), self.before.server_id)
        self.send(self.others, Prepare(ballot))
        self.effects.append(SetTimer("retransmit", self.proposer.attempts))

    def hear_reply(self, reply: Promise | Nack, sender: int) -> None:
        if not self.waiting:
            return
        before = self.proposer.phase
        self.proposer = self.proposer.hear(
            reply, sender, len(self.before.members), self.waiting[0].value, self.rules
        )
        match self.proposer.phase:
            case Proposing(ballot, value) if isinstance(before, Preparing):
                self.send(self.before.members, Propose(ballot, value))
                self.effects.append(SetTimer("retransmit", self.proposer.attempts))
            case BackingOff() if not isinstance(before, BackingOff):
                self.effects.append(SetTimer("back_off", self.proposer.attempts))

    def retransmit(self) -> None:
        match self.proposer.phase:
            case Preparing(ballot, promisers):
                missing = tuple(member for member in self.before.members if member not in promisers)
                self.send(missing, Prepare(ballot))
            case Proposing(ballot, value):
                resent = self.rules.resent_value(value, self.waiting[-1].value)
                self.send(self.before.members, Propose(ballot, resent))
            case _:
                return
        self.proposer = self.proposer.again()
        self.effects.append(SetTimer("retransmit", self.proposer.attempts))

    # The acceptor.

    def answer(self, request: Prepare | Propose, sender: int) -> None:
        acceptor, reply = self.acceptor.answer(request, self.rules)
        if acceptor != self.acceptor:
            self.acceptor = acceptor
            self.persist()
        # Every member is a learner, and hears of each vote directly (PMS 2.3).
        self.send(self.before.members if isinstance(reply, Accepted) else (sender,), reply)

    # The learner.

    def hear_vote(self, vote: Vote, voter: int) -> None:
        self.learner = self.learner.hear(vote, voter, len(self.before.members), self.rules)
        if self.learner.chosen is not None and self.before.learner.chosen is None:
            self.announce(self.learner.chosen, "votes")

    def hear_chosen(self, chosen: Vote) -> None:
        if self.learner.chosen is None:
            self.learner = self.learner.learn(chosen)
            self.announce(chosen, "told")

    def announce(self, chosen: Vote, how: Literal["votes", "told"]) -> None:
        """Make what was just learned durable, and tell the clients who wait for it."""
        promised = self.rules.promised_after_learning(self.acceptor.promised, chosen)
        self.acceptor = Acceptor(promised, self.acceptor.accepted)
        self.proposer = self.proposer.enter(Idle())
        self.persist()
        self.effects.append(Learned(chosen, how, DECREE, self.cause, self.after))
        for waiting in self.waiting:
            self.reply(waiting.request, _known(chosen))
        self.waiting = ()

    def pull(self) -> None:
        others = self.others
        if self.learner.chosen is None and others:
            self.send((others[self.pulls % len(others)],), Ask())
            self.pulls += 1
            self.effects.append(SetTimer("pull", self.pulls))

    # Effects.

    def persist(self) -> None:
        self.persists += 1
        state = Durable(self.acceptor.promised, self.acceptor.accepted, self.learner.chosen)
        self.effects.append(Persist(self.persists, self.rules.durable(state)))

    def send(self, to: tuple[int, ...], message: Message) -> None:
        self.sends += 1
        id = f"n{self.before.server_id}.{self.before.incarnation}.{self.sends}"
        self.effects.append(Send(to, message, id, self.cause, self.after))

    def reply(self, request: int, outcome: Outcome) -> None:
        self.effects.append(Reply(request, outcome, self.after))

    @property
    def after(self) -> int | None:
        return self.rules.release(self.persists)

    @property
    def others(self) -> tuple[int, ...]:
        return tuple(member for member in self.before.members if member != self.before.server_id)


def _known(chosen: Vote | None) -> Chosen | Unknown:
    return Unknown() if chosen is None else Chosen(chosen.value, chosen.ballot)
