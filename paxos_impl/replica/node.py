"""A replica on Trio: all of the waiting and none of the thinking.

One task steps the core. What came in while it was writing to disk is handled together and made durable by
one sync; only then does what rests on that leave (PMS 2.5).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec
import trio

from paxos_impl.core import TraceEvent, persisted_event
from paxos_impl.core.log import (
    LOG_RULES,
    Apply,
    Decline,
    Drained,
    Effect,
    Event,
    Fact,
    LogRules,
    Note,
    Overloaded,
    Persist,
    Query,
    Received,
    Replica,
    Send,
    SetTimer,
    Started,
    Timer,
    TimerFired,
    trace_event,
)
from paxos_impl.disk import Disk
from paxos_impl.kv.machine import StateMachine
from paxos_impl.kv.sessions import Executed, Execution, Outdated, Sessions
from paxos_impl.kv.store import Store
from paxos_impl.link import Link
from paxos_impl.membership import Address, Membership
from paxos_impl.replica.reception import Reception
from paxos_impl.replica.storage import Storage
from paxos_impl.replica.timing import ReplicaTiming
from paxos_impl.replica.wire import PROTOCOL, Answer, Done, Elsewhere, Envelope, Refused
from paxos_impl.storage import StorageFailed
from paxos_impl.wire import Hello, framed

Tracer = Callable[[TraceEvent], None]
"""Is handed every protocol event at the moment it becomes observable."""

_HASHED_EVERY = 16
"""Every how many slots a trace tells the hash of the state, which takes longer the larger the state is."""


class ReplicaConfig(msgspec.Struct, frozen=True):
    """What a replica has to know before it starts."""

    server_id: int
    membership: Membership
    listen: Address | None = None
    """Where to listen, if that is not the address at which the members find it."""
    timing: ReplicaTiming = ReplicaTiming()


async def serve(
    config: ReplicaConfig,
    *,
    disk: Disk,
    rng: Random,
    machine: Callable[[], StateMachine] = Store,
    sessions: Callable[[StateMachine], Sessions] = Sessions,
    rules: LogRules = LOG_RULES,
    tracer: Tracer | None = None,
    log: Callable[[str], None] = lambda line: None,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a replica until cancelled; `task_status` tells where it listens once it does.

    Raises: DamagedLog or WrongStorage, when its disk is not fit to vote from; StorageFailed, when its disk
    fails it later; OSError, when it can't listen.
    """
    storage = await Storage.recover(disk, config.membership, config.server_id)
    state_machine = machine()
    node = ReplicaNode(
        config, storage, state_machine, sessions(state_machine), rng=rng, rules=rules, tracer=tracer, log=log
    )
    listen = config.listen or config.membership.members[config.server_id]
    listeners = await trio.open_tcp_listeners(listen.port, host=listen.host)
    failure: StorageFailed | None = None
    async with trio.open_nursery() as nursery:
        for link in node.links.values():
            nursery.start_soon(link.run)
        reception = Reception(node, config.membership, config.server_id, log)
        nursery.start_soon(trio.serve_listeners, reception.welcome, listeners)
        port = listeners[0].socket.getsockname()[1]
        task_status.started(Address(listen.host, port))
        try:
            await node.run()
        except StorageFailed as error:
            failure = error
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


