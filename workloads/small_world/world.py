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

from collections.abc import Collection, Hashable, Iterator
from itertools import permutations
from typing import Generic, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from paxos_impl.core import (
    RULES,
    Accepted,
    BackingOff,
    Ballot,
    Message,
    Preparing,
    Promise,
    Propose,
    ProposeRequested,
    Proposing,
    Received,
    Rules,
    TimerFired,
    Value,
    Vote,
)
from workloads.small_world.local import Local, Outcome, begin, react, restart
from workloads.small_world.step import Ask, Crash, Deliver, Fire, Learn, Step
from workloads.small_world.witness import (
    Cast,
    Given,
    Proposed,
    collision,
    disagreement,
    is_safe,
    learnable,
    voters_of,
)

PROPERTIES = ("P1", "P2", "P3", "P4", "P6", "P7", "P8", "P9", "P10")
"""What is asked of every state."""
HARM = ("P2", "P3", "P4")
"""Those whose violation is disagreement, or leads there as soon as somebody asks."""
_COPIES_BITS = 4


class Size(msgspec.Struct, frozen=True):
    """How small a world is."""

    proposers: int = 2
    acceptors: int = 3
    """Every node is one; the first of them propose too."""
    crashes: int = 0
    """How many there may be, of any nodes."""
    timeouts: int = 0
    """How many timers may run out, each letting a proposer send again or begin a new ballot."""
    requests: int = 1
    """How many values clients propose to each proposer in each of its lives."""
    duplicates: bool = False
    """Whether messages may arrive again and again."""


class State(NamedTuple):
    """A world at one moment. The numbers are those of a `SmallWorld`."""

    nodes: tuple[int, ...]
    under_way: int
    """How many copies of each message there are, in groups of bits."""
    votes: int
    """Those that were ever cast, as a set of bits."""
    promises: int
    """Those ever given for ballots at which nothing is proposed yet."""
    used: int
    """What ballots were used for, and by whom."""
    crashes: int
    """How many there may still be."""
    timeouts: int
    broken: str
    """The property that the last step broke, or nothing."""


