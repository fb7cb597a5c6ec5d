"""What each node does about each event, worked out once; and which messages it has outgrown.

**Stale messages.** A message that changes nothing where it arrives is taken out of the world, on the
presumption that it never will again. For a correct Paxos that is so, for promises and ballots only rise;
for a broken one it may not be. So when all is explored each such message is tried once more, on all that its
receiver can have become since. If it matters anywhere, the presumption was wrong for it, and the exploration
is done again with that message kept. What remains is exact, whatever the rules are.

**Refusals.** While no timer can fire any more, a refusal does nothing but to silence a proposer, as if it
got no more answers. It is presumed stale wherever it arrives, and put to the same test.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from ostrakon.paxos_impl.core import (
    Accepted,
    BackingOff,
    Event,
    Nack,
    Preparing,
    ProposeRequested,
    Proposing,
    Received,
    TimerFired,
    Value,
)
from ostrakon.workloads.small_world.local import Local, Outcome, react, restart
from ostrakon.workloads.small_world.numbers import Book, Mail, all_copies_of, copy_of, mails_in
from ostrakon.workloads.small_world.step import Ask, Crash, Deliver, Fire, Learn, Step
from ostrakon.workloads.small_world.witness import Proposed


class Move(NamedTuple):
    """What a step changes; sets are of bits."""

    step: Step
    node: int
    local: int
    sent: int
    votes: int
    promises: int
    used: int
    broken: str
    is_silent: bool
    """Whether it leaves all that was ever seen as it is."""


class OwnMoves(NamedTuple):
    """What can happen to a node that needs no message."""

    asks: tuple[Move, ...]
    timeouts: tuple[Move, ...]
    crashes: tuple[Move, ...]


class Reductions(NamedTuple):
    """Which moves need not be told apart, or tried at all."""

    kept: Collection[Mail]
    """Messages that are never taken for stale."""
    repeats: bool
    """Whether a message may arrive again."""
    at_once: tuple[type, ...]
    """The kinds of messages that a node hears from itself at once."""


class Moves:
    """All moves of all nodes, as long as timers may fire, or once they may not."""

    def __init__(
        self,
        book: Book,
        *,
        timers: bool,
        may_ask: Callable[[Local], bool],
        asked_for: Callable[[str | None], str],
        reductions: Reductions,
    ) -> None:
        self._book, self._timers, self._may_ask, self._asked_for = book, timers, may_ask, asked_for
        self._kept, self._repeats = frozenset(reductions.kept), reductions.repeats
        self._at_once = reductions.at_once
        self._heard: dict[tuple[int, int], Move | None] = {}
        self._learned: dict[tuple[int, int], Move | None] = {}
        self._own: dict[int, OwnMoves] = {}
        self._looked_at: dict[int, int] = {}
        self._stale: dict[int, int] = {}
        self._unsent: set[int] = set()

    def hear(self, at: int, mail: int) -> Move | None:
        """A message arrives; None if nothing comes of it."""
        try:
            return self._heard[at, mail]
        except KeyError:
            move = self._heard[at, mail] = self._hear(at, mail)
            return move

    def own(self, at: int) -> OwnMoves:
        """What can happen to a node by itself."""
        found = self._own.get(at)
        if found is None:
            local = self._book.locals.items[at]
            found = self._own[at] = OwnMoves(
                (self._ask(local),) if self._may_ask(local) else (),
                tuple(self._time_out(local)) if self._timers else (),
                tuple(self._crash(local)),
            )
        return found

    def learn(self, at: int, lesson: int) -> Move | None:
        """Votes arrive by which something can be learned; None if that only silences the node."""
        try:
            return self._learned[at, lesson]
        except KeyError:
            move = self._learned[at, lesson] = self._learn(at, lesson)
            return move

    def stale(self, at: int, under_way: int) -> int:
        """The messages for a node, of those under way, that it has outgrown."""
        unknown = under_way & ~self._looked_at.get(at, 0)
        if unknown:
            self._look(at, unknown)
        return self._stale.get(at, 0)

    def wrongly_stale(self, others: Moves) -> set[Mail]:
        """The messages that were presumed stale, but matter to what their receivers can become.

        `others` are the moves that a node makes when timers can fire no more.
        """
        wrong = set()
        mine, theirs = self._edges(), others._edges()
        for at, stale in self._stale.items():
            later = [(self, after) for after in _reachable({at}, mine)]
            if others is not self:
                later += [(others, after) for after in _reachable({after for _, after in later}, theirs)]
            for mail in mails_in(stale):
                if any(moves.hear(after, mail) is not None for moves, after in later):
                    wrong.add(self._book.mails.items[mail])
        for mail in self._unsent:
            everyone = [at for at in self._own if self._is_for(at, mail)]
            if any(self.hear(at, mail) is not None for at in everyone):
                wrong.add(self._book.mails.items[mail])
        return wrong

    def _is_for(self, at: int, mail: int) -> bool:
        return self._book.mails.items[mail].receiver == self._book.locals.items[at].node

    def _edges(self) -> dict[int, list[int]]:
        edges: dict[int, list[int]] = {}
        for (at, _), move in [*self._heard.items(), *self._learned.items()]:
            if move is not None:
                edges.setdefault(at, []).append(move.local)
        for at, own in self._own.items():
            edges.setdefault(at, []).extend(move.local for moves in own for move in moves)
        return edges

    def _look(self, at: int, unknown: int) -> None:
        stale = self._stale.get(at, 0)
        items, node = self._book.mails.items, self._book.locals.items[at].node
        for mail in mails_in(unknown):
            if items[mail].receiver == node and items[mail] not in self._kept and self.hear(at, mail) is None:
                stale |= all_copies_of(mail)
            self._looked_at[at] = self._looked_at.get(at, 0) | all_copies_of(mail)
        self._stale[at] = stale

    def _hear(self, at: int, mail: int) -> Move | None:
        sender, receiver, message = self._book.mails.items[mail]
        local = self._book.locals.items[at]
        outcome = self._react(local, Received(message, sender, ""))
        changed = outcome.local != local and not self._only_silences(local, outcome.local)
        move = self._move(Deliver(sender, receiver, message), outcome)
        return move if changed or move.sent or not move.is_silent else None

    def _only_silences(self, before: Local, after: Local) -> bool:
        """Whether a node is but refused, and left as it would be if it got no more answers."""
        phase = after.instance.proposer.phase
        is_quiet = not self._timers and (
            phase == before.instance.proposer.phase or isinstance(phase, BackingOff)
        )
        return is_quiet and before == replace(
            after, instance=replace(after.instance, proposer=before.instance.proposer)
        )

    def _ask(self, local: Local) -> Move:
        asked = replace(local, asked=local.asked + 1, asked_now=local.asked_now + 1)
        value = asked_values(asked)[-1]
        outcome = self._react(asked, ProposeRequested(asked.asked_now, value))
        return self._move(Ask(local.node, value), outcome)

    def _time_out(self, local: Local) -> Iterator[Move]:
        match local.instance.proposer.phase:
            case Preparing() | Proposing():
                outcome = self._react(local, TimerFired("retransmit"))
                yield self._move(Fire(local.node, "retransmit"), outcome)
            case BackingOff():
                yield self._move(Fire(local.node, "back_off"), self._react(local, TimerFired("back_off")))

    def _crash(self, local: Local) -> Iterator[Move]:
        for found in local.disk:
            after = restart(local, found)
            same_life = replace(after.instance, incarnation=local.instance.incarnation)
            if len(local.disk) > 1 or same_life != local.instance:
                yield self._move(Crash(local.node, found), Outcome(after))

    def _learn(self, at: int, lesson: int) -> Move | None:
        local = self._book.locals.items[at]
        vote, voters = self._book.lessons.items[lesson]
        heard = (Received(Accepted(vote.ballot, vote.value), voter, "") for voter in voters)
        outcome = self._react(local, *heard)
        if outcome.local.instance.acceptor == local.instance.acceptor and outcome.is_silent:
            return None
        return self._move(Learn(local.node, vote, voters), outcome)

    def _react(self, local: Local, *happened: Event) -> Outcome:
        return react(local, *happened, at_once=self._at_once)

    def _move(self, step: Step, outcome: Outcome) -> Move:
        book, node = self._book, outcome.local.node
        sent = 0
        for receiver, message in outcome.sent:
            item = Mail(node, receiver, message)
            mail = book.mails.of(item)
            if isinstance(message, Nack) and not self._timers and item not in self._kept:
                self._unsent.add(mail)
            elif self._repeats:
                sent |= copy_of(mail)
            else:
                sent += copy_of(mail)
        prepared: list[Proposed] = [(node, ballot, None) for ballot in outcome.prepares]
        proposed = [(node, proposal.ballot, proposal.value) for proposal in outcome.proposals]
        votes = book.votes.bits((node, vote) for vote in outcome.votes)
        promises = book.promises.bits((node, promise) for promise in outcome.promises)
        used = book.used.bits([*prepared, *proposed])
        return Move(
            step,
            node,
            book.locals.of(outcome.local),
            sent,
            votes,
            promises,
            used,
            self._asked_for(outcome.broken),
            not (votes or promises or used),
        )


def _reachable(begun: set[int], edges: Mapping[int, list[int]]) -> set[int]:
    found, waiting = set(begun), deque(begun)
    while waiting:
        for after in edges.get(waiting.popleft(), ()):
            if after not in found:
                found.add(after)
                waiting.append(after)
    return found


def asked_values(local: Local) -> list[Value]:
    """What clients have proposed to a node: n1's are v1, v1', v1'' and so on."""
    return [f"v{local.node}" + "'" * number for number in range(local.asked)]
