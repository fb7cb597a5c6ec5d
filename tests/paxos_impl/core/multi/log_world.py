"""A cluster of replicas of a log as plain data; the test chooses what happens, and when.

It is the driver of the core at its smallest: facts reach the disk in order and only when synced, a message
leaves once its `after` is durable, a crash loses what was not, and all else is up to whoever calls.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar, cast

import msgspec
from msgspec.structs import replace

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import (
    LOG_RULES,
    Apply,
    Batch,
    Changed,
    ChangeRequested,
    Chose,
    ClockReading,
    Command,
    Compaction,
    Configuration,
    Decline,
    Drained,
    Effect,
    Entry,
    Event,
    Fact,
    Image,
    Install,
    Learned,
    LeaseConfig,
    LogRules,
    Member,
    Message,
    Overloaded,
    Persist,
    PersistLazily,
    Promised,
    Query,
    ReadHow,
    ReadRequested,
    Received,
    Recovered,
    Rejected,
    Replica,
    SaveSnapshot,
    Send,
    SetTimer,
    Snapshot,
    SnapshotSaved,
    Started,
    Submitted,
    TakeSnapshot,
    Timer,
    TimerFired,
    Voted,
)
from ostrakon.paxos_impl.core.multi.configuration import ALPHA, changed_to, founded_by, in_force
from ostrakon.paxos_impl.core.multi.message import Accepted
from ostrakon.paxos_impl.core.multi.phase import Leading

NEVER = Compaction()
"""No test executes as many slots as it takes to have a snapshot taken."""
OFTEN = Compaction(every=4, keep=2, chunk_bytes=64)
UNKNOWN = Configuration(0, (), 0)
"""What a replica knows of the members that joins when others have founded the cluster."""


@dataclass
class Node:
    """One process and its disk. `unsynced` is written but would not survive losing power."""

    replica: Replica
    disk: list[Fact] = field(default_factory=list)
    image: Image | None = None
    """The snapshot on the disk."""
    saving: Image | None = None
    """One that is not durable yet."""
    unsynced: list[Fact] = field(default_factory=list)
    written: int = 0
    synced: int = 0
    held: deque[Send] = field(default_factory=deque)
    timers: dict[Timer, None] = field(default_factory=dict)
    applied: list[tuple[int, Batch]] = field(default_factory=list)
    up: bool = True


M_co = TypeVar("M_co", covariant=True)
Answered: TypeAlias = Query | Decline | Overloaded | Rejected | Changed
"""The effects that answer a request."""


@dataclass(frozen=True)
class Flight(Generic[M_co]):
    """A message on its way."""

    send: Send
    sender: int
    to: int

    @property
    def message(self) -> M_co:
        return cast(M_co, self.send.message)


class LogWorld:
    """Replicas of one log; nothing happens by itself."""

    def __init__(
        self,
        members: tuple[int, ...] = (1, 2, 3),
        rules: LogRules = LOG_RULES,
        compaction: Compaction = NEVER,
        lease_config: LeaseConfig | None = None,
    ) -> None:
        self.members, self.rules, self.compaction, self.lease_config = (
            members,
            rules,
            compaction,
            lease_config,
        )
        self.founders = founded_by(members)
        self.flights: list[Flight[Message]] = []
        self.votes: list[tuple[int, Entry]] = []
        self.learned: list[tuple[int, Learned]] = []
        self.submitted: list[Command] = []
        self.answers: list[Answered] = []
        self.installed: list[tuple[int, int]] = []
        self.executed: dict[int, int] = {}
        """By request, the slot in which its command was executed."""
        self.due: dict[int, int] = {}
        """By request to read, the last slot of which a client had heard when it was made."""
        self.requests = 0
        self.nodes: dict[int, Node] = {}
        for member in members:
            self._begin(member, self.founders)

    # What can happen.

    def submit(self, node: int, op: object) -> int:
        self.requests += 1
        command = Command(f"c{self.requests}", 1, op)
        self.submitted.append(command)
        self.step(node, Submitted(self.requests, command, 20))
        return self.requests

    def read(self, node: int, how: ReadHow = "lease") -> int:
        self.requests += 1
        self.due[self.requests] = max(self.executed.values(), default=0)
        self.step(node, ReadRequested(self.requests, ["get", "x"], how))
        return self.requests

    def change(self, node: int, members: tuple[Member, ...]) -> int:
        """Ask a node to have these made the members."""
        self.requests += 1
        self.step(node, ChangeRequested(self.requests, members))
        return self.requests

    def join(self, node: int) -> None:
        """Start a replica that is to become a member; it learns from the log who the members are."""
        self.members = (*self.members, node)
        self._begin(node, UNKNOWN)

    def fire(self, node: int, timer: Timer) -> None:
        if timer in self.nodes[node].timers:
            del self.nodes[node].timers[timer]
            self.step(node, TimerFired(timer))

    def deliver(self, flight: Flight[Message], *, keep: bool = False, sync: bool = True) -> None:
        """Hand over a message; with `keep` a copy stays in flight, without `sync` its answer waits."""
        if not keep:
            self.flights.remove(flight)
        if self.nodes[flight.to].up:
            self.step(flight.to, Received(flight.message, flight.sender, flight.send.id), sync=sync)

    def drop(self, *flights: Flight[Message]) -> None:
        for flight in flights:
            self.flights.remove(flight)

    def crash(self, node: int) -> None:
        """Lose power: whatever is not durable is gone. Messages in flight are not."""
        this = self.nodes[node]
        this.up = False
        this.saving = None
        this.unsynced.clear()
        this.held.clear()
        this.timers.clear()

    def restart(self, node: int) -> None:
        this = self.nodes[node]
        founders = self.founders if node in self.founders.ids else UNKNOWN
        self._begin(node, founders, this.disk, this.image, this.replica.incarnation + 1)

    def _begin(
        self,
        node: int,
        founders: Configuration,
        disk: Sequence[Fact] = (),
        image: Image | None = None,
        incarnation: int = 0,
    ) -> None:
        replica = Replica.recover(
            node,
            founders,
            incarnation=incarnation,
            state=Recovered.of(disk, image),
            compaction=self.compaction,
            lease_config=self.lease_config,
            rules=self.rules,
        )
        self.nodes[node] = Node(replica, list(disk), image)
        self.step(node, Started())

    def now(self, node: int) -> ClockReading:
        """What a node's clocks show: here nobody has any."""
        return ClockReading()

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

    def sent(self, kind: type[M_co]) -> list[Flight[M_co]]:
        """The messages of a kind that are in flight."""
        return [cast(Flight[M_co], flight) for flight in self.flights if isinstance(flight.message, kind)]

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
            this.replica, effects = this.replica.step(each, self.now(node))
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
        if (image := this.saving) is not None:
            this.saving = None
            self.keep(node, image)

    def keep(self, node: int, image: Image) -> None:
        """Make a snapshot durable, and drop from the disk all that it covers but the promise."""
        this = self.nodes[node]
        if this.image is None or image.slot > this.image.slot:
            promised = Recovered.of(this.disk).promised
            rest = [fact for fact in this.disk if not isinstance(fact, Promised) and _slot(fact) > image.slot]
            # Last, since the votes before it may have been cast at lower ballots.
            this.disk = [*rest, *([] if promised is None else [Promised(promised)])]
            this.image = image
        self.step(node, SnapshotSaved(image), sync=False)

    def _do(self, node: int, effect: Effect) -> None:
        this = self.nodes[node]
        match effect:
            case Persist(n, fact):
                this.unsynced.append(fact)
                this.written = n
            case PersistLazily(fact):
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
            case TakeSnapshot(slot, configurations):
                this.saving = Image.of(Snapshot(slot, configurations, _encode(this.applied)))
            case SaveSnapshot(image):
                this.saving = image
            case Install(image):
                this.applied = _decode(image.snapshot.state)
                self.installed.append((node, image.slot))
            case Query() | Decline() | Overloaded() | Rejected() | Changed():
                self.answers.append(effect)

    def _launch(self, node: int, send: Send) -> None:
        if isinstance(send.message, Accepted) and send.about is not None:
            self.votes.append((node, Entry(send.message.slot, send.message.ballot, send.about)))
        self.flights.extend(Flight(send, node, peer) for peer in send.to if peer in self.nodes)

    # What must hold.

    def chosen(self) -> dict[int, list[Batch]]:
        """By slot, every batch that a majority has voted for at one ballot, whoever knows of it."""
        voters: dict[tuple[int, Ballot], dict[int, Batch]] = {}
        for node, entry in self.votes:
            voters.setdefault((entry.slot, entry.ballot), {})[node] = entry.batch
        chosen: dict[int, list[Batch]] = {}
        configurations: tuple[Configuration, ...] = (self.founders,)
        for slot, ballot in sorted(voters):
            votes = voters[slot, ballot]
            batch = next(iter(votes.values()))
            assert all(vote == batch for vote in votes.values()), f"two values at one ballot: {votes}"
            known = chosen.setdefault(slot, [])
            deciding = in_force(configurations, slot).voters
            if 2 * sum(voter in votes for voter in deciding) > len(deciding) and batch not in known:
                known.append(batch)
                for wanted in filter(None, map(changed_to, batch)):
                    if wanted.version == configurations[-1].version + 1:
                        configurations = (*configurations, replace(wanted, from_slot=slot + ALPHA))
        return chosen

    def require_agreement(self) -> None:
        """P2 to P4 in every slot; that everyone executes it all, in order (M1, M2); and no stale read."""
        chosen = self.chosen()
        for slot, batches in chosen.items():
            assert len(batches) <= 1, f"slot {slot} holds {batches}"
        for node, learned in self.learned:
            assert [learned.vote.value] == chosen[learned.slot], f"{node} learned {learned}"
        for replica in self.nodes.values():
            assert [slot for slot, _ in replica.applied] == list(range(1, len(replica.applied) + 1))
            for slot, batch in replica.applied:
                assert [batch] == chosen[slot], f"executed {batch} in slot {slot}, which holds {chosen[slot]}"
        for answer in self.answers:
            if isinstance(answer, Query):
                assert answer.slot >= self.due[answer.request], f"{answer} is stale"


