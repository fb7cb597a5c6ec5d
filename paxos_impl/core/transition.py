"""One step of an instance: the parts that an event changes, and the effects that it causes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

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

if TYPE_CHECKING:
    from ostrakon.paxos_impl.core.instance import Instance
    from ostrakon.paxos_impl.core.learner import Learner
    from ostrakon.paxos_impl.core.rules import Rules

WAITING_MAX = 1000
"""How many clients may wait for the decree. More are refused, so that memory stays bounded."""


class WaitingClient(msgspec.Struct, frozen=True, gc=False):
    """A client whose proposal has not been answered yet."""

    request: int
    value: Value


class Transition(msgspec.Struct, gc=False):
    """The parts of the next instance so far, and the effects so far.

    It is changed in place: the model substrate runs little but such steps, and a new object for each change
    would cost it time.
    """

    before: Instance
    cause: str | None
    """The id of the message that is being handled, if it is one."""
    rules: Rules
    acceptor: Acceptor
    proposer: Proposer
    learner: Learner
    waiting: tuple[WaitingClient, ...]
    own_ballot: Ballot | None
    pulls: int
    persists: int
    sends: int
    effects: list[Effect] = []

    def handle(self, event: Event) -> None:
        """Handle the event. Called once."""
        match event:
            case Received(message, sender):
                # Messages from servers that are no members do not count, nor do those about another slot.
                if sender in self.before.members and message.slot == DECREE:
                    self._receive(message, sender)
            case ProposeRequested(request, value):
                self._request_propose(request, value)
            case GetRequested(request):
                self._reply(request, _known(self.learner.chosen))
            case TimerFired("retransmit"):
                self._retransmit()
            case TimerFired("back_off"):
                if isinstance(self.proposer.phase, BackingOff):
                    self._prepare()
            case TimerFired("pull"):
                self._pull()
            case Started():
                self.effects.append(Restarted(self.before.durable, DECREE))
                self.effects.append(ConfigActive(self.before.members))
                if self.learner.chosen is None:
                    self.effects.append(SetTimer("pull", 0))

    def _receive(self, message: Message, sender: int) -> None:
        match message:
            case Accepted(ballot, value):  # Most messages are votes, and so this comes first.
                self._hear_vote(Vote(ballot, value), sender)
            case Prepare() | Propose():
                self._answer(message, sender)
            case Promise() | Nack():
                self._hear_reply(message, sender)
            case Ask(slot):
                self._send((sender,), Tell(self.acceptor.accepted, self.learner.chosen, slot))
            case Tell(accepted, chosen):
                if chosen is not None:
                    self._hear_chosen(chosen)
                elif accepted is not None:
                    self._hear_vote(accepted, sender)

    # The proposer.

    def _request_propose(self, request: int, value: Value) -> None:
        assert value is not None, "None means that there is no value; it can't be proposed"
        if self.learner.chosen is not None:
            self._reply(request, _known(self.learner.chosen))
        elif len(self.waiting) >= WAITING_MAX:
            self._reply(request, Refused(f"{WAITING_MAX} proposals are waiting already"))
        else:
            self.waiting = (*self.waiting, WaitingClient(request, value))
            if isinstance(self.proposer.phase, Idle):
                self._prepare()

    def _prepare(self) -> None:
        ballot = self.rules.next_ballot(
            self.before.server_id, self.own_ballot, self.acceptor.promised, self.proposer.highest
        )
        self.own_ballot = ballot
        self.proposer = self.proposer.prepare(ballot)
        # The proposer's own promise comes first. The prepare then leaves only once this promise is durable,
        # so the ballot is not used again after a restart (PMS 2.5).
        self._answer(Prepare(ballot), self.before.server_id)
        if self._others:
            self._send(self._others, Prepare(ballot))
        self.effects.append(SetTimer("retransmit", self.proposer.attempts))

    def _hear_reply(self, reply: Promise | Nack, sender: int) -> None:
        if not self.waiting:
            return
        before = self.proposer.phase
        self.proposer = self.proposer.hear(
            reply, sender, len(self.before.members), self.waiting[0].value, self.rules
        )
        match self.proposer.phase:
            case Proposing(ballot, value) if isinstance(before, Preparing):
                self._send(self.before.members, Propose(ballot, value))
                self.effects.append(SetTimer("retransmit", self.proposer.attempts))
            case BackingOff() if not isinstance(before, BackingOff):
                self.effects.append(SetTimer("back_off", self.proposer.attempts))

    def _retransmit(self) -> None:
        match self.proposer.phase:
            case Preparing(ballot, promisers):
                missing = tuple(member for member in self.before.members if member not in promisers)
                self._send(missing, Prepare(ballot))
            case Proposing(ballot, value):
                resent = self.rules.resent_value(value, self.waiting[-1].value)
                self._send(self.before.members, Propose(ballot, resent))
            case _:
                return
        self.proposer = self.proposer.again()
        self.effects.append(SetTimer("retransmit", self.proposer.attempts))

    # The acceptor.

    def _answer(self, request: Prepare | Propose, sender: int) -> None:
        acceptor, reply = self.acceptor.answer(request, self.rules)
        if acceptor != self.acceptor:
            self.acceptor = acceptor
            self._persist()
        # Every member is a learner, and each vote is sent to all of them (PMS 2.3).
        self._send(self.before.members if isinstance(reply, Accepted) else (sender,), reply)

    # The learner.

    def _hear_vote(self, vote: Vote, voter: int) -> None:
        self.learner = self.learner.hear(vote, voter, len(self.before.members), self.rules)
        if self.learner.chosen is not None and self.before.learner.chosen is None:
            self._announce(self.learner.chosen, "votes")

    def _hear_chosen(self, chosen: Vote) -> None:
        if self.learner.chosen is None:
            self.learner = self.learner.learn(chosen)
            self._announce(chosen, "told")

    def _announce(self, chosen: Vote, how: Literal["votes", "told"]) -> None:
        """Make what was just learned durable, and tell the clients who wait for it."""
        promised = self.rules.promised_after_learning(self.acceptor.promised, chosen)
        self.acceptor = Acceptor(promised, self.acceptor.accepted)
        self.proposer = Proposer(highest=self.proposer.highest)
        self._persist()
        self.effects.append(Learned(chosen, how, DECREE, self.cause, self._after))
        for waiting in self.waiting:
            self._reply(waiting.request, _known(chosen))
        self.waiting = ()

    def _pull(self) -> None:
        others = self._others
        if self.learner.chosen is None and others:
            self._send((others[self.pulls % len(others)],), Ask())
            self.pulls += 1
            self.effects.append(SetTimer("pull", self.pulls))

    # Effects.

    def _persist(self) -> None:
        self.persists += 1
        state = Durable(self.acceptor.promised, self.acceptor.accepted, self.learner.chosen)
        self.effects.append(Persist(self.persists, self.rules.durable(state)))

    def _send(self, to: tuple[int, ...], message: Message) -> None:
        self.sends += 1
        id = f"n{self.before.server_id}.{self.before.incarnation}.{self.sends}"
        self.effects.append(Send(to, message, id, self.cause, self._after))

    def _reply(self, request: int, outcome: Outcome) -> None:
        self.effects.append(Reply(request, outcome, self._after))

    @property
    def _after(self) -> int | None:
        return self.rules.release(self.persists)

    @property
    def _others(self) -> tuple[int, ...]:
        return tuple(member for member in self.before.members if member != self.before.server_id)


def _known(chosen: Vote | None) -> Chosen | Unknown:
    return Unknown() if chosen is None else Chosen(chosen.value, chosen.ballot)
