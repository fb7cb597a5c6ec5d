"""A server with several groups: one replica for each, with the same neighbours and the same journal.

Each group decides for itself: it has a log, a leader, members, sessions and snapshots of its own, and knows
of no other. What they share is what would cost the same again for each: connections, and syncs of the disk.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from random import Random

import trio

from ostrakon.paxos_impl.core.multi import LOG_RULES, LogRules
from ostrakon.paxos_impl.disk import Disk
from ostrakon.paxos_impl.driver import Tracer
from ostrakon.paxos_impl.groups.desk import GroupsDesk
from ostrakon.paxos_impl.groups.journal import Journal
from ostrakon.paxos_impl.groups.storage import Storages
from ostrakon.paxos_impl.groups.trace import traced_in
from ostrakon.paxos_impl.instruments import by_group, sync_samples
from ostrakon.paxos_impl.kv.machine import StateMachine
from ostrakon.paxos_impl.kv.sessions import Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.metrics import Sample
from ostrakon.paxos_impl.remark import Remarks, silence
from ostrakon.paxos_impl.replica.config import ReplicaConfig
from ostrakon.paxos_impl.replica.neighbours import Neighbours
from ostrakon.paxos_impl.replica.node import ReplicaNode, recalled
from ostrakon.paxos_impl.storage import StorageFailed


class GroupsNode:
    """A `Server` of as many groups as its configuration says."""

    def __init__(self, nodes: Sequence[ReplicaNode], neighbours: Neighbours, journal: Journal) -> None:
        self._nodes, self._neighbours, self._journal = nodes, neighbours, journal
        self.drivers = tuple(node.driver for node in nodes)
        self.links, self.peers = neighbours.links, neighbours.peers
        self.desk = GroupsDesk([node.desk for node in nodes])

    @classmethod
    async def recover(
        cls,
        config: ReplicaConfig,
        disk: Disk,
        *,
        rng: Random,
        machine: Callable[[], StateMachine] = Store,
        sessions: Callable[[StateMachine], Sessions] = Sessions,
        journal: Callable[..., Journal] = Journal,
        rules: LogRules = LOG_RULES,
        tracer: Tracer | None = None,
        log: Remarks = silence,
    ) -> GroupsNode:
        """A server as its disk remembers it.

        Raises: DamagedLog; WrongStorage; StorageFailed.
        """
        storages = await Storages.recover(
            disk,
            config.founders,
            config.server_id,
            config.groups,
            bytes_max=config.compaction.segment_bytes,
            journal=journal,
        )
        nodes: list[ReplicaNode] = []
        # Changes of members begin with the first group: who is out of that one is out of all.
        neighbours = Neighbours(
            config, storages.incarnation, lambda id: nodes[0].is_former(id), rng=rng, log=log
        )
        numbers = itertools.count()
        for group in range(config.groups):
            made = machine()
            before = sessions(made)
            node = ReplicaNode(
                config,
                await recalled(config, before, rules, partial(storages.recall, group)),
                made,
                before,
                rng=rng,
                rules=rules,
                tracer=tracer and traced_in(group, tracer, storages.incarnation, numbers),
                log=log if group == 0 else silence,  # Who is removed is told so once.
                neighbours=neighbours,
                group=group,
            )
            nodes.append(node)
        await storages.begin()
        return cls(nodes, neighbours, storages.journal)

    async def run(self) -> None:
        """See `Server`."""
        failures: list[StorageFailed] = []

        async def until_failed(run: Callable[[], Awaitable[None]]) -> None:
            try:
                await run()
            except StorageFailed as error:
                failures.append(error)
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            self._neighbours.live_in(nursery)
            nursery.start_soon(until_failed, self._journal.run)
            for node in self._nodes:
                nursery.start_soon(until_failed, node.run)
        if failures:
            raise failures[0]

    def samples(self) -> Iterator[Sample]:
        """See `Server`."""
        yield from sync_samples(self._journal.syncs, self._journal.syncing_s)
        yield from by_group([list(node.log_samples()) for node in self._nodes])