def recovered(facts: list[Fact]) -> Recovered:
    return Recovered.of(facts)


def _slot(fact: Voted | Chose) -> int:
    return fact.entry.slot if isinstance(fact, Voted) else fact.slot


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, Batch]]).decode


def disturb(world: LogWorld, rng: random.Random, steps: int, *, changes: bool = False) -> None:
    """Do `steps` random things: deliver out of order, drop, submit, read, time out, crash, restart.

    With `changes`, members are added, given a vote, and removed too.
    """
    for step in range(steps):
        if changes and rng.random() < 0.03:
            _change(world, rng)
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
            world.fire(rng.choice(world.up), rng.choice(("election", "heartbeat", "heartbeat")))
        elif roll < 0.97 and world.up:
            world.crash(rng.choice(world.up))
        elif downs := [member for member in world.members if not world.nodes[member].up]:
            world.restart(rng.choice(downs))


def heal(world: LogWorld, rng: random.Random) -> None:
    """Restart who is down, lose nothing more, and let time pass until one leads and all have caught up."""
    for member in world.members:
        if not world.nodes[member].up:
            world.restart(member)
    for _ in range(300):
        for member in world.members:
            world.sync(member)
        world.settle()
        if _is_calm(world):
            return
        member = rng.choice(world.members)
        for timer in ("heartbeat", "election") if rng.random() < 0.5 else ("heartbeat",):
            world.fire(member, timer)
    raise AssertionError("no leader in the end, or somebody was left behind")


