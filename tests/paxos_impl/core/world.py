"""A whole cluster as plain data: instances, messages in flight, disks, timers; the test chooses what happens.

It is the driver of the core at its smallest: a message leaves once its `after` is durable, a crash loses
what was not, and everything else is up to whoever calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ostrakon.paxos_impl.core import (
    RULES,
    Chosen,
    ConfigActive,
    Durable,
    Effect,
    Event,
    GetRequested,
    Instance,
    Learned,
    Outcome,
    Persist,
    ProposeRequested,
    Received,
    Reply,
    Restarted,
    Rules,
    Send,
    SetTimer,
    Started,
    TimerFired,
    Vote,
)
from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.event import Timer
from ostrakon.paxos_impl.core.message import Accepted, Prepare


@dataclass
class Node:
    """One process and its disk. `unsynced` is written but would not survive losing power."""

    instance: Instance
    disk: Durable = Durable()  # noqa: RUF009 - it is frozen
    synced: int = 0
    unsynced: deque[Persist] = field(default_factory=deque)
    held: deque[Effect] = field(default_factory=deque)
    timers: dict[Timer, int] = field(default_factory=dict)
    up: bool = True


@dataclass(frozen=True)
class Flight:
    """A message on its way."""

    send: Send
    sender: int
    to: int

    def __str__(self) -> str:
        return f"n{self.sender}->n{self.to} {self.send.message}"


class World:
    """A cluster of `members`; nothing happens in it by itself."""

    def __init__(
        self,
        members: tuple[int, ...] = (1, 2, 3),
        rules: Rules = RULES,
        watch: Callable[[int, Effect], None] = lambda node, effect: None,
    ) -> None:
        self.members, self.rules, self.watch = members, rules, watch
        self.nodes: dict[int, Node] = {}
        self.flights: list[Flight] = []
        self.learned: list[tuple[int, Vote]] = []
        self.votes: list[tuple[int, Vote]] = []
        self.ballots: dict[int, list[Ballot]] = {member: [] for member in members}
        self.replies: list[tuple[int, int, Outcome]] = []
        self.proposed: list[object] = []
        self.requests = 0
        for member in members:
            self.nodes[member] = Node(Instance.recover(member, members, rules=rules))
            self.step(member, Started())

    def propose(self, node: int, value: object) -> int:
        self.requests += 1
        self.proposed.append(value)
        self.step(node, ProposeRequested(self.requests, value))
        return self.requests

    def get(self, node: int) -> Outcome:
        self.requests += 1
        self.step(node, GetRequested(self.requests))
        return self.replies[-1][2]

    def fire(self, node: int, timer: Timer) -> None:
        if self.nodes[node].timers.pop(timer, None) is not None:
            self.step(node, TimerFired(timer))

    def deliver(self, flight: Flight, *, keep: bool = False, sync: bool = True) -> None:
        """Hand over a message; with `keep` a copy stays in flight, without `sync` its answer waits."""
        if not keep:
            self.flights.remove(flight)
        if self.nodes[flight.to].up:
            self.step(flight.to, Received(flight.send.message, flight.sender, flight.send.id), sync=sync)

    def drop(self, flight: Flight) -> None:
        self.flights.remove(flight)

    def step(self, node: int, event: Event, *, sync: bool = True) -> None:
        self.nodes[node].instance, effects = self.nodes[node].instance.step(event)
        for effect in effects:
            self._do(node, effect)
        if sync:
            self.sync(node)

    def sync(self, node: int) -> None:
        """Make durable what is written, and let go what waited for it."""
        this = self.nodes[node]
        while this.unsynced:
            persist = this.unsynced.popleft()
            this.disk, this.synced = persist.state, persist.n
        while this.held:
            self._emit(node, this.held.popleft())

    def crash(self, node: int) -> None:
        """Lose power: whatever is not durable is gone. Messages in flight are not."""
        this = self.nodes[node]
        this.up = False
        this.unsynced.clear()
        this.held.clear()
        this.timers.clear()

    def restart(self, node: int) -> None:
        this = self.nodes[node]
        incarnation = this.instance.incarnation + 1
        instance = Instance.recover(
            node, self.members, incarnation=incarnation, state=this.disk, rules=self.rules
        )
        self.nodes[node] = Node(instance, this.disk)
        self.step(node, Started())

    def settle(self) -> None:
        """Deliver everything in order of sending until nothing is left in flight."""
        while self.flights:
            self.deliver(self.flights[0])

    @property
    def up(self) -> list[int]:
        return [member for member in self.members if self.nodes[member].up]

    def chosen(self) -> list[Vote]:
        """Every vote that a majority has cast, whoever knows of it."""
        cast = dict.fromkeys(vote for _, vote in self.votes)
        majority = len(self.members) // 2 + 1
        return [vote for vote in cast if len({who for who, what in self.votes if what == vote}) >= majority]

    def _do(self, node: int, effect: Effect) -> None:
        this = self.nodes[node]
        match effect:
            case Persist():
                self.watch(node, effect)
                this.unsynced.append(effect)
            case SetTimer(timer, attempt):
                self.watch(node, effect)
                this.timers[timer] = attempt
            case Restarted() | ConfigActive():
                self.watch(node, effect)
            case Send(after=after) | Reply(after=after) | Learned(after=after):
                if after is not None and after > this.synced:
                    this.held.append(effect)
                else:
                    self._emit(node, effect)

    def _emit(self, node: int, effect: Effect) -> None:
        self.watch(node, effect)
        match effect:
            case Send(to, message):
                if isinstance(message, Prepare):
                    self.ballots[node].append(message.ballot)
                elif isinstance(message, Accepted):
                    self.votes.append((node, Vote(message.ballot, message.value)))
                self.flights.extend(Flight(effect, node, peer) for peer in to)
            case Reply(request, outcome):
                self.replies.append((node, request, outcome))
            case Learned(vote):
                self.learned.append((node, vote))

    def agrees(self) -> bool:
        """No two chosen values, nor two learned ones, nor an answer that is neither (P2, P3)."""
        answers = [outcome.value for _, _, outcome in self.replies if isinstance(outcome, Chosen)]
        values = [vote.value for vote in self.chosen()] + [vote.value for _, vote in self.learned] + answers
        return all(value == values[0] for value in values)
