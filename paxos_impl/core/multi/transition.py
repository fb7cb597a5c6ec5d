"""A transition: the state that a step has reached so far, and the effects that it wants carried out.

Roles take a transition and return the next one. None of them changes anything in place, so a role can be
tested alone, and `dispatch` decides in one place which role acts when.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from ostrakon.paxos_impl.core.multi.command import Batch
from ostrakon.paxos_impl.core.multi.configuration import Configuration, members_of
from ostrakon.paxos_impl.core.multi.effect import Configured, Effect, Fact, Persist, PersistLazily, Send
from ostrakon.paxos_impl.core.multi.lease import ClockReading
from ostrakon.paxos_impl.core.multi.message import Message
from ostrakon.paxos_impl.core.multi.state import State


class Transition(msgspec.Struct, frozen=True, gc=False):
    """A state, and the effects that led to it."""

    state: State
    cause: str | None
    """The id of the message that is being handled; None if the event is no message."""
    now: ClockReading
    """What the clocks showed when the event had come in."""
    effects: tuple[Effect, ...] = ()

    def update(self, **changes: Any) -> Transition:
        """With other values in some fields of the state."""
        return Transition(replace(self.state, **changes), self.cause, self.now, self.effects)

    def emit(self, *effects: Effect) -> Transition:
        """With more effects, to be carried out after those before them."""
        return Transition(self.state, self.cause, self.now, self.effects + effects)

    def persist(self, fact: Fact) -> Transition:
        """With a fact that must be durable before anything that is sent from now on leaves."""
        state = self.state
        remembered = state.rules.remembered(fact)
        if remembered is None:
            return self
        n = state.persists + 1
        effects = (*self.effects, Persist(n, remembered))
        return Transition(replace(state, persists=n), self.cause, self.now, effects)

    def send(self, to: tuple[int, ...], message: Message, about: Batch | None = None) -> Transition:
        """With a message to these members, which leaves once what it rests on is durable."""
        if not to:
            return self
        state = self.state
        n = state.sends + 1
        id = f"n{state.server_id}.{state.incarnation}.{n}"
        sent = Send(to, message, id, self.cause, state.rules.release(state.persists), about)
        return Transition(replace(state, sends=n), self.cause, self.now, (*self.effects, sent))

    def note(self, fact: Fact) -> Transition:
        """With a fact to be written down at some time: nothing that is sent rests on it."""
        return self.emit(PersistLazily(fact))

    def configure(self, configurations: tuple[Configuration, ...]) -> Transition:
        """With other configurations for the slots that are still open; new ones are announced."""
        known = self.state.configurations
        added = tuple(Configured(each) for each in configurations if each not in known and each.members)
        return self.emit(*added).update(configurations=configurations, members=members_of(configurations))

    def is_bound(self, candidate: int) -> bool:
        """Whether a lease that this replica granted forbids it to promise this candidate anything yet."""
        return self.state.rules.is_bound(self.state.grant, candidate, self.now)