class SmallWorld:
    """All that can happen in a world of some size, for `harness.model.explore`."""

    def __init__(
        self, size: Size, rules: Rules = RULES, *, properties: Collection[str] = PROPERTIES
    ) -> None:
        self.size = size
        self._rules, self._properties = rules, frozenset(properties)
        self._members = tuple(range(1, size.acceptors + 1))
        self._locals, self._mails = _Numbers[Local](), _Numbers[_Mail]()
        self._votes, self._promises = _Numbers[Cast](), _Numbers[Given]()
        self._used = _Numbers[Proposed]()
        self._heard: dict[tuple[int, int], _Move | None] = {}
        self._own: dict[int, _Own] = {}
        self._learned: dict[tuple[int, int], _Move | None] = {}
        self._learnable: dict[int, tuple[int, ...]] = {}
        self._lessons = _Numbers[tuple[Vote, tuple[int, ...]]]()
        self._disagreements: dict[int, str] = {}
        self._renamings = [_Renaming(self, names) for names in _namings(size)]

    # What the explorer asks.

    def initial(self) -> Iterator[State]:
        """All nodes started, and nobody has asked for anything."""
        nodes = tuple(self._locals.of(begin(member, self._members, self._rules)) for member in self._members)
        yield State(nodes, 0, 0, 0, 0, self.size.crashes, self.size.timeouts, "")

    def successors(self, state: State) -> Iterator[tuple[Step, State]]:
        """What can happen next; nothing more after a property was broken."""
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
        receivers, heard = self._mails.items, self._heard
        for mail in _set_groups(state.under_way):
            at = nodes[receivers[mail].receiver - 1]
            try:
                move = heard[at, mail]
            except KeyError:
                move = heard[at, mail] = self._hear(at, mail)
            if move is not None:
                yield move.step, self._after(state, move, mail)
        for at in nodes:
            own = self._own.get(at) or self._find_own(at)
            for move in own.asks:
                yield move.step, self._after(state, move)
            if state.timeouts:
                for move in own.timeouts:
                    yield move.step, self._after(state, move)._replace(timeouts=state.timeouts - 1)
            if state.crashes:
                for move in own.crashes:
                    yield move.step, self._after(state, move)._replace(crashes=state.crashes - 1)
        if state.votes:
            yield from self._learning(state)

    def canonical(self, state: State) -> State:
        """The one that stands for all states that differ from it in the names of alike acceptors."""
        return min([state, *(renaming.state(state) for renaming in self._renamings)])

    def has_chosen(self, state: State) -> bool:
        """Whether some quorum voted alike."""
        voters = voters_of(self._votes.of_bits(state.votes))
        return any(len(who) > len(self._members) // 2 for who in voters.values())

    # What a step makes of a state.

    def _after(self, state: State, move: _Move, mail: int | None = None) -> State:
        nodes, under_way, votes, promises, used, crashes, timeouts, broken = state
        if mail is not None and not self.size.duplicates:
            under_way -= 1 << mail * _COPIES_BITS
        at = move.node - 1
        nodes = (*nodes[:at], move.local, *nodes[at + 1 :])
        if self.size.duplicates:
            under_way |= move.sent
        else:
            under_way += move.sent
        if move.is_silent:
            return State(nodes, under_way, votes, promises, used, crashes, timeouts, move.broken)
        broken = move.broken
        promises |= move.promises
        if move.used:
            broken = self._misuse(nodes, promises, used, move) or broken
            used |= move.used
        promises &= ~self._settled(used)
        if move.votes & ~votes:
            votes |= move.votes
            broken = self._disagreement(votes) or broken
        return State(nodes, under_way, votes, promises, used, crashes, timeouts, broken)

    def _disagreement(self, votes: int) -> str:
        if votes not in self._disagreements:
            cast = self._votes.of_bits(votes)
            found = disagreement(cast, len(self._members), self._rules, twice=self.size.duplicates)
            self._disagreements[votes] = self._asked_for(found)
        return self._disagreements[votes]

    def _misuse(self, nodes: tuple[int, ...], promises: int, used: int, move: _Move) -> str:
        """What is wrong with the ballots that a move prepares, or proposes at."""
        earlier = self._used.of_bits(used)
        for new in self._used.of_bits(move.used & ~used):
            _, ballot, value = new
            if collision(earlier, new) and (broken := self._asked_for("P6")):
                return broken
            if value is None:
                continue
            given = self._promises.of_bits(promises)
            if not is_safe(Propose(ballot, value), given, len(self._members)) and (
                broken := self._asked_for("P9")
            ):
                return broken
            if not any(value in _asked_values(self._locals.items[at]) for at in nodes) and (
                broken := self._asked_for("P1")
            ):
                return broken
        return ""

    def _settled(self, used: int) -> int:
        """The promises that no judgement will need any more: something was proposed at their ballots."""
        ballots = {ballot for _, ballot, value in self._used.of_bits(used) if value is not None}
        settled = 0
        for number, (_, promise) in enumerate(self._promises.items):
            if promise.ballot in ballots:
                settled |= 1 << number
        return settled

    def _asked_for(self, broken: str | None) -> str:
        return broken if broken in self._properties else ""

    # What a node does about an event, each worked out once.

    def _hear(self, at: int, mail: int) -> _Move | None:
        sender, receiver, message = self._mails.items[mail]
        local = self._locals.items[at]
        outcome = react(local, Received(message, sender, ""))
        if outcome.local == local and outcome.is_silent:
            return None
        return self._move(Deliver(sender, receiver, message), outcome)

    def _find_own(self, at: int) -> _Own:
        local = self._locals.items[at]
        own = self._own[at] = _Own(
            [self._ask(local)] if local.node <= self.size.proposers and self._may_ask(local) else [],
            list(self._time_out(local)),
            list(self._crash(local)),
        )
        return own

    def _may_ask(self, local: Local) -> bool:
        return local.asked_now < self.size.requests

    def _ask(self, local: Local) -> _Move:
        asked = replace(local, asked=local.asked + 1, asked_now=local.asked_now + 1)
        value = _asked_values(asked)[-1]
        outcome = react(asked, ProposeRequested(asked.asked_now, value))
        return self._move(Ask(local.node, value), outcome)

    def _time_out(self, local: Local) -> Iterator[_Move]:
        match local.instance.proposer.phase:
            case Preparing() | Proposing():
                outcome = react(local, TimerFired("retransmit"))
                yield self._move(Fire(local.node, "retransmit"), outcome)
            case BackingOff():
                yield self._move(Fire(local.node, "back_off"), react(local, TimerFired("back_off")))

    def _crash(self, local: Local) -> Iterator[_Move]:
        for found in local.disk:
            after = restart(local, found)
            same_life = replace(after.instance, incarnation=local.instance.incarnation)
            if len(local.disk) > 1 or same_life != local.instance:
                yield self._move(Crash(local.node, found), Outcome(after))

    def _learning(self, state: State) -> Iterator[tuple[Step, State]]:
        votes = state.votes
        lessons = self._learnable.get(votes)
        if lessons is None:
            cast, members = self._votes.of_bits(votes), len(self._members)
            found = learnable(cast, members, self._rules, twice=self.size.duplicates)
            lessons = self._learnable[votes] = tuple(self._lessons.of(lesson) for lesson in found)
        for lesson in lessons:
            for at in state.nodes:
                if (at, lesson) not in self._learned:
                    self._learned[at, lesson] = self._learn(at, lesson)
                if (move := self._learned[at, lesson]) is not None:
                    yield move.step, self._after(state, move)

    def _learn(self, at: int, lesson: int) -> _Move | None:
        local = self._locals.items[at]
        vote, voters = self._lessons.items[lesson]
        outcome = react(
            local, *(Received(Accepted(vote.ballot, vote.value), voter, "") for voter in voters)
        )
        if outcome.local.instance.acceptor == local.instance.acceptor and outcome.is_silent:
            return None
        return self._move(Learn(local.node, vote, voters), outcome)

    def _move(self, step: Step, outcome: Outcome) -> _Move:
        node = outcome.local.node
        sent = 0
        for receiver, message in outcome.sent:
            copy = 1 << self._mails.of(_Mail(node, receiver, message)) * _COPIES_BITS
            sent = sent | copy if self.size.duplicates else sent + copy
        prepared: list[Proposed] = [(node, ballot, None) for ballot in outcome.prepares]
        proposed = [(node, proposal.ballot, proposal.value) for proposal in outcome.proposals]
        return _Move(
            step,
            node,
            self._locals.of(outcome.local),
            sent,
            self._votes.bits((node, vote) for vote in outcome.votes),
            self._promises.bits((node, promise) for promise in outcome.promises),
            self._used.bits([*prepared, *proposed]),
            self._asked_for(outcome.broken),
        )


class _Mail(NamedTuple):
    sender: int
    receiver: int
    message: Message


class _Move(NamedTuple):
    """What a step changes, in numbers."""

    step: Step
    node: int
    local: int
    sent: int
    votes: int
    promises: int
    used: int
    broken: str

    @property
    def is_silent(self) -> bool:
        return not (self.votes or self.promises or self.used)


class _Own(NamedTuple):
    """What can happen to a node that needs no message."""

    asks: list[_Move]
    timeouts: list[_Move]
    crashes: list[_Move]


ItemT = TypeVar("ItemT", bound=Hashable)


class _Numbers(Generic[ItemT]):
    """Things numbered in the order in which they were first met."""

    def __init__(self) -> None:
        self.items: list[ItemT] = []
        self._numbers: dict[ItemT, int] = {}
        self._sets: dict[int, tuple[ItemT, ...]] = {}

    def of(self, item: ItemT) -> int:
        number = self._numbers.get(item)
        if number is None:
            number = self._numbers[item] = len(self.items)
            self.items.append(item)
        return number

    def bits(self, items: Collection[ItemT] | Iterator[ItemT]) -> int:
        bits = 0
        for item in items:
            bits |= 1 << self.of(item)
        return bits

    def of_bits(self, bits: int) -> tuple[ItemT, ...]:
        found = self._sets.get(bits)
        if found is None:
            found = self._sets[bits] = tuple(self.items[number] for number in _set_bits(bits))
        return found


def _set_bits(bits: int) -> Iterator[int]:
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


def _set_groups(groups: int) -> Iterator[int]:
    """The numbers of the groups of bits that are not zero."""
    number = 0
    while groups:
        skipped = ((groups & -groups).bit_length() - 1) // _COPIES_BITS
        number += skipped
        yield number
        groups >>= (skipped + 1) * _COPIES_BITS
        number += 1


def _asked_values(local: Local) -> list[Value]:
    """What clients have proposed to a node: n1's are v1, v1', v1'' and so on."""
    return [f"v{local.node}" + "'" * number for number in range(local.asked)]


# Acceptors that never propose, under other names.


def _namings(size: Size) -> list[dict[int, int]]:
    """All other ways to name the acceptors that never propose."""
    alike = range(size.proposers + 1, size.acceptors + 1)
    return [
        dict(zip(alike, names, strict=True))
        for names in permutations(alike)
        if names != tuple(alike)
    ]


class _Renaming:
    """A world's states as they would be if some acceptors had each other's names."""

    def __init__(self, world: SmallWorld, names: dict[int, int]) -> None:
        self._world, self._names = world, names
        members = range(1, world.size.acceptors + 1)
        self._places = tuple(
            old - 1 for old in sorted(members, key=lambda member: names.get(member, member))
        )
        self._renamed: dict[tuple[str, int], int] = {}

    def state(self, state: State) -> State:
        return state._replace(
            nodes=tuple(self._local(state.nodes[place]) for place in self._places),
            under_way=self._under_way(state.under_way),
            votes=self._bits("votes", state.votes),
            promises=self._bits("promises", state.promises),
            used=self._bits("used", state.used),
        )

    def _name(self, node: int) -> int:
        return self._names.get(node, node)

    def _local(self, number: int) -> int:
        found = self._renamed.get(("local", number))
        if found is None:
            numbers = self._world._locals
            local = numbers.items[number]
            instance = local.instance
            proposer = instance.proposer
            if isinstance(phase := proposer.phase, Preparing):
                promisers = tuple(map(self._name, phase.promisers))
                proposer = replace(proposer, phase=replace(phase, promisers=promisers))
            instance = replace(instance, server_id=self._name(instance.server_id), proposer=proposer)
            found = self._renamed["local", number] = numbers.of(replace(local, instance=instance))
        return found

    def _under_way(self, under_way: int) -> int:
        renamed = 0
        for mail in _set_groups(under_way):
            copies = under_way >> mail * _COPIES_BITS & (1 << _COPIES_BITS) - 1
            renamed += copies << self._mail(mail) * _COPIES_BITS
        return renamed

    def _mail(self, number: int) -> int:
        found = self._renamed.get(("mail", number))
        if found is None:
            sender, receiver, message = self._world._mails.items[number]
            mail = _Mail(self._name(sender), self._name(receiver), message)
            found = self._renamed["mail", number] = self._world._mails.of(mail)
        return found

    def _bits(self, what: str, bits: int) -> int:
        found = self._renamed.get((what, bits))
        if found is None:
            numbers: _Numbers[tuple[int, ...]] = getattr(self._world, f"_{what}")
            renamed = [(self._name(item[0]), *item[1:]) for item in numbers.of_bits(bits)]
            found = self._renamed[what, bits] = numbers.bits(iter(renamed))
        return found
