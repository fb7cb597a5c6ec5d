"""A small world: a few instances of the core, a network, and everything that can happen to them.

Instances, messages and what was seen are numbered, and a state is made of numbers; what a node does about an
event is looked up. The reductions, and why none of them hides a broken property:

* *A lost message is one that stays under way for ever.* No property says that something must arrive.
* *Counters and message ids are left out*: no decision depends on them.
* *A node hears its own promise or refusal at once*: the driver puts it into the inbox before anything that
  another could say about it.
* *Votes are seen, not sent.* A learner counts votes and does nothing else with them, so what can be learned
  is worked out from all the votes there are. Learning them is a step only where it changes the acceptor; all
  else that it does is to silence the node's proposer, as if nothing reached it any more.
* *Asks and tells are left out*: they repeat votes, or what was learned by votes.
* *A crash while something is being written* is one before it, if nothing had left by then: the event that
  was being handled is lost with it. What may have left before it was durable leaves several states that a
  restart may find, and each is tried.
* *A crash of a node that has nothing to forget* is no step.
* *A delivery that changes nothing* is no step; the message stays under way.
* *Acceptors that never propose are alike*: of worlds that differ in their names only, one is explored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import permutations
from typing import NamedTuple

from ostrakon.harness.model.size import Size
from ostrakon.paxos_impl.core import RULES, Nack, Promise, Propose, Rules, Value, Vote
from ostrakon.workloads.small_world.local import begin
from ostrakon.workloads.small_world.moves import Move, Moves, Reductions, asked_values
from ostrakon.workloads.small_world.numbers import Book, Mail, all_copies_of, copy_of, mails_in
from ostrakon.workloads.small_world.renaming import Renaming
from ostrakon.workloads.small_world.step import Deliver, Step
from ostrakon.workloads.small_world.witness import (
    collision,
    disagreement,
    is_safe,
    learnable,
    voters_of,
)

PROPERTIES = ("P1", "P2", "P3", "P4", "P6", "P7", "P8", "P9", "P10")
"""The properties that are checked in every state."""
HARM = ("P2", "P3", "P4")
"""The properties whose violation is disagreement, or leads to it as soon as a node asks."""


class State(NamedTuple):
    """A world at one moment. The numbers are those of a `SmallWorld`."""

    nodes: tuple[int, ...]
    under_way: int
    """The number of copies of each message, in groups of bits."""
    votes: int
    """The votes that were ever cast, as a set of bits."""
    promises: int
    """The promises for ballots at which nothing is proposed yet."""
    used: int
    """The uses of ballots, with the nodes that used them."""
    crashes: int
    """How many crashes may still happen."""
    timeouts: int
    """How many timers may still fire."""
    broken: str
    """The property that the last step broke, if any."""


class SmallWorld:
    """All that can happen in a world of some size, for `ostrakon.harness.model.explore`."""

    def __init__(
        self,
        size: Size,
        rules: Rules = RULES,
        *,
        properties: Collection[str] = PROPERTIES,
        kept: Collection[Mail] = (),
        connected: bool = False,
    ) -> None:
        """`properties` are to be looked at; `kept` are messages never to be taken for stale.

        A `connected` world has less in it: a node hears its own proposals at once, and a crash loses all that
        is under way to or from the node, as where nodes talk over connections.
        """
        self.size, self.book = size, Book()
        self._rules, self._properties, self._connected = rules, frozenset(properties), connected
        self._members = tuple(range(1, size.acceptors + 1))
        self._restless, self._settled = (
            Moves(
                self.book,
                timers=timers,
                may_ask=lambda local: local.node <= size.proposers and local.asked_now < size.requests,
                asked_for=self._asked_for,
                reductions=Reductions(
                    kept, size.duplicates, (Promise, Nack, Propose) if connected else (Promise, Nack)
                ),
            )
            for timers in (True, False)
        )
        self._lessons: dict[int, tuple[int, ...]] = {}
        self._disagreements: dict[int, str] = {}
        self._judged: dict[int, int] = {}
        self._renamings = [Renaming(self.book, self._members, names) for names in _namings(size)]

    # What the explorer asks.

    def initial(self) -> Iterator[State]:
        """All nodes are started, and no client has asked for anything."""
        nodes = tuple(
            self.book.locals.of(begin(member, self._members, self._rules)) for member in self._members
        )
        yield State(nodes, 0, 0, 0, 0, self.size.crashes, self.size.timeouts, "")

    def successors(self, state: State) -> Iterator[tuple[Step, State]]:
        """The next steps; none after a property was broken."""
        if not self._renamings:
            yield from self.steps(state)
            return
        for step, after in self.steps(state):
            yield step, self.canonical(after)

    def steps(self, state: State) -> Iterator[tuple[Step, State]]:
        """As `successors`, with every node under its own name."""
        if state.broken:
            return
        nodes = state.nodes
        mails, moves = self.book.mails.items, self._moves(state)
        for mail in mails_in(state.under_way):
            move = moves.hear(nodes[mails[mail].receiver - 1], mail)
            if move is not None:
                yield move.step, self._after(state, move, mail)
        for at in nodes:
            own = moves.own(at)
            for move in own.asks:
                yield move.step, self._after(state, move)
            for move in own.timeouts:
                yield move.step, self._after(state._replace(timeouts=state.timeouts - 1), move)
            if state.crashes:
                for move in own.crashes:
                    yield move.step, self._after(self._without_inbox(state, move.node), move)
        for lesson in self._learnable(state.votes):
            for at in nodes:
                if (move := moves.learn(at, lesson)) is not None:
                    yield move.step, self._after(state, move)

    def canonical(self, state: State) -> State:
        """The state that represents all states that differ from it only in the names of equivalent
        acceptors."""
        return min([state, *(self._renamed(state, renaming) for renaming in self._renamings)])

    def has_chosen(self, state: State) -> bool:
        """Whether some quorum voted alike."""
        voters = voters_of(self.book.votes.of_bits(state.votes))
        return any(len(who) > len(self._members) // 2 for who in voters.values())

    def lessons(self, state: State) -> list[tuple[Vote, tuple[int, ...]]]:
        """What can be learned from the votes, and from which of them."""
        return [self.book.lessons.items[lesson] for lesson in self._learnable(state.votes)]

    def heard_at_once(self, before: State, after: State) -> list[Step]:
        """The steps that a step in a connected world includes: nodes hearing their own proposals."""
        if not self._connected:
            return []
        proposed = self.book.used.of_bits(after.used & ~before.used)
        return [
            Deliver(node, node, Propose(ballot, value))
            for node, ballot, value in proposed
            if value is not None
        ]

    def wrongly_stale(self) -> set[Mail]:
        """The messages that were taken out of the world though they could have mattered; see `Moves`."""
        return self._restless.wrongly_stale(self._settled) | self._settled.wrongly_stale(self._settled)

    # What a step makes of a state.

    def _moves(self, state: State) -> Moves:
        return self._restless if state.timeouts else self._settled

    def _after(self, state: State, move: Move, mail: int | None = None) -> State:
        nodes, under_way, votes, promises, used, crashes, timeouts, _ = state
        if mail is not None and not self.size.duplicates:
            under_way -= copy_of(mail)
        at = move.node - 1
        nodes = (*nodes[:at], move.local, *nodes[at + 1 :])
        if self.size.duplicates:
            under_way |= move.sent
        else:
            under_way += move.sent
        moves = self._moves(state)
        for each in nodes:
            under_way &= ~moves.stale(each, under_way)
        if move.is_silent:
            return State(nodes, under_way, votes, promises, used, crashes, timeouts, move.broken)
        broken = move.broken
        promises |= move.promises
        if move.used & ~used:
            broken = self._misuse(nodes, promises, used, move.used) or broken
            used |= move.used
        promises &= ~self._judged_promises(used)
        if move.votes & ~votes:
            votes |= move.votes
            broken = self._disagreement(votes) or broken
        return State(nodes, under_way, votes, promises, used, crashes, timeouts, broken)

    def _without_inbox(self, state: State, node: int) -> State:
        """The state at a crash: at least the messages that a node had sent itself are lost."""
        under_way, mails = state.under_way, self.book.mails.items
        for mail in mails_in(under_way):
            ends = mails[mail].sender == node, mails[mail].receiver == node
            if any(ends) if self._connected else all(ends):
                under_way &= ~all_copies_of(mail)
        return state._replace(under_way=under_way, crashes=state.crashes - 1)

    def _learnable(self, votes: int) -> tuple[int, ...]:
        found = self._lessons.get(votes)
        if found is None:
            cast, twice = self.book.votes.of_bits(votes), self.size.duplicates
            lessons = learnable(cast, len(self._members), self._rules, twice=twice)
            found = self._lessons[votes] = tuple(self.book.lessons.of(lesson) for lesson in lessons)
        return found

    def _disagreement(self, votes: int) -> str:
        if votes not in self._disagreements:
            cast, twice = self.book.votes.of_bits(votes), self.size.duplicates
            found = disagreement(cast, len(self._members), self._rules, twice=twice)
            self._disagreements[votes] = self._asked_for(found)
        return self._disagreements[votes]

    def _misuse(self, nodes: tuple[int, ...], promises: int, used: int, new: int) -> str:
        """What is wrong with the ballots that a move prepares or proposes at, if anything."""
        earlier, given = self.book.used.of_bits(used), self.book.promises.of_bits(promises)
        for node, ballot, value in self.book.used.of_bits(new & ~used):
            checks = {
                "P6": collision(earlier, (node, ballot, value)),
                "P9": value is not None and not is_safe(ballot, value, given, len(self._members)),
                "P1": value is not None and not self._was_asked_for(value, nodes),
            }
            for property, is_broken in checks.items():
                if is_broken and self._asked_for(property):
                    return property
        return ""

    def _was_asked_for(self, value: Value, nodes: tuple[int, ...]) -> bool:
        return any(value in asked_values(self.book.locals.items[at]) for at in nodes)

    def _judged_promises(self, used: int) -> int:
        """The promises that are not needed any more, because something was proposed at their ballots."""
        found = self._judged.get(used)
        if found is None or found >> len(self.book.promises.items) != 1:
            ballots = {ballot for _, ballot, value in self.book.used.of_bits(used) if value is not None}
            # The highest bit tells how many promises were known when this was worked out.
            found = 1 << len(self.book.promises.items)
            for number, (_, promise) in enumerate(self.book.promises.items):
                if promise.ballot in ballots:
                    found |= 1 << number
            self._judged[used] = found
        return found

    def _asked_for(self, broken: str | None) -> str:
        return broken if broken in self._properties else ""

    def _renamed(self, state: State, renaming: Renaming) -> State:
        nodes, under_way, votes, promises, used, crashes, timeouts, broken = state
        return State(
            renaming.nodes(nodes),
            renaming.under_way(under_way),
            renaming.votes(votes),
            renaming.promises(promises),
            renaming.used(used),
            crashes,
            timeouts,
            broken,
        )


def _namings(size: Size) -> list[dict[int, int]]:
    """All other namings of the acceptors that never propose."""
    alike = tuple(range(size.proposers + 1, size.acceptors + 1))
    return [dict(zip(alike, names, strict=True)) for names in permutations(alike) if names != alike]
