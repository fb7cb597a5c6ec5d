"""A replica of the log: the core, its state machine, and what its effects mean on a real machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from time import time
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import trio
from msgspec.structs import replace

from ostrakon.paxos_impl.core import TraceEvent
from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import (
    Apply,
    Changed,
    Command,
    Configuration,
    Configured,
    Decline,
    Drained,
    Effect,
    Event,
    Fact,
    Image,
    Install,
    LogRules,
    Member,
    Overloaded,
    Persist,
    PersistLazily,
    Query,
    ReadRequested,
    ReadsRequested,
    Rejected,
    Replica,
    SaveSnapshot,
    Send,
    SetTimer,
    SnapshotSaved,
    Submitted,
    TakeSnapshot,
    trace_event,
)
from ostrakon.paxos_impl.core.multi.configuration import since
from ostrakon.paxos_impl.core.multi.lease import ClockReading
from ostrakon.paxos_impl.core.multi.phase import Leading
from ostrakon.paxos_impl.kv.clock import LogClock
from ostrakon.paxos_impl.kv.machine import (
    BadState,
    NotExecuted,
    ObservableMachine,
    StateMachine,
    TimedMachine,
)
from ostrakon.paxos_impl.kv.sessions import (
    OPENING,
    Executed,
    Execution,
    Looked,
    Opened,
    Outdated,
    Passed,
    Refusal,
    Sessions,
)
from ostrakon.paxos_impl.server.change_log import ChangeLog
from ostrakon.paxos_impl.server.driver import Driver
from ostrakon.paxos_impl.server.log_record import LogRecord, LogSink
from ostrakon.paxos_impl.server.metrics import Sample
from ostrakon.paxos_impl.server.peers import Peers
from ostrakon.paxos_impl.server.replica_config import ReplicaConfig
from ostrakon.paxos_impl.server.request_handler import OVERLOADED
from ostrakon.paxos_impl.server.snapshot_writer import Frozen, SnapshotWriter
from ostrakon.paxos_impl.storage.replica_storage import StableStorage
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed
from ostrakon.paxos_impl.wire.membership import Address, Membership
from ostrakon.paxos_impl.wire.replica import Answer, Done, Elsewhere, Refused

_HASHED_EVERY = 8
"""A trace has the hash of the state after every so many slots, because hashing takes longer the larger the
state is; after each of the first so many, too."""

_CLOCK, _TICK_BYTES = "/clock", 32
"""The client of ticks, of which there is one for each life of a replica; and about how long a tick is."""

_ANNOUNCED_WITHIN_S = 0.002
"""How long a leader may wait with a new commit index: longer than a client on the same network takes to send
its next command, and much shorter than the time between two heartbeats, which tell it too."""


class NodeContext(NamedTuple):
    """What a replica is given beside its configuration, its storage and its connections."""

    machine: StateMachine
    sessions: Sessions
    """The sessions of the machine's clients."""
    rng: Random
    rules: LogRules
    log: LogSink
    clock: Callable[[], ClockReading] | None = None
    """Reads the clocks; None reads those of this machine."""
    changes: Callable[[], ChangeLog] = ChangeLog
    """Makes the table of recent changes, for clients that watch."""


