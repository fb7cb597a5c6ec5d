"""The rules of Paxos, each a small pure function with the line of the paper that demands it.

Each can be overridden alone, so a seeded bug is one rule of the paper that is broken.
"""

from __future__ import annotations

from collections.abc import Sequence

from ostrakon.paxos_impl.core.acceptor import Acceptor
from ostrakon.paxos_impl.core.ballot import Ballot, Value, Vote, highest
from ostrakon.paxos_impl.core.effect import Durable
from ostrakon.paxos_impl.core.message import Nack, Promise


class Rules:
    """Basic Paxos. If any one is broken, some schedule makes two nodes disagree, or no node decide."""

    __slots__ = ()

    def quorum(self, members: int) -> int:
        """The size of a majority. Any two majorities share a member (PMS 2.2)."""
        return members // 2 + 1

    def next_ballot(
        self, server_id: int, own: Ballot | None, promised: Ballot | None, seen: Ballot | None
    ) -> Ballot:
        """A ballot for a new proposal, higher than any that this node ever used.

        `own` was used last in this incarnation, and is forgotten at a restart. `promised` is durable, and a
        proposer promises its own ballot before it sends it, so `promised` is at least the highest ballot that
        it ever tried (PMS 2.5). `seen` was heard of from others; to go above it makes for progress only.
        """
        floor = highest(own, promised, seen)
        return Ballot(1 if floor is None else floor.round + 1, server_id)

    def may_promise(self, acceptor: Acceptor, ballot: Ballot) -> bool:
        """Phase 1b. An equal ballot is the same prepare again, whose promise may have been lost."""
        return acceptor.promised is None or ballot >= acceptor.promised

    def promise(self, acceptor: Acceptor, ballot: Ballot) -> Acceptor:
        """The acceptor after it has promised to accept nothing below `ballot`."""
        return Acceptor(ballot, acceptor.accepted)

    def reported(self, acceptor: Acceptor) -> Vote | None:
        """What a promise reports: the accepted proposal of the highest ballot, if any (PMS 2.2, phase 1b)."""
        return acceptor.accepted

    def may_accept(self, acceptor: Acceptor, ballot: Ballot) -> bool:
        """P1a: accept a proposal iff no prepare with a higher number was answered."""
        return acceptor.promised is None or ballot >= acceptor.promised

    def accept(self, acceptor: Acceptor, vote: Vote) -> Acceptor:
        """The acceptor after it has voted.

        The promise rises too. An acceptor that had not seen the prepare could otherwise vote at a lower
        ballot later, and then report that lower vote as its highest.
        """
        return Acceptor(vote.ballot, vote)

    def counts_promise(self, ballot: Ballot, reply: Promise | Nack) -> bool:
        """Whether a reply promises `ballot`: no refusal does, and no promise of another ballot."""
        return isinstance(reply, Promise) and reply.ballot == ballot

    def with_voter(self, voters: tuple[int, ...], voter: int) -> tuple[int, ...]:
        """The acceptors heard from, each counted once: a quorum is a set of acceptors, not of messages."""
        return voters if voter in voters else (*voters, voter)

    def safe_value(self, reports: Sequence[Vote | None], wanted: Value) -> Value:
        """P2c: the value of the highest-numbered proposal among those reported, or any if there is none.

        `reports` has one entry for each acceptor of the quorum, in the order of arrival.
        """
        votes = [vote for vote in reports if vote is not None]
        return max(votes, key=lambda vote: vote.ballot).value if votes else wanted

    def resent_value(self, proposed: Value, wanted: Value) -> Value:
        """What is sent again at a ballot: what was proposed, since a proposal has one value (PMS 2.2)."""
        return proposed

    def is_chosen(self, voters: tuple[int, ...], members: int) -> bool:
        """A value is chosen when a majority has accepted it at one ballot (PMS 2.2)."""
        return len(voters) >= self.quorum(members)

    def promised_after_learning(self, promised: Ballot | None, chosen: Vote) -> Ballot | None:
        """The promise after learning what is chosen: as before, whatever the ballot that it was chosen at."""
        return promised

    def durable(self, state: Durable) -> Durable:
        """What goes to stable storage: all of it (PMS 2.5)."""
        return state

    def release(self, persists: int) -> int | None:
        """Which persist a message waits for: the last one before it.

        "An acceptor records its intended response in stable storage before actually sending the response"
        (PMS 2.5). A message that repeats what is durable already need not wait. It does, because
        that is simpler and the wait is short.
        """
        return persists or None


RULES = Rules()
"""The rules as they are in the paper."""
