"""A server with several groups: one replica for each, which share connections and the journal.

Each group decides for itself: it has a log, a leader, members, sessions and snapshots of its own, and knows
of no other group. They share connections and syncs of the disk, which would cost the same again for each
group.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from random import Random

import trio
from msgspec.structs import asdict

from ostrakon.paxos_impl.core import TraceEvent
from ostrakon.paxos_impl.core.multi import LOG_RULES, LogRules
from ostrakon.paxos_impl.kv.machine import StateMachine
from ostrakon.paxos_impl.kv.sessions import Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.server.driver import Tracer
from ostrakon.paxos_impl.server.groups_handler import GroupsHandler
from ostrakon.paxos_impl.server.log_record import LogSink, no_log
from ostrakon.paxos_impl.server.metrics import Sample, by_group, sync_samples
from ostrakon.paxos_impl.server.peers import Peers
from ostrakon.paxos_impl.server.replica_config import ReplicaConfig
from ostrakon.paxos_impl.server.replica_handler import ReplicaHandler
from ostrakon.paxos_impl.server.replica_node import NodeContext, ReplicaNode
from ostrakon.paxos_impl.server.replica_server import driver_of, peers_of, recover_state, seeds
from ostrakon.paxos_impl.storage.backup import Backup
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.storage.group_journal import GroupJournal
from ostrakon.paxos_impl.storage.group_storage import GroupStorages
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed
from ostrakon.paxos_impl.wire.decree import Hello


class GroupsServer:
    """As many groups as its configuration says. A `Server`."""

    def __init__(self, nodes: Sequence[ReplicaNode], peers: Peers, journal: GroupJournal) -> None:
        self._nodes, self._peers, self._journal = nodes, peers, journal
        self.drivers, self.links = tuple(node.driver for node in nodes), peers.links
        self.handler = GroupsHandler([ReplicaHandler(node) for node in nodes])

    @classmethod
    async def recover(
        cls,
        config: ReplicaConfig,
        disk: Disk,
        *,
        rng: Random,
        machine: Callable[[], StateMachine] = Store,
        sessions: Callable[[StateMachine], Sessions] = Sessions,
        journal: Callable[..., GroupJournal] = GroupJournal,
        rules: LogRules = LOG_RULES,
        tracer: Tracer | None = None,
        log: LogSink = no_log,
        backup: Backup | None = None,
    ) -> GroupsServer:
        """A server that goes on from the state on its disk; a new one begins with the state of `backup`.

        Raises: DamagedLog; WrongStorage; StorageFailed.
        """
        storages = await GroupStorages.recover(
            disk,
            config.founders,
            config.server_id,
            config.groups,
            bytes_max=config.compaction.segment_bytes,
            journal=journal,
        )
        nodes: list[ReplicaNode] = []
        incarnation = storages.incarnation
        peers = peers_of(config, incarnation, rng=rng, log=log)
        numbers = itertools.count()
        for group, seed in enumerate(seeds(config, backup)):
            made = machine()
            table = sessions(made)
            recover_group = partial(storages.recover_group, group, seed=seed)
            storage = await recover_state(config, table, rules, recover_group)
            traced = tracer and group_tracer(group, tracer, incarnation, numbers)
            driver = driver_of(config, incarnation, peers, traced, group=group)
            # A removal is logged once, not once for each group.
            context = NodeContext(made, table, rng, rules, log if group == 0 else no_log)
            nodes.append(ReplicaNode(config, storage, driver, peers, context))
        await storages.begin()
        return cls(nodes, peers, storages.journal)

    def check(self, hello: Hello) -> None:
        """Check that a peer may talk to this server. Raises: BadFrame.

        The first group decides who is a member: changes of members begin there.
        """
        self._peers.check(hello, is_former=self._nodes[0].replica.is_former(hello.sender))

    async def run(self) -> None:
        """Run until cancelled. Raises: StorageFailed."""
        failures: list[StorageFailed] = []

        async def until_failed(run: Callable[[], Awaitable[None]]) -> None:
            try:
                await run()
            except StorageFailed as error:
                failures.append(error)
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            self._peers.run_new_links_in(nursery)
            nursery.start_soon(until_failed, self._journal.run)
            for node in self._nodes:
                nursery.start_soon(until_failed, node.run)
        if failures:
            raise failures[0]

    def samples(self) -> Iterator[Sample]:
        """Metrics of the disk and of each group's log."""
        yield from sync_samples(self._journal.syncs, self._journal.syncing_s)
        yield from by_group([list(node.log_samples()) for node in self._nodes])


class GroupEvent(TraceEvent, frozen=True, omit_defaults=True, gc=False):
    """A trace event of one of several groups; its slot and ballot are those of the group's log."""

    group: int = 0


def group_tracer(group: int, tracer: Tracer, incarnation: int, numbers: Iterator[int]) -> Tracer:
    """Takes the events of one group and passes them on as `GroupEvent`s, with message ids of its own."""

    def named(id: str | None) -> str | None:
        return None if id is None else f"g{group}.{id}"

    def trace(event: TraceEvent) -> None:
        fields = asdict(event)
        fields |= {"incarnation": incarnation, "seq": next(numbers), "group": group}
        fields |= {"message": named(event.message), "cause": named(event.cause)}
        tracer(GroupEvent(**fields))

    return trace
