"""A cluster of replicas of a log as plain data; the test chooses what happens, and when.

It is the driver of the core at its smallest: facts reach the disk in order and only when synced, a message
leaves once its `after` is durable, a crash loses what was not, and all else is up to whoever calls.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from paxos_impl.core.ballot import Ballot
from paxos_impl.core.log import (
    LOG_RULES,
    Apply,
    Batch,
    Command,
    Decline,
    Drained,
    Effect,
    Entry,
    Event,
    Fact,
    Learned,
    LogRules,
    Message,
    Note,
    Overloaded,
    Persist,
    Query,
    ReadRequested,
    Received,
    Recovered,
    Replica,
    Send,
    SetTimer,
    Started,
    Submitted,
    Timer,
    TimerFired,
)
from paxos_impl.core.log.message import Accepted
from paxos_impl.core.log.phase import Leading


@dataclass
class Node:
    """One process and its disk. `unsynced` is written but would not survive losing power."""

    replica: Replica
    disk: list[Fact] = field(default_factory=list)
    unsynced: list[Fact] = field(default_factory=list)
    written: int = 0
    synced: int = 0
    held: deque[Send] = field(default_factory=deque)
    timers: dict[Timer, None] = field(default_factory=dict)
    applied: list[tuple[int, Batch]] = field(default_factory=list)
    up: bool = True


@dataclass(frozen=True)
class Flight:
    """A message on its way."""

    send: Send
    sender: int
    to: int

    @property
    def message(self) -> Message:
        return self.send.message


class LogWorld:
    """Replicas of one log; nothing happens by itself."""

    def __init__(self, members: tuple[int, ...] = (1, 2, 3), rules: LogRules = LOG_RULES) -> None:
        self.members, self.rules = members, rules
        self.flights: list[Flight] = []
        self.votes: list[tuple[int, Entry]] = []
        self.learned: list[tuple[int, Learned]] = []
        self.submitted: list[Command] = []
        self.answers: list[Effect] = []
        self.executed: dict[int, int] = {}
        """By request, the slot in which its command was executed."""
        self.due: dict[int, int] = {}
        """By request to read, the last slot of which a client had heard when it was made."""
        self.requests = 0
        self.nodes: dict[int, Node] = {}
        for member in members:
            self.nodes[member] = Node(Replica.recover(member, members, rules=rules))
            self.step(member, Started())

    # What can happen.

    def submit(self, node: int, op: object) -> int:
        self.requests += 1
        command = Command(f"c{self.requests}", 1, op)
        self.submitted.append(command)
        self.step(node, Submitted(self.requests, command, 20))
        return self.requests

    def read(self, node: int) -> int:
        self.requests += 1
        self.due[self.requests] = max(self.executed.values(), default=0)
        self.step(node, ReadRequested(self.requests, ["get", "x"]))
        return self.requests

    def fire(self, node: int, timer: Timer) -> None:
        if timer in self.nodes[node].timers:
            del self.nodes[node].timers[timer]
            self.step(node, TimerFired(timer))

    def deliver(self, flight: Flight, *, keep: bool = False, sync: bool = True) -> None:
        """Hand over a message; with `keep` a copy stays in flight, without `sync` its answer waits."""
        if not keep:
            self.flights.remove(flight)
        if self.nodes[flight.to].up:
            self.step(flight.to, Received(flight.message, flight.sender, flight.send.id), sync=sync)

    def drop(self, *flights: Flight) -> None:
        for flight in flights:
            self.flights.remove(flight)

    def crash(self, node: int) -> None:
        """Lose power: whatever is not durable is gone. Messages in flight are not."""
        this = self.nodes[node]
        this.up = False
        this.unsynced.clear()
        this.held.clear()
        this.timers.clear()

    def restart(self, node: int) -> None:
        this = self.nodes[node]
        replica = Replica.recover(
            node,
            self.members,
            incarnation=this.replica.incarnation + 1,
            state=recovered(this.disk),
            rules=self.rules,
        )
        self.nodes[node] = Node(replica, this.disk)
        self.step(node, Started())

    # Shorthand for tests.

    def elect(self, node: int) -> None:
        """Have a node elected, and what it proposes decided; all others miss a leader."""
        for member in self.up:
            self.fire(member, "election")
            self.drop(*self.flights)
        self.fire(node, "election")
        self.settle()
        assert isinstance(self.nodes[node].replica.phase, Leading), f"{node} was not elected"

    def settle(self, *, without: tuple[int, ...] = ()) -> None:
        """Deliver everything in order of sending; nothing goes to or from those left out."""
        while self.flights:
            flight = self.flights[0]
            if {flight.sender, flight.to} & {*without}:
                self.drop(flight)
            else:
                self.deliver(flight)

    def sent(self, kind: type) -> list[Flight]:
        """The messages of a kind that are in flight."""
        return [flight for flight in self.flights if isinstance(flight.message, kind)]

    def ops(self, node: int) -> list[object]:
        """What a node has executed, in order."""
        return [command.op for _, batch in self.nodes[node].applied for command in batch]

    @property
    def up(self) -> list[int]:
        return [member for member in self.members if self.nodes[member].up]

    @property
    def leaders(self) -> list[int]:
        return [n for n in self.up if isinstance(self.nodes[n].replica.phase, Leading)]

    # The driver.

    def step(self, node: int, event: Event, *, sync: bool = True) -> None:
        for each in (event, Drained()):
            this = self.nodes[node]
            this.replica, effects = this.replica.step(each)
            for effect in effects:
                self._do(node, effect)
        if sync:
            self.sync(node)

    def sync(self, node: int) -> None:
        """Make durable what is written, and let go what waited for it."""
        this = self.nodes[node]
        this.disk = [*this.disk, *this.unsynced]
        this.unsynced.clear()
        this.synced = this.written
        while this.held:
            self._launch(node, this.held.popleft())

    def _do(self, node: int, effect: Effect) -> None:
        this = self.nodes[node]
        match effect:
            case Persist(n, fact):
                this.unsynced.append(fact)
                this.written = n
            case Note(fact):
                this.unsynced.append(fact)
            case SetTimer(timer):
                this.timers[timer] = None
            case Send(after=after) if after is not None and after > this.synced:
                this.held.append(effect)
            case Send():
                self._launch(node, effect)
            case Learned():
                self.learned.append((node, effect))
            case Apply(slot, batch, requests):
                this.applied.append((slot, batch))
                self.executed |= {request: slot for waits in requests for request in waits}
            case Query() | Decline() | Overloaded():
                self.answers.append(effect)

    def _launch(self, node: int, send: Send) -> None:
        if isinstance(send.message, Accepted) and send.about is not None:
            self.votes.append((node, Entry(send.message.slot, send.message.ballot, send.about)))
        self.flights.extend(Flight(send, node, peer) for peer in send.to)

    # What must hold.

    def chosen(self) -> dict[int, list[Batch]]:
        """By slot, every batch that a majority has voted for at one ballot, whoever knows of it."""
        voters: dict[tuple[int, Ballot], dict[int, Batch]] = {}
        for node, entry in self.votes:
            voters.setdefault((entry.slot, entry.ballot), {})[node] = entry.batch
        majority = len(self.members) // 2 + 1
        chosen: dict[int, list[Batch]] = {}
        for (slot, _), votes in voters.items():
            batch = next(iter(votes.values()))
            assert all(vote == batch for vote in votes.values()), f"two values at one ballot: {votes}"
            known = chosen.setdefault(slot, [])
            if len(votes) >= majority and batch not in known:
                known.append(batch)
        return chosen

    def require_agreement(self) -> None:
        """P2 to P4 in every slot; that everyone executes it all, in order (M1, M2); and no stale read."""
        chosen = self.chosen()
        for slot, batches in chosen.items():
            assert len(batches) <= 1, f"slot {slot} holds {batches}"
        for node, learned in self.learned:
            assert [learned.vote.value] == chosen[learned.slot], f"{node} learned {learned}"
        for node in self.nodes.values():
            assert [slot for slot, _ in node.applied] == list(range(1, len(node.applied) + 1))
            for slot, batch in node.applied:
                assert [batch] == chosen[slot], f"executed {batch} in slot {slot}, which holds {chosen[slot]}"
        for answer in self.answers:
            if isinstance(answer, Query):
                assert answer.slot >= self.due[answer.request], f"{answer} is stale"


def recovered(facts: list[Fact]) -> Recovered:
    return Recovered.of(facts)


def disturb(world: LogWorld, rng: random.Random, steps: int) -> None:
    """Do `steps` random things: deliver out of order, drop, submit, read, time out, crash, restart."""
    for step in range(steps):
        roll = rng.random()
        if roll < 0.75 and world.flights:
            flight = world.flights[0] if rng.random() < 0.5 else rng.choice(world.flights)
            if rng.random() < 0.05:
                world.drop(flight)
            else:
                world.deliver(flight, keep=rng.random() < 0.05, sync=rng.random() < 0.8)
        elif roll < 0.85 and world.up:
            world.submit(rng.choice(world.leaders or world.up), f"v{step}")
        elif roll < 0.87 and world.up:
            world.read(rng.choice(world.leaders or world.up))
        elif roll < 0.89 and world.up:
            world.sync(rng.choice(world.up))
        elif roll < 0.95 and world.up:
            world.fire(rng.choice(world.up), rng.choice(("election", "beat", "beat")))
        elif roll < 0.97 and world.up:
            world.crash(rng.choice(world.up))
        elif downs := [member for member in world.members if not world.nodes[member].up]:
            world.restart(rng.choice(downs))


def heal(world: LogWorld, rng: random.Random) -> None:
    """Restart who is down, lose nothing more, and let time pass until one leads and all have caught up."""
    for member in world.members:
        if not world.nodes[member].up:
            world.restart(member)
    for _ in range(200):
        for member in world.members:
            world.sync(member)
        world.settle()
        if _is_calm(world):
            return
        member = rng.choice(world.members)
        for timer in ("beat", "election") if rng.random() < 0.5 else ("beat",):
            world.fire(member, timer)
    raise AssertionError("no leader in the end, or somebody was left behind")


def _is_calm(world: LogWorld) -> bool:
    """One leads, nothing is under way, and everyone has executed all there is."""
    phases = [world.nodes[leader].replica.phase for leader in world.leaders]
    return len(phases) == 1 and all(
        isinstance(phase, Leading) and not phase.flights and node.replica.applied == phase.next_slot - 1
        for phase in phases
        for node in world.nodes.values()
    )
