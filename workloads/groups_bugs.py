"""Seeded bugs of servers with several groups, in the parts that the groups share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ostrakon.harness.workload import SeededBug
from ostrakon.paxos_impl.core.multi import Fact
from ostrakon.paxos_impl.core.multi.message import Accepted
from ostrakon.paxos_impl.server.driver import Driver
from ostrakon.paxos_impl.server.groups_server import GroupsServer
from ostrakon.paxos_impl.server.peers import Peers
from ostrakon.paxos_impl.server.replica_node import ReplicaNode
from ostrakon.paxos_impl.storage.group_journal import GroupJournal, WriteBatch
from ostrakon.workloads.log_bugs import Breakage


class _VotesCountTwice(GroupsServer):
    def __init__(self, nodes: Sequence[ReplicaNode], peers: Peers, journal: GroupJournal) -> None:
        super().__init__(nodes, peers, journal)
        first, *others = self.drivers
        astray: list[Any] = [_VotesAstray(driver, first) for driver in others]
        self.drivers = (first, *astray)


class _VotesAstray:
    """Replaces the driver of one group and also delivers its votes to another group."""

    def __init__(self, right: Driver[Any, Any], wrong: Driver[Any, Any]) -> None:
        self._right, self._wrong = right, wrong

    def receive(self, message: Any, sender: int, id: str) -> None:
        self._right.receive(message, sender, id)
        if isinstance(message, Accepted):
            self._wrong.receive(message, sender, id)


class _WaitsForOneGroup(GroupJournal):
    def _batch_to_wait_for(self) -> WriteBatch:
        if len(self._next.saved) == 1:
            return self._next
        durable = self._batch()
        durable.is_over.set()
        return durable


class _CutByOneGroup(GroupJournal):
    async def _move_to_groups(self, held: dict[int, list[Fact]]) -> None:
        longest = max(held, key=lambda group: len(held[group]))
        await super()._move_to_groups({longest: held[longest]})


def _bugs() -> Iterator[SeededBug]:
    yield _bug(
        "votes-of-another-group",
        "votes of all groups are handed to the first one, too, which has ballots of the same numbers",
        Breakage(node=_VotesCountTwice),
        *("P4", "P5"),
    )
    yield _bug(
        "sync-awaited-by-one-group",
        "of the groups that are to share a sync, only the first waits for it; the others reply at once",
        Breakage(journal=_WaitsForOneGroup),
        *("P11", "P7", "P8", "P10", "M5"),
    )
    yield _bug(
        "journal-cut-by-one-group",
        "the shared journal is begun anew as soon as one group has what is in it in a log of its own",
        Breakage(journal=_CutByOneGroup),
        *("P11", "P7", "P8", "P10", "M5"),
    )


def _bug(name: str, about: str, breakage: Breakage, *convicted_by: str) -> SeededBug:
    return SeededBug(name, about, breakage, convicted_by, plan={"options": {"groups": 3}})


GROUPS_BUGS: dict[str, SeededBug] = {bug.name: bug for bug in _bugs()}
"""The seeded bugs of groups by name."""
