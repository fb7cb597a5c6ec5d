"""A replica of the log: the core, the state machine it feeds, and what its effects mean on a real machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import Any, TypeVar
from zlib import crc32

import msgspec
import trio
from msgspec.structs import replace

from ostrakon.paxos_impl.core import TraceEvent
from ostrakon.paxos_impl.core.multi import (
    LOG_RULES,
    Apply,
    Changed,
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
    Message,
    Overloaded,
    Persist,
    PersistLazily,
    Query,
    ReadRequested,
    ReadsRequested,
    Received,
    Rejected,
    Replay,
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
    trace_event,
)
from ostrakon.paxos_impl.core.multi.phase import Leading
from ostrakon.paxos_impl.desk import OVERLOADED
from ostrakon.paxos_impl.disk import Disk
from ostrakon.paxos_impl.driver import Driver, Tracer
from ostrakon.paxos_impl.instruments import sync_samples
from ostrakon.paxos_impl.kv.clock import LogClock
from ostrakon.paxos_impl.kv.machine import BadState, StateMachine
from ostrakon.paxos_impl.kv.sessions import Executed, Execution, Outdated, Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.membership import Address, Membership
from ostrakon.paxos_impl.metrics import Sample
from ostrakon.paxos_impl.remark import Remark, Remarks, silence
from ostrakon.paxos_impl.replica.config import ReplicaConfig
from ostrakon.paxos_impl.replica.desk import ReplicaDesk
from ostrakon.paxos_impl.replica.keeper import Keeper
from ostrakon.paxos_impl.replica.moment import now
from ostrakon.paxos_impl.replica.neighbours import Neighbours
from ostrakon.paxos_impl.replica.stable import StableStorage
from ostrakon.paxos_impl.replica.storage import Storage
from ostrakon.paxos_impl.replica.wire import Answer, Done, Elsewhere, Refused
from ostrakon.paxos_impl.storage import StorageFailed
from ostrakon.paxos_impl.wire import Postmark, mark_of

_S = TypeVar("_S", bound=StableStorage)
_HASHED_EVERY = 8
"""Every how many slots a trace tells the hash of the state, which takes longer the larger the state is;
before, after each."""


class ReplicaNode:
    """What a driver drives: a replica of the log, its disk, and the state machine that executes the log."""

    def __init__(
        self,
        config: ReplicaConfig,
        storage: StableStorage,
        machine: StateMachine,
        sessions: Sessions,
        *,
        rng: Random,
        rules: LogRules,
        tracer: Tracer | None,
        log: Remarks,
        neighbours: Neighbours | None = None,
        group: int = 0,
    ) -> None:
        """`neighbours` are given if other groups have them too."""
        self._timing, self._storage, self._rng, self._log = config.timing, storage, rng, log
        self.machine, self._sessions, self._clock = machine, sessions, LogClock()
        self._facts: list[Fact] = []
        self._wanted: list[ReadRequested] = []
        me, self.membership = config.server_id, config.membership
        self.replica = Replica.recover(
            me,
            UNKNOWN if config.joins else _founders(self.membership),
            incarnation=storage.incarnation,
            state=storage.state,
            compaction=config.compaction,
            lease_config=config.lease,
            rules=rules,
        )
        self.keeper = Keeper(storage, lambda image: self.driver.submit(SnapshotSaved(image)))
        if neighbours is None:
            neighbours = Neighbours(config, storage.incarnation, self.is_former, rng=rng, log=log)
        self._neighbours = neighbours
        self.addresses, self.links, self.peers = neighbours.addresses, neighbours.links, neighbours.peers
        postmark = Postmark(mark_of(self.membership.cluster_id), group)
        self.driver: Driver[Event, Effect] = Driver(
            self, me, storage.incarnation, self.links, postmark, tracer
        )
        self.drivers = (self.driver,)
        self.desk = ReplicaDesk(self)
        self.driver.submit(Started())

    @classmethod
    async def recover(
        cls,
        config: ReplicaConfig,
        disk: Disk,
        *,
        rng: Random,
        machine: Callable[[], StateMachine] = Store,
        sessions: Callable[[StateMachine], Sessions] = Sessions,
        rules: LogRules = LOG_RULES,
        tracer: Tracer | None = None,
        log: Remarks = silence,
    ) -> ReplicaNode:
        """A replica as its disk remembers it.

        Raises: DamagedLog; WrongStorage; StorageFailed.
        """
        assert config.groups == 1, "several groups share a disk in another way: see `groups.node`"
        segment_bytes = config.compaction.segment_bytes
        recall = partial(
            Storage.recover, disk, config.founders, config.server_id, segment_bytes=segment_bytes
        )
        made = machine()
        before = sessions(made)
        storage = await recalled(config, before, rules, recall)
        return cls(config, storage, made, before, rng=rng, rules=rules, tracer=tracer, log=log)

    async def run(self) -> None:
        """See `Server`."""
        failure: StorageFailed | None = None
        async with trio.open_nursery() as nursery:
            self._neighbours.live_in(nursery)
            nursery.start_soon(self.keeper.run, nursery.cancel_scope)
            try:
                await self.driver.run()
            except StorageFailed as error:
                failure = error
                nursery.cancel_scope.cancel()
        if failure := failure or self.keeper.failure:
            raise failure

    def is_former(self, server_id: int) -> bool:
        """Whether somebody was a member and is none any more."""
        return self.replica.is_former(server_id)

    def _regroup(self, configuration: Configuration) -> None:
        """Find those who are members from some slot on, and say so if this replica is none any more."""
        for member in configuration.members:
            self._neighbours.meet(member.id, Address.parse(member.address))
        me = self.replica.server_id
        if me not in configuration.ids and me < configuration.next_id:
            line = (
                f"removed from the cluster: server {me} is no member from slot {configuration.from_slot} on"
            )
            self._log(Remark(line, event="removed", server=me, slot=configuration.from_slot))

    def samples(self) -> Iterator[Sample]:
        """See `Server`."""
        yield from sync_samples(self.driver.syncs, self.driver.syncing_s)
        yield from self.log_samples()

    def log_samples(self) -> Iterator[Sample]:
        """What there is to measure of the log."""
        replica = self.replica
        top = replica.log.top
        yield Sample("paxos_leading", "gauge", "Whether it leads.", isinstance(replica.phase, Leading))
        if replica.promised is not None:
            about = "The round of the ballot that it has promised to go by."
            yield Sample("paxos_promised_round", "gauge", about, replica.promised.round)
        yield Sample(
            "paxos_slot_known", "gauge", "Up to which slot it knows what all hold.", replica.commit_index
        )
        yield Sample("paxos_slot_executed", "gauge", "The last slot it has executed.", replica.applied)
        yield Sample("paxos_slot_top", "gauge", "The last slot in which it has voted or knows more.", top)

    def received(self, message: Message, sender: int, id: str) -> Event:
        """See `Driven`."""
        return Received(message, sender, id)

    def fired(self, timer: Timer) -> Event:
        """See `Driven`."""
        return TimerFired(timer)

    def handle(self, event: Event) -> None:
        """See `Driven`. Reads that follow one another are seen to in one step."""
        if type(event) is ReadRequested:
            self._wanted.append(event)
        else:
            self._look()
            self._step(self._stamped(event))

    def _look(self) -> None:
        """See to the reads that have come in."""
        if self._wanted:
            wanted, self._wanted = tuple(self._wanted), []
            self._step(ReadsRequested(wanted))

    def _step(self, event: Event) -> None:
        driver = self.driver
        self.replica, effects = self.replica.step(event, now())
        for effect in effects:
            if type(effect) is Query:  # Most frequent by far, where clients mostly read.
                self._answer(effect)
                continue
            match effect:
                case Persist(n, fact):
                    self._facts.append(fact)
                    driver.persist(n)
                case PersistLazily(fact):
                    self._facts.append(fact)
                case SetTimer(timer):
                    driver.set_timer(timer, self._timing.delay_s(effect, self._rng))
                case Send(after=n):
                    driver.once_durable(n, effect)
                case _:
                    self.carry_out(effect)

    def _stamped(self, event: Event) -> Event:
        """With the time by the log, if this is a command that is about to enter it and wants to know."""
        phase = self.replica.phase
        if not isinstance(event, Submitted) or not isinstance(phase, Leading):
            return event
        own_ms = int(1000 * trio.current_time())
        self._clock = self._clock.at(phase.ballot, own_ms, self.machine.reached_ms)
        op = self.machine.stamped(event.command.op, self._clock.stamp(own_ms))
        return replace(event, command=replace(event.command, op=op))

    def settle(self) -> None:
        """See `Driven`."""
        self._look()
        if type(self.replica.phase) is Leading:  # To nobody else does it mean anything.
            self._step(Drained())

    async def save(self) -> None:
        """See `Driven`."""
        facts, self._facts = self._facts, []
        await self._storage.save(facts)

    def carry_out(self, effect: Effect) -> None:
        """See `Driven`."""
        match effect:
            case Apply():
                self._apply(effect)
                return
            case Install(image):
                self._install(image)
                return
        driver = self.driver
        driver.trace(lambda *me: trace_event(effect, *me))
        match effect:
            case Send(to, message, id):
                driver.send(to, message, id)
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
                self._regroup(configuration)
            case TakeSnapshot(slot, configurations):
                snapshot = Snapshot(slot, configurations, self._sessions.snapshot())
                self.keeper.save(Image.of(snapshot))
            case SaveSnapshot(image):
                self.keeper.save(image)

    def _answer(self, query: Query) -> None:
        """Show a client the state."""
        if self.driver.is_traced:
            self.driver.trace(lambda *me: trace_event(query, *me))
        self.driver.answer(query.request, Done(query.slot, self.machine.carry_out(query.op)))

    def _apply(self, apply: Apply) -> None:
        executions = [self._sessions.execute(command) for command in apply.batch]
        self.driver.trace(lambda *me: self._applied(apply, executions, me))
        for execution, requests in zip(executions, apply.requests, strict=True):
            if requests:
                answer = _answer_to(execution, apply.slot)
                for request in requests:
                    self.driver.answer(request, answer)

    def _install(self, image: Image) -> None:
        """Have the state machine be as a snapshot shows it; the event tells what came of that."""
        try:
            self._sessions.restore(image.snapshot.state)
        except BadState as error:
            raise StorageFailed(f"the snapshot up to slot {image.slot} is of no use: {error}") from error
        detail = {"state_hash": self._sessions.digest()}

        def event(*me: int) -> TraceEvent | None:
            installed = trace_event(Install(image), *me)
            return installed and replace(installed, detail=detail)

        self.driver.trace(event)

    def _applied(
        self, apply: Apply, executions: Sequence[Execution], me: tuple[int, int, int]
    ) -> TraceEvent | None:
        """The event that a batch was executed: what of it took effect, what had before, both with hashes of
        their results, and now and then the state."""
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


async def recalled(
    config: ReplicaConfig, sessions: Sessions, rules: LogRules, recall: Callable[..., Awaitable[_S]]
) -> _S:
    """What `recall`, given how to `replay` a long log, finds on the disk of a replica.

    Raises: what it raises; StorageFailed.
    """
    members = UNKNOWN if config.joins else _founders(config.membership)
    try:
        return await recall(replay=Replay(sessions, members, config.compaction.every, rules))
    except BadState as error:
        raise StorageFailed(f"the snapshot is of no use: {error}") from error


UNKNOWN = Configuration(0, (), 0)
"""What is known of the members of a cluster that others have founded."""


def _founders(membership: Membership) -> Configuration:
    """The configuration that a log begins with."""
    members = tuple(Member(id, str(membership.members[id])) for id in membership.ids)
    return Configuration(0, members, max(membership.ids) + 1)


def _hash(result: Any) -> int:
    return crc32(_encode(result))


_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def _answer_to(execution: Execution, slot: int) -> Answer:
    match execution:
        case Executed(result):
            return Done(slot, result)
        case Outdated():
            return Refused("the session has gone on to a later command", is_final=True)
        case _:
            return Refused("the session is not known, or not any more", is_final=True)
