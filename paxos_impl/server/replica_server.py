"""A server with one replica of a log: the node, its peers and its request handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import TypeVar

from ostrakon.paxos_impl.core.multi import (
    LOG_RULES,
    Effect,
    Event,
    Image,
    LogRules,
    Received,
    Replay,
    Started,
    TimerFired,
)
from ostrakon.paxos_impl.kv.machine import BadState, StateMachine
from ostrakon.paxos_impl.kv.sessions import Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.server.change_log import ChangeLog
from ostrakon.paxos_impl.server.driver import Driver, EventMakers, Tracer
from ostrakon.paxos_impl.server.log_record import LogSink, no_log
from ostrakon.paxos_impl.server.metrics import Sample, sync_samples
from ostrakon.paxos_impl.server.peers import Identity, Peers
from ostrakon.paxos_impl.server.replica_config import ReplicaConfig
from ostrakon.paxos_impl.server.replica_handler import ReplicaHandler
from ostrakon.paxos_impl.server.replica_node import UNKNOWN, NodeContext, ReplicaNode, founders_of
from ostrakon.paxos_impl.storage.backup import Backup
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.storage.replica_storage import ReplicaStorage, StableStorage
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed, WrongStorage
from ostrakon.paxos_impl.wire.decree import EnvelopeHeader, Hello, cluster_tag
from ostrakon.paxos_impl.wire.replica import PROTOCOL

_S = TypeVar("_S", bound=StableStorage)


class ReplicaServer:
    """One replica of a log. A `Server`."""

    def __init__(self, node: ReplicaNode, peers: Peers) -> None:
        self.node, self._peers = node, peers
        self.drivers, self.links = (node.driver,), peers.links
        self.handler = ReplicaHandler(node)

    @classmethod
    async def recover(
        cls,
        config: ReplicaConfig,
        disk: Disk,
        *,
        rng: Random,
        machine: Callable[[], StateMachine] = Store,
        sessions: Callable[[StateMachine], Sessions] = Sessions,
        storage: type[ReplicaStorage] = ReplicaStorage,
        rules: LogRules = LOG_RULES,
        changes: Callable[[], ChangeLog] = ChangeLog,
        tracer: Tracer | None = None,
        log: LogSink = no_log,
        backup: Backup | None = None,
    ) -> ReplicaServer:
        """A server that goes on from the state on its disk; a new one begins with the state of `backup`.

        Raises: DamagedLog; WrongStorage; StorageFailed.
        """
        assert config.groups == 1, "several groups share one disk: see `groups_server`"
        recover = partial(
            storage.recover,
            disk,
            config.founders,
            config.server_id,
            segment_bytes=config.compaction.segment_bytes,
            seed=seeds(config, backup)[0],
        )
        made = machine()
        table = sessions(made)
        opened = await recover_state(config, table, rules, recover)
        peers = peers_of(config, opened.incarnation, rng=rng, log=log)
        driver = driver_of(config, opened.incarnation, peers, tracer)
        context = NodeContext(made, table, rng, rules, log, changes=changes)
        return cls(ReplicaNode(config, opened, driver, peers, context), peers)

    def check(self, hello: Hello) -> None:
        """Check that a peer may talk to this server. Raises: BadFrame."""
        self._peers.check(hello, is_former=self.node.replica.is_former(hello.sender))

    async def run(self) -> None:
        """Run until cancelled. Raises: StorageFailed."""
        await self.node.run()

    def samples(self) -> Iterator[Sample]:
        """Metrics of the disk and the log."""
        yield from sync_samples(self.node.driver.syncs, self.node.driver.syncing_s)
        yield from self.node.log_samples()


def peers_of(config: ReplicaConfig, incarnation: int, *, rng: Random, log: LogSink) -> Peers:
    """The peers of a replica, as far as its configuration names them."""
    members, me = config.membership.members, config.server_id
    identity = Identity(
        PROTOCOL, config.membership.cluster_id, me, incarnation, str(members[me]), config.groups
    )
    return Peers(identity, members, rng=rng, log=log, transport=config.transport)


def driver_of(
    config: ReplicaConfig, incarnation: int, peers: Peers, tracer: Tracer | None, *, group: int = 0
) -> Driver[Event, Effect]:
    """The driver of one group's replica, which is about to start."""
    header = EnvelopeHeader(cluster_tag(config.membership.cluster_id), group)
    driver: Driver[Event, Effect] = Driver(
        config.server_id, incarnation, peers.links, header, tracer, EventMakers(Received, TimerFired)
    )
    driver.submit(Started())
    return driver


def seeds(config: ReplicaConfig, backup: Backup | None) -> Sequence[Image | None]:
    """For each group, the snapshot that the log of a new cluster begins with; None without a backup.

    Raises: WrongStorage, if the backup is of a cluster with another number of groups.
    """
    if backup is None:
        return [None] * config.groups
    if len(backup.groups) != config.groups:
        raise WrongStorage(
            f"the backup is of a cluster with --groups {len(backup.groups)}, but this replica has "
            f"--groups {config.groups}"
        )
    founders = founders_of(config.membership)
    return [group.image(founders) for group in backup.groups]


async def recover_state(
    config: ReplicaConfig, sessions: Sessions, rules: LogRules, recover: Callable[..., Awaitable[_S]]
) -> _S:
    """Read a replica's storage with `recover`; `sessions` and its machine get the state.

    Raises: what `recover` raises; StorageFailed.
    """
    members = UNKNOWN if config.joins else founders_of(config.membership)
    try:
        return await recover(replay=Replay(sessions, members, config.snapshots.every, rules))
    except BadState as error:
        raise StorageFailed(f"the snapshot can't be used: {error}") from error
