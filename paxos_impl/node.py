"""A node of Basic Paxos: one instance of the core, and what its effects mean on a real machine."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec
import trio

from ostrakon.paxos_impl.core import (
    RULES,
    Effect,
    Event,
    Instance,
    Learned,
    Persist,
    Received,
    Reply,
    Rules,
    Send,
    SetTimer,
    Started,
    TimerFired,
    trace_event,
)
from ostrakon.paxos_impl.core.effect import Durable
from ostrakon.paxos_impl.core.event import Timer
from ostrakon.paxos_impl.core.message import Message
from ostrakon.paxos_impl.desk import InstanceDesk
from ostrakon.paxos_impl.disk import Disk
from ostrakon.paxos_impl.driver import Driver, Tracer
from ostrakon.paxos_impl.instruments import sync_samples
from ostrakon.paxos_impl.membership import Address, Membership
from ostrakon.paxos_impl.metrics import Sample
from ostrakon.paxos_impl.peers import Peers
from ostrakon.paxos_impl.remark import Remarks, silence
from ostrakon.paxos_impl.server import links_to_others, serve_node
from ostrakon.paxos_impl.storage import Storage
from ostrakon.paxos_impl.timing import Timing
from ostrakon.paxos_impl.transport import PLAIN, Transport
from ostrakon.paxos_impl.wire import PROTOCOL, Postmark, mark_of


class NodeConfig(msgspec.Struct, frozen=True):
    """What an instance has to know before it starts."""

    server_id: int
    membership: Membership
    listen: Address | None = None
    """Where to listen, if that is not the address at which the members find it."""
    timing: Timing = Timing()
    transport: Transport = PLAIN


async def serve(
    config: NodeConfig,
    *,
    disk: Disk,
    rng: Random,
    rules: Rules = RULES,
    tracer: Tracer | None = None,
    log: Remarks = silence,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run an instance until cancelled; `task_status` tells where it listens once it does.

    Raises: DamagedLog or WrongStorage, when its disk is not fit to vote from; StorageFailed, when its disk
    fails it later; OSError, when it can't listen.
    """
    node = await Node.recover(config, disk, rng=rng, rules=rules, tracer=tracer, log=log)
    listen = config.listen or config.membership.members[config.server_id]
    await serve_node(node, listen, log=log, transport=config.transport, task_status=task_status)


class Node:
    """What a driver drives: an instance, and the disk it remembers on."""

    def __init__(
        self,
        config: NodeConfig,
        storage: Storage,
        *,
        rng: Random,
        rules: Rules,
        tracer: Tracer | None,
        log: Remarks,
    ) -> None:
        self._timing, self._storage, self._rng = config.timing, storage, rng
        self._unsaved = Durable()
        me, self.membership = config.server_id, config.membership
        self.instance = Instance.recover(
            me, self.membership.ids, incarnation=storage.incarnation, state=storage.state, rules=rules
        )
        self.links = links_to_others(
            me,
            self.membership,
            protocol=PROTOCOL,
            incarnation=storage.incarnation,
            rng=rng,
            log=log,
            transport=config.transport,
        )
        postmark = Postmark(mark_of(self.membership.cluster_id))
        self.driver: Driver[Event, Effect] = Driver(
            self, me, storage.incarnation, self.links, postmark, tracer
        )
        self.drivers = (self.driver,)
        self.peers = Peers(self.membership, me, PROTOCOL, self.links)
        self.desk = InstanceDesk(self)
        self.driver.submit(Started())

    @classmethod
    async def recover(
        cls,
        config: NodeConfig,
        disk: Disk,
        *,
        rng: Random,
        rules: Rules = RULES,
        tracer: Tracer | None = None,
        log: Remarks = silence,
    ) -> Node:
        """A node as its disk remembers it.

        Raises: DamagedLog; WrongStorage; StorageFailed.
        """
        storage = await Storage.recover(disk, config.membership, config.server_id)
        return cls(config, storage, rng=rng, rules=rules, tracer=tracer, log=log)

    async def run(self) -> None:
        """See `Server`."""
        await self.driver.run()

    def samples(self) -> Iterator[Sample]:
        """See `Server`."""
        yield from sync_samples(self.driver.syncs, self.driver.syncing_s)
        instance = self.instance
        if instance.acceptor.promised is not None:
            about = "The round of the ballot that it has promised to go by."
            yield Sample("paxos_promised_round", "gauge", about, instance.acceptor.promised.round)
        is_known = instance.learner.chosen is not None
        yield Sample("paxos_decree_known", "gauge", "Whether it knows what is chosen.", is_known)

    def received(self, message: Message, sender: int, id: str) -> Event:
        """See `Driven`."""
        return Received(message, sender, id)

    def fired(self, timer: Timer) -> Event:
        """See `Driven`."""
        return TimerFired(timer)

    def handle(self, event: Event) -> None:
        """See `Driven`."""
        driver = self.driver
        self.instance, effects = self.instance.step(event)
        for effect in effects:
            match effect:
                case Persist(n, state):
                    self._unsaved = state
                    driver.persist(n)
                case SetTimer(timer, attempt):
                    driver.set_timer(timer, self._timing.delay_s(timer, attempt, self._rng))
                case Send(after=n) | Reply(after=n) | Learned(after=n):
                    driver.once_durable(n, effect)
                case _:
                    self.carry_out(effect)

    def settle(self) -> None:
        """See `Driven`; there is nothing that could wait for it."""

    async def save(self) -> None:
        """See `Driven`; the last state replaces all before it."""
        await self._storage.save(self._unsaved)

    def carry_out(self, effect: Effect) -> None:
        """See `Driven`."""
        self.driver.trace(lambda *me: trace_event(effect, *me))
        match effect:
            case Send(to, message, id):
                self.driver.send(to, message, id)
            case Reply(request, outcome):
                self.driver.answer(request, outcome)
