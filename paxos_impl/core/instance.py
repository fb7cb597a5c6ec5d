"""One instance of Basic Paxos, proposer, acceptor and learner at once, as a pure state machine.

What must always hold: a message leaves an instance only once the state that it rests on is durable, because
it waits for the last `Persist` before it; and what an instance has learned never changes.
"""

from __future__ import annotations

import msgspec

from ostrakon.paxos_impl.core.acceptor import Acceptor
from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.effect import Durable, Effect
from ostrakon.paxos_impl.core.event import Event, Received
from ostrakon.paxos_impl.core.learner import Learner
from ostrakon.paxos_impl.core.proposer import Proposer
from ostrakon.paxos_impl.core.rules import RULES, Rules
from ostrakon.paxos_impl.core.transition import Transition, WaitingClient


class Instance(msgspec.Struct, frozen=True, gc=False):
    """All that one node knows of the decree. Make one with `recover`, then step it with `Started()`."""

    server_id: int
    members: tuple[int, ...]
    incarnation: int
    acceptor: Acceptor = Acceptor()
    proposer: Proposer = Proposer()
    learner: Learner = Learner()
    waiting: tuple[WaitingClient, ...] = ()
    own_ballot: Ballot | None = None
    """The ballot that it used last in this incarnation."""
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
        """An instance at start-up, with what was persisted last."""
        assert server_id in members, f"{server_id} is none of {members}"
        assert len(set(members)) == len(members), f"{members} would count someone twice"
        acceptor = Acceptor(state.promised, state.accepted)
        return cls(server_id, members, incarnation, acceptor, learner=Learner(state.chosen), rules=rules)

    @property
    def durable(self) -> Durable:
        """What has to be durable by now."""
        return Durable(self.acceptor.promised, self.acceptor.accepted, self.learner.chosen)

    def step(self, event: Event) -> tuple[Instance, list[Effect]]:
        """The instance after an event, and what it wants done, in order."""
        cause = event.id if isinstance(event, Received) else None
        transition = Transition(
            self,
            cause,
            self.rules,
            self.acceptor,
            self.proposer,
            self.learner,
            self.waiting,
            self.own_ballot,
            self.pulls,
            self.persists,
            self.sends,
        )
        transition.handle(event)
        after = Instance(
            self.server_id,
            self.members,
            self.incarnation,
            transition.acceptor,
            transition.proposer,
            transition.learner,
            transition.waiting,
            transition.own_ballot,
            transition.pulls,
            transition.persists,
            transition.sends,
            self.rules,
        )
        return after, transition.effects
