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
from ostrakon.paxos_impl.server.decree_handler import DecreeHandler
from ostrakon.paxos_impl.server.driver import Driver, EventMakers, Tracer
from ostrakon.paxos_impl.server.limits import LIMITS, Limits
from ostrakon.paxos_impl.server.log_record import LogSink, no_log
from ostrakon.paxos_impl.server.metrics import Sample, sync_samples
from ostrakon.paxos_impl.server.peers import Identity, Peers
from ostrakon.paxos_impl.server.server import serve_node
from ostrakon.paxos_impl.server.timing import Timing
from ostrakon.paxos_impl.storage.decree_storage import DecreeStorage
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.wire.decree import PROTOCOL, EnvelopeHeader, Hello, cluster_tag
from ostrakon.paxos_impl.wire.membership import Address, Membership
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport


class NodeConfig(msgspec.Struct, frozen=True):
    """What an instance must know before it starts."""

    server_id: int
    membership: Membership
    listen: Address | None = None
    """Where to listen, if that differs from the address at which the other members find it."""
    timing: Timing = Timing()
    transport: Transport = PLAIN


async def serve(
    config: NodeConfig,
    *,
    disk: Disk,
    rng: Random,
    rules: Rules = RULES,
    tracer: Tracer | None = None,
    log: LogSink = no_log,
    limits: Limits = LIMITS,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run an instance until cancelled; `task_status` gets the address once it listens.

    Raises: DamagedLog or WrongStorage, when its disk is not fit to vote from; StorageFailed, when a disk
    operation fails later; OSError, when it can't listen.
    """
    server = await DecreeServer.recover(config, disk, rng=rng, rules=rules, tracer=tracer, log=log)
    listen = config.listen or config.membership.members[config.server_id]
    await serve_node(
        server, listen, log=log, transport=config.transport, limits=limits, task_status=task_status
    )


class DecreeNode:
    """Steps an instance of the core, and keeps its state on a disk. A `DrivenNode`."""

    def __init__(
        self,
        config: NodeConfig,
        storage: DecreeStorage,
        driver: Driver[Event, Effect],
        *,
        rng: Random,
        rules: Rules,
    ) -> None:
        self._timing, self._storage, self._rng = config.timing, storage, rng
        self._unsaved = Durable()
        self.driver, self.membership = driver, config.membership
        self.instance = Instance.recover(
            config.server_id,
            self.membership.ids,
            incarnation=storage.incarnation,
            state=storage.state,
            rules=rules,
        )

    def samples(self) -> Iterator[Sample]:
        """Metrics of the instance and its disk."""
        yield from sync_samples(self.driver.syncs, self.driver.syncing_s)
        instance = self.instance
        if instance.acceptor.promised is not None:
            about = "The round of the highest ballot that it has promised."
            yield Sample("paxos_promised_round", "gauge", about, instance.acceptor.promised.round)
        is_known = instance.learner.chosen is not None
        yield Sample("paxos_decree_known", "gauge", "Whether it has learned the chosen value.", is_known)

    def handle(self, event: Event) -> None:
        """Step the instance."""
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
                    if not driver.hold(n, effect):
                        self.carry_out(effect)
                case _:
                    self.carry_out(effect)

    def settle(self) -> None:
        """Do nothing: an instance has no work that is done once for several events."""

    async def save(self) -> None:
        """Save the last state, which includes all that earlier ones would say. Raises: StorageFailed."""
        await self._storage.save(self._unsaved)

    def carry_out(self, effect: Effect) -> None:
        """Trace an effect, and send a message or answer a client."""
        self.driver.trace(lambda *me: trace_event(effect, *me))
        match effect:
            case Send(to, message, id):
                self.driver.send(to, message, id)
            case Reply(request, outcome):
                self.driver.answer(request, outcome)


class DecreeServer:
    """A node of Basic Paxos with its peers and its request handler. A `Server`."""

    def __init__(self, node: DecreeNode, peers: Peers) -> None:
        self.node, self._peers = node, peers
        self.drivers, self.links = (node.driver,), peers.links
        self.handler = DecreeHandler(node)

    @classmethod
    async def recover(
        cls,
        config: NodeConfig,
        disk: Disk,
        *,
        rng: Random,
        rules: Rules = RULES,
        tracer: Tracer | None = None,
        log: LogSink = no_log,
    ) -> DecreeServer:
        """A server that goes on from the state on its disk.

        Raises: DamagedLog; WrongStorage; StorageFailed.
        """
        cluster_id, me = config.membership.cluster_id, config.server_id
        storage = await DecreeStorage.recover(disk, config.membership, me)
        identity = Identity(PROTOCOL, cluster_id, me, storage.incarnation)
        peers = Peers(
            identity, config.membership.members, rng=rng, log=log, transport=config.transport, is_closed=True
        )
        header = EnvelopeHeader(cluster_tag(cluster_id))
        driver: Driver[Event, Effect] = Driver(
            me, storage.incarnation, peers.links, header, tracer, EventMakers(Received, TimerFired)
        )
        driver.submit(Started())
        return cls(DecreeNode(config, storage, driver, rng=rng, rules=rules), peers)

    def check(self, hello: Hello) -> None:
        """Check that a peer may talk to this server. Raises: BadFrame."""
        self._peers.check(hello)

    async def run(self) -> None:
        """Run until cancelled. Raises: StorageFailed."""
        await self.node.driver.run(self.node)

    def samples(self) -> Iterator[Sample]:
        """Metrics of the instance and its disk."""
        return self.node.samples()