class ReplicaNode:
    """Drives one replica: takes events, carries out effects in order, keeps its timers."""

    def __init__(
        self,
        config: ReplicaConfig,
        storage: Storage,
        machine: StateMachine,
        sessions: Sessions,
        *,
        rng: Random,
        rules: LogRules,
        tracer: Tracer | None,
        log: Callable[[str], None],
    ) -> None:
        self._me, self._timing, self._storage, self._rng = config.server_id, config.timing, storage, rng
        self.machine, self._sessions = machine, sessions
        self._tracer, self._traced = tracer, 0
        self._membership = membership = config.membership
        self.incarnation = storage.incarnation
        self.replica = Replica.recover(
            self._me, membership.ids, incarnation=storage.incarnation, state=storage.state, rules=rules
        )
        self.links = {
            peer: Link(
                membership.members[peer],
                framed(Hello(PROTOCOL, membership.cluster_id, self._me, peer, storage.incarnation)),
                rng,
                log,
            )
            for peer in membership.ids
            if peer != self._me
        }
        self._inbox: deque[Event] = deque([Started()])
        self._arrived: trio.Event | None = None
        self._deadlines: dict[Timer, float] = {}
        self._facts: list[Fact] = []
        self._persisting = self._durable = 0
        self._held: deque[Send] = deque()
        self._clients: dict[int, Callable[[Answer], None]] = {}
        self._requests = 0

    def submit(self, event: Event) -> None:
        """Have an event handled, in its turn."""
        self._inbox.append(event)
        if self._arrived is not None:
            self._arrived.set()

    def ask(self, event: Callable[[int], Event], answer: Callable[[Answer], None]) -> int:
        """Submit a client's request, made by `event` from its number; `answer` is called with the outcome."""
        self._requests += 1
        self._clients[self._requests] = answer
        self.submit(event(self._requests))
        return self._requests

    def forget(self, request: int) -> None:
        """Nobody waits for the answer to this request any more."""
        self._clients.pop(request, None)

    @property
    def backlog(self) -> int:
        """How many events have not been handled yet."""
        return len(self._inbox)

    async def run(self) -> None:
        """Handle events for ever.

        Raises: StorageFailed.
        """
        while True:
            self._fire_timers()
            while self._inbox:
                self._handle(self._inbox.popleft())
            self._handle(Drained())
            if self._persisting > self._durable:
                await self._save()
            if not self._inbox:
                await self._wait()

    def _handle(self, event: Event) -> None:
        self.replica, effects = self.replica.step(event)
        for effect in effects:
            match effect:
                case Persist(n, fact):
                    self._facts.append(fact)
                    self._persisting = n
                case Note(fact):
                    self._facts.append(fact)
                case SetTimer(timer):
                    delay_s = self._timing.delay_s(effect, self._rng)
                    self._deadlines[timer] = trio.current_time() + delay_s
                case Send(after=n) if n is not None and n > self._durable:
                    self._held.append(effect)
                case _:
                    self._emit(effect)

    async def _save(self) -> None:
        """Make all facts durable; then let go what waited."""
        facts, self._facts = self._facts, []
        n = self._persisting
        await self._storage.save(facts)
        self._durable = n
        self._record(persisted_event(n, self._me, self.incarnation, self._traced))
        held, self._held = self._held, deque()
        for send in held:
            self._emit(send)

    def _emit(self, effect: Effect) -> None:
        if isinstance(effect, Apply):
            self._apply(effect)
            return
        self._trace(effect)
        match effect:
            case Send(to, message, id):
                self._send(to, Envelope(id, message))
            case Query(request, op, slot):
                self._answer(request, Done(slot, self.machine.execute(op)))
            case Decline(request, leader, maybe):
                address = None if leader is None else self._membership.members[leader]
                self._answer(request, Elsewhere(address, maybe))
            case Overloaded(request):
                self._answer(request, Refused("too much to do; try again later", is_final=False))

    def _apply(self, apply: Apply) -> None:
        executions = [self._sessions.execute(command) for command in apply.batch]
        self._trace(apply, executions)
        for execution, requests in zip(executions, apply.requests, strict=True):
            if requests:
                answer = _answer_to(execution, apply.slot)
                for request in requests:
                    self._answer(request, answer)

    def _answer(self, request: int, answer: Answer) -> None:
        if (give := self._clients.pop(request, None)) is not None:
            give(answer)

    def _send(self, to: tuple[int, ...], envelope: Envelope) -> None:
        frame = b""
        for peer in to:
            if peer == self._me:
                self._inbox.append(Received(envelope.message, self._me, envelope.id))
            else:
                frame = frame or framed(envelope)
                self.links[peer].send(frame)

    def _trace(self, effect: Effect, executions: Sequence[Execution] = ()) -> None:
        if self._tracer is None:
            return
        event = trace_event(effect, self._me, self.incarnation, self._traced)
        if event is not None and isinstance(effect, Apply):
            event = msgspec.structs.replace(event, detail=self._told(effect, executions))
        self._record(event)

    def _told(self, apply: Apply, executions: Sequence[Execution]) -> dict[str, Any]:
        """What `applied` tells beside slot and value: what took effect, and now and then the state."""
        did = zip(apply.batch, executions, strict=True)
        detail: dict[str, Any] = {
            "executed": [command.id for command, done in did if isinstance(done, Executed) and not done.again]
        }
        if apply.slot % _HASHED_EVERY == 0:
            detail["state_hash"] = self._sessions.digest()
        return detail

    def _record(self, event: TraceEvent | None) -> None:
        if event is not None and self._tracer is not None:
            self._traced += 1
            self._tracer(event)

    def _fire_timers(self) -> None:
        now = trio.current_time()
        for timer in [timer for timer, due in self._deadlines.items() if due <= now]:
            del self._deadlines[timer]
            self._inbox.append(TimerFired(timer))

    async def _wait(self) -> None:
        """Return when there is an event, or a timer is due."""
        self._arrived = trio.Event()
        with trio.move_on_at(min(self._deadlines.values(), default=math.inf)):
            await self._arrived.wait()
        self._arrived = None


def _answer_to(execution: Execution, slot: int) -> Answer:
    match execution:
        case Executed(result):
            return Done(slot, result)
        case Outdated():
            return Refused("the session has gone on to a later command", is_final=True)
        case _:
            return Refused("the session is not known, or not any more", is_final=True)