def decide(world: LogWorld, rng: random.Random, op: object) -> None:
    """Have an op executed by all members. A change of the leader may get in its way, but not for ever."""
    for _ in range(10):
        request = world.submit(world.leaders[0], op)
        heal(world, rng)
        if request in world.executed:
            return
    raise AssertionError(f"{op} was not executed")


def _is_calm(world: LogWorld) -> bool:
    """One leads, nothing is under way, and every member has executed all there is."""
    if len(world.leaders) != 1:
        return False
    leader = world.nodes[world.leaders[0]].replica
    [*_, newest] = leader.configurations
    return (
        isinstance(leader.phase, Leading)
        and not leader.phase.proposals
        and newest.from_slot <= leader.phase.next_slot
        and all(world.nodes[id].replica.applied == leader.phase.next_slot - 1 for id in newest.ids)
    )


def _change(world: LogWorld, rng: random.Random) -> None:
    """Have a leader add a learner, give one a vote, or remove somebody; it may refuse."""
    for node in world.leaders[:1]:
        newest = world.nodes[node].replica.configurations[-1]
        members = list(newest.members)
        one = rng.choice(members)
        match rng.choice(("add", "promote", "promote", "remove")):
            case "add" if len(world.members) < 6:
                members.append(Member(newest.next_id, votes=False))
                if newest.next_id not in world.nodes:
                    world.join(newest.next_id)
            case "promote":
                members = [Member(each.id) for each in members]
            case "remove" if len(newest.voters) > 2 or not one.votes:
                members.remove(one)
        if members != list(newest.members):
            world.change(node, tuple(members))