class ReplicaNode:
    """Steps a replica of the log, keeps its log on a disk, and feeds its state machine. A `DrivenNode`."""

    def __init__(
        self,
        config: ReplicaConfig,
        storage: StableStorage,
        driver: Driver[Event, Effect],
        peers: Peers,
        context: NodeContext,
    ) -> None:
        machine, sessions, rng, rules, log, clock, changes = context
        self.now = clock or now
        """Reads the clocks."""
        self._timing, self._storage, self._rng, self._log = config.timing, storage, rng, log
        self._machine, self._sessions, self._clock = machine, sessions, LogClock()
        self._timed = machine if isinstance(machine, TimedMachine) else None
        self._ticking: Ballot | None = None
        self._ticks = 0
        self._observed = machine if isinstance(machine, ObservableMachine) else None
        self.changes = None if self._observed is None else changes()
        """The recent changes, for clients that watch; None if the machine does not tell them."""
        self._take_changes()
        found = storage.state
        self._executed = found.image if found.is_executed else None
        """The snapshot that the machine was brought up to when the log was read; None if it was not."""
        self._facts: list[Fact] = []
        self._announce_at_s: float | None = None
        """When the followers are told the commit index at the latest, if they have not been told."""
        self._reads: list[ReadRequested] = []
        self._peers, self._driver, self._membership = peers, driver, config.membership
        self.replica = Replica.recover(
            config.server_id,
            UNKNOWN if config.joins else founders_of(self.membership),
            incarnation=storage.incarnation,
            state=storage.state,
            compaction=config.snapshots,
            lease_config=config.lease,
            rules=rules,
        )
        self._snapshots = SnapshotWriter(storage, lambda image: driver.submit(SnapshotSaved(image)), log)
        self._leader: int | None = None
        self.leader_changes = 0
        """How often another server was found to lead, this one included."""
        self.command_bytes_max = config.command_bytes_max
        """Maximum length of a command of a client, in bytes."""

    @property
    def driver(self) -> Driver[Event, Effect]:
        """Takes messages and requests."""
        return self._driver

    @property
    def machine(self) -> StateMachine:
        """Executes the log."""
        return self._machine

    @property
    def membership(self) -> Membership:
        """The members that it was configured with."""
        return self._membership

    @property
    def addresses(self) -> Mapping[int, Address]:
        """Address of each server that it knows, by id."""
        return self._peers.addresses

    async def run(self) -> None:
        """Run until cancelled. Raises: StorageFailed."""
        failure: StorageFailed | None = None
        async with trio.open_nursery() as nursery:
            self._peers.run_new_links_in(nursery)
            nursery.start_soon(self._snapshots.run, nursery.cancel_scope)
            try:
                await self._driver.run(self)
            except StorageFailed as error:
                failure = error
                nursery.cancel_scope.cancel()
        if failure := failure or self._snapshots.failure:
            raise failure

    def _meet_members(self, configuration: Configuration) -> None:
        """Add the members of a new configuration as peers, and log it if this replica is not one of them."""
        for member in configuration.members:
            self._peers.add(member.id, Address.parse(member.address))
        me = self.replica.server_id
        if me not in configuration.ids and me < configuration.next_id:
            line = (
                f"removed from the cluster: server {me} is no member from slot {configuration.from_slot} on"
            )
            self._log(LogRecord(line, event="removed", server=me, slot=configuration.from_slot))

    def log_samples(self) -> Iterator[Sample]:
        """Metrics of the log."""
        replica = self.replica
        top = replica.log.top
        yield Sample("paxos_leading", "gauge", "Whether it leads.", isinstance(replica.phase, Leading))
        about = "How often another server was found to lead."
        yield Sample("paxos_leader_changes_total", "counter", about, self.leader_changes)
        snapshots = self._snapshots
        yield Sample("paxos_snapshots_total", "counter", "Encoded snapshots.", snapshots.taken)
        about = "Snapshots that could not be encoded."
        yield Sample("paxos_snapshot_failures_total", "counter", about, snapshots.failed)
        yield Sample("paxos_snapshot_bytes", "gauge", "Length of the last snapshot.", snapshots.last_bytes)
        about = "How long the last snapshot took to be encoded and saved."
        yield Sample("paxos_snapshot_seconds", "gauge", about, snapshots.last_s)
        if replica.promised is not None:
            about = "The round of the highest ballot that it has promised."
            yield Sample("paxos_promised_round", "gauge", about, replica.promised.round)
        yield Sample(
            "paxos_slot_known",
            "gauge",
            "It knows the values of all slots up to this one.",
            replica.commit_index,
        )
        yield Sample("paxos_slot_executed", "gauge", "The last slot it has executed.", replica.applied)
        yield Sample(
            "paxos_slot_top", "gauge", "The last slot in which it has voted, or whose value it knows.", top
        )

    async def image(self) -> Image | None:
        """The state as it is now, or a later one, for a backup; None if it can't be encoded."""

        def freeze() -> Frozen:
            slot = self.replica.applied
            return Frozen(
                slot, since(self.replica.configurations, slot + 1), self._sessions.parts(), is_saved=False
            )

        return await self._snapshots.image(freeze)

    def handle(self, event: Event) -> None:
        """Step the replica; reads that follow one another are served in one step."""
        if type(event) is ReadRequested:
            self._reads.append(event)
        else:
            self._step_reads()
            if isinstance(event, Submitted) and isinstance(self.replica.phase, Leading):
                try:
                    event = self._stamped(event, self.replica.phase)
                except Exception as error:  # The machine may be anyone's, and must not end the replica.
                    why = f"the state machine failed: {type(error).__name__}: {error}"
                    self._driver.answer(event.request, Refused(why, is_final=True))
                    return
            self._step(event)

    def _step_reads(self) -> None:
        """Serve the reads that have arrived."""
        if self._reads:
            wanted, self._reads = tuple(self._reads), []
            self._step(ReadsRequested(wanted))

    def _step(self, event: Event) -> None:
        driver = self._driver
        self.replica, effects = self.replica.step(event, self.now())
        if self.replica.leader != self._leader:
            self._note_leader()
        for effect in effects:
            # Exact types, which costs less than `match`; the most frequent ones come first.
            if type(effect) is Query:
                self._answer(effect)
            elif type(effect) is Send:
                if not driver.hold(effect.after, effect):
                    self.carry_out(effect)
            elif type(effect) is Persist:
                self._facts.append(effect.fact)
                driver.persist(effect.n)
            elif type(effect) is PersistLazily:
                self._facts.append(effect.fact)
            elif type(effect) is SetTimer:
                driver.set_timer(effect.timer, self._timing.delay_s(effect, self._rng))
            else:
                self.carry_out(effect)

    def _note_leader(self) -> None:
        """Log and count that another server leads, as far as this one knows."""
        self._leader = leader = self.replica.leader
        if leader is None:
            return
        self.leader_changes += 1
        who = "this server leads" if leader == self.replica.server_id else f"server {leader} leads"
        ballot = self.replica.promised
        line = f"{who}, by ballot {'none' if ballot is None else ballot}"
        round = None if ballot is None else ballot.round
        self._log(LogRecord(line, event="leader", leader=leader, round=round))

    def _stamped(self, event: Submitted, phase: Leading) -> Submitted:
        """The command with the time of the log, if it needs the time."""
        if event.command.number == OPENING:
            return event
        op = self._machine.stamped(event.command.op, self._log_time_ms(phase))
        return replace(event, command=replace(event.command, op=op))

    def _log_time_ms(self, phase: Leading) -> int:
        """The time of the log."""
        own_ms = int(1000 * self.now().monotonic_s)
        self._clock = self._clock.at(phase.ballot, own_ms, self._machine.reached_ms)
        return self._clock.stamp(own_ms)

    def _tick(self, phase: Leading) -> None:
        """Have time pass in the log, if that changes the state and no tick of this leader is under way.

        A leader looks whenever it has handled events, and so at each heartbeat at the latest.
        """
        timed = self._timed
        if timed is None or (due_ms := timed.due_ms) is None or self._ticking == phase.ballot:
            return
        if due_ms < self._log_time_ms(phase):
            self._ticking, self._ticks = phase.ballot, self._ticks + 1
            name = f"{_CLOCK}.{self.replica.server_id}.{self.replica.incarnation}"
            command = Command(name, self._ticks, timed.tick())
            self._driver.ask(lambda request: Submitted(request, command, _TICK_BYTES), self._ticked)

    def _ticked(self, outcome: object) -> None:
        """A tick was executed, or is given up."""
        self._ticking = None

    def settle(self) -> float | None:
        """Serve the last reads, and let a leader send what it has collected.

        A new commit index that is all it has to send waits for the next proposal, for a short time: then both
        leave in one write, and each follower is woken once and not twice for each write of a lone client.
        """
        self._step_reads()
        if isinstance(self.replica.phase, Leading):
            self._tick(self.replica.phase)
        if self.replica.is_settled:
            self._announce_at_s = None
            return None
        if self.replica.only_announces:
            now_s = self.now().monotonic_s
            if self._announce_at_s is None:
                self._announce_at_s = now_s + _ANNOUNCED_WITHIN_S
            if now_s < self._announce_at_s:
                return self._announce_at_s
        self._announce_at_s = None
        self._step(Drained())
        return None

    async def save(self) -> None:
        """Save the facts of all steps since the last save. Raises: StorageFailed."""
        facts, self._facts = self._facts, []
        await self._storage.save(facts)

    def carry_out(self, effect: Effect) -> None:
        """Trace an effect and do what it says."""
        driver = self._driver
        if type(effect) is Send:
            driver.trace(lambda *me: trace_event(effect, *me))
            driver.send(effect.to, effect.message, effect.id)
            return
        match effect:
            case Apply():
                self._apply(effect)
                return
            case Install(image):
                self._install(image)
                return
        driver.trace(lambda *me: trace_event(effect, *me))
        match effect:
            case Decline(request, leader, maybe):
                address = None if leader is None else self.addresses.get(leader)
                driver.answer(request, Elsewhere(address, maybe))
            case Overloaded(request):
                driver.answer(request, Refused(OVERLOADED, is_final=False))
            case Rejected(request, why, is_final):
                driver.answer(request, Refused(why, is_final))
            case Changed(request, slot, is_made):
                why = "another change of the members came before it"
                driver.answer(request, Done(slot, None) if is_made else Refused(why, is_final=True))
            case Configured(configuration):
                self._meet_members(configuration)
            case TakeSnapshot(slot, configurations):
                self._snapshots.take(slot, configurations, self._sessions.parts)
            case SaveSnapshot(image):
                self._snapshots.save(image)

    def _answer(self, query: Query) -> None:
        """Answer a read from the state."""
        if self._driver.is_traced:
            self._driver.trace(lambda *me: trace_event(query, *me))
        try:
            # A read without an operation only asks for the slot.
            found = None if query.op is None else self._sessions.look(query.op)
            answer: Answer = Done(query.slot, found)
        except NotExecuted as error:
            answer = Refused(str(error), is_final=True)
        self._driver.answer(query.request, answer)

    def _apply(self, apply: Apply) -> None:
        executions = [self._sessions.execute(command) for command in apply.batch]
        self._driver.trace(lambda *me: self._applied(apply, executions, me))
        if self.changes is not None:
            self.changes.add(apply.slot, self._take_changes())
        for execution, requests in zip(executions, apply.requests, strict=True):
            if requests:
                answer = _answer_to(execution, apply.slot)
                for request in requests:
                    self._driver.answer(request, answer)

    def _take_changes(self) -> Sequence[tuple[str, Any]]:
        return () if self._observed is None else self._observed.take_changes()

    def _install(self, image: Image) -> None:
        """Replace the state by that of a snapshot."""
        try:
            if image is not self._executed:
                self._sessions.restore(image.snapshot.state)
            self._executed = None
        except BadState as error:
            raise StorageFailed(f"the snapshot up to slot {image.slot} can't be used: {error}") from error
        self._take_changes()
        if self.changes is not None:
            self.changes.reset(image.slot)
        detail = {"state_hash": self._sessions.digest()}

        def event(*me: int) -> TraceEvent | None:
            installed = trace_event(Install(image), *me)
            return installed and replace(installed, detail=detail)

        self._driver.trace(event)

    def _applied(
        self, apply: Apply, executions: Sequence[Execution], me: tuple[int, int, int]
    ) -> TraceEvent | None:
        """The event that a batch was executed: which commands took effect now, and which had taken effect
        before, with hashes of their results, and sometimes the hash of the state."""
        event = trace_event(apply, *me)
        pairs = zip(apply.batch, executions, strict=True)
        did = [(command.id, done) for command, done in pairs if isinstance(done, Executed)]
        detail: dict[str, Any] = {
            "executed": [id for id, done in did if not done.again],
            "results": [_hash(done.result) for _, done in did if not done.again],
        }
        if repeated := [(*id, _hash(done.result)) for id, done in did if done.again]:
            detail["repeated"] = repeated
        if apply.slot < _HASHED_EVERY or apply.slot % _HASHED_EVERY == 0:
            detail["state_hash"] = self._sessions.digest()
        return event and replace(event, detail=detail)


UNKNOWN = Configuration(0, (), 0)
"""The configuration known to a replica that joins a cluster: no members."""


def now() -> ClockReading:
    """The time by this machine's monotonic clock and by its wall clock."""
    return ClockReading(trio.current_time(), time())


def founders_of(membership: Membership) -> Configuration:
    """The configuration that the log of a new cluster begins with."""
    members = tuple(Member(id, str(membership.members[id])) for id in membership.ids)
    return Configuration(0, members, max(membership.ids) + 1)


def _hash(result: Any) -> int:
    return crc32(_encode(result))


_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def _answer_to(execution: Execution, slot: int) -> Answer:
    match execution:
        case Executed(result) | Looked(result) | Opened(result):
            return Done(slot, result)
        case Passed():
            return Done(slot, None)
        case Refusal(why):
            return Refused(why, is_final=True)
        case Outdated():
            return Refused("the session has gone on to a later command", is_final=True)
        case _:
            why = "the session is not known, or was forgotten because many others were used since"
            return Refused(why, is_final=True, is_unsure=True)
