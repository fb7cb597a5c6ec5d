"""What a server with several groups must find again after a restart: a journal, and a log for each group.

    replica            the server that owns the files, its number of groups, and how often it was started
    journal            the facts saved last, of all groups
    group-3 ...        older facts: a log in segments and a snapshot for each group

What must always hold: each fact that a group has saved is in the journal or in the group's own log, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from ostrakon.paxos_impl.core.multi import FIRST, Fact, Image, Recovered, Replay
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.storage.group_journal import GroupJournal, read_journal
from ostrakon.paxos_impl.storage.record import DamagedLog
from ostrakon.paxos_impl.storage.replica_storage import OF_GROUPS, ReplicaStorage
from ostrakon.paxos_impl.storage.write_ahead_log import (
    Header,
    StorageFailed,
    WriteAheadLog,
    WrongStorage,
    require_same,
)
from ostrakon.paxos_impl.wire.membership import Membership

_OWNER, _JOURNAL = "replica", "journal"


class Owner(Header, frozen=True, array_like=True, gc=False):
    """The server that the directory belongs to."""

    groups: int = 1


class GroupStorage:
    """The storage of one group: it saves facts to the journal, and snapshots beside its own log. A
    `StableStorage`."""

    def __init__(self, group: int, own: ReplicaStorage, journal: GroupJournal) -> None:
        self._group, self._own, self._journal = group, own, journal

    @property
    def incarnation(self) -> int:
        """How often the server was started before."""
        return self._own.incarnation

    @property
    def state(self) -> Recovered:
        """The state found at the start."""
        return self._own.state

    async def save(self, facts: Sequence[Fact]) -> None:
        """Add facts to the journal; durable on return. Raises: StorageFailed."""
        await self._journal.save(self._group, facts)

    async def save_snapshot(self, image: Image) -> None:
        """Replace the group's snapshot; durable on return. Raises: StorageFailed."""
        await self._own.save_snapshot(image)


class _Shared(NamedTuple):
    """What the groups share, as it was found on the disk."""

    owner: Owner
    journalled: list[list[Fact]]
    """By group, the facts of the journal."""
    files: Sequence[str]
    """The names of all files of the directory."""


class GroupStorages:
    """The storages of all groups: `recover` reads what they share, then `recover_group` each one, then
    `begin`."""

    def __init__(
        self,
        disk: Disk,
        membership: Membership,
        shared: _Shared,
        journal: Callable[..., GroupJournal],
        bytes_max: int,
    ) -> None:
        self._disk, self._membership, self._bytes_max = disk, membership, bytes_max
        self._owner, self._journalled, self._files = shared
        self._own: list[ReplicaStorage] = []
        self.journal = journal(WriteAheadLog(disk, _JOURNAL), self._keep, bytes_max=bytes_max)

    @classmethod
    async def recover(
        cls,
        disk: Disk,
        membership: Membership,
        server_id: int,
        groups: int,
        *,
        bytes_max: int,
        journal: Callable[..., GroupJournal] = GroupJournal,
    ) -> GroupStorages:
        """Read what the groups share; `bytes_max` is the length at which the journal, or a segment of a
        group's log, is full.

        Raises: DamagedLog; WrongStorage, when it belongs to another server or cluster, or has another number
        of groups; StorageFailed.
        """
        owner = Owner(OF_GROUPS, membership.cluster_id, server_id, membership.ids, 0, groups)
        if (payloads := await WriteAheadLog(disk, _OWNER).load()) is not None:
            found = _owner(payloads, groups)
            require_same(found, owner, _OWNER)
            owner = msgspec.structs.replace(owner, incarnation=found.incarnation + 1)
        journalled = await read_journal(WriteAheadLog(disk, _JOURNAL), _JOURNAL, groups)
        if payloads is not None and journalled is None:
            raise DamagedLog(_JOURNAL, 0, "it is missing, and with it the last promises")
        if payloads is None and journalled is not None and any(journalled):
            raise DamagedLog(_OWNER, 0, "it is missing, though the journal that belongs to it is there")
        try:
            files = await disk.list()
        except OSError as error:
            raise StorageFailed(f"the directory can't be read: {error.strerror or error}") from error
        facts = journalled or [[] for _ in range(groups)]
        return cls(disk, membership, _Shared(owner, facts, files), journal, bytes_max)

    @property
    def incarnation(self) -> int:
        """How often the server was started before."""
        return self._owner.incarnation

    async def recover_group(
        self, group: int, *, replay: Replay | None = None, seed: Image | None = None
    ) -> GroupStorage:
        """Read the state of one group; afterwards its own log has all of it.

        With `seed`, the log of a new server's group begins with that snapshot.

        Raises: DamagedLog; WrongStorage; StorageFailed; what `replay` raises.
        """
        assert group == len(self._own), f"group {group} is recovered after {len(self._own)} others"
        path, is_first = f"group-{group}", self._owner.incarnation == 0
        if not is_first and path not in self._files:
            raise DamagedLog(path, 0, "it is missing, and with it the promises of this group")
        own = await ReplicaStorage.recover(
            self._disk,
            self._membership,
            self._owner.server_id,
            path=path,
            segment_bytes=self._bytes_max,
            replay=replay,
            journalled=self._journalled[group],
            seed=seed,
        )
        begins = FIRST if seed is None else seed.slot + 1
        if is_first and (own.state.promised is not None or own.state.commit_index >= begins):
            raise DamagedLog(_OWNER, 0, f"it is missing, though {path} that belongs to it is there")
        self._own.append(own)
        return GroupStorage(group, own, self.journal)

    async def begin(self) -> None:
        """Durably begin the next incarnation; each group's log has all that was in the journal.

        Raises: StorageFailed.
        """
        assert len(self._own) == self._owner.groups, "recover every group first"
        await self.journal.begin()
        await WriteAheadLog(self._disk, _OWNER).replace([_encode(self._owner)])

    async def _keep(self, group: int, facts: Sequence[Fact]) -> None:
        await self._own[group].save(facts)


def _owner(payloads: list[bytes], groups: int) -> Owner:
    """The server that the directory belongs to. Raises: DamagedLog; WrongStorage."""
    if not payloads:
        raise DamagedLog(_OWNER, 0, "it has no beginning")
    try:
        header = _decode(payloads[0])
    except msgspec.DecodeError as error:
        raise WrongStorage(f"{_OWNER} is not the file of a replica: {error}") from None
    found = header.groups if header.format == OF_GROUPS else 1
    if found != groups:
        raise WrongStorage(
            f"{_OWNER} is of a replica with {_counted(found)}, not {_counted(groups)}; the group of each "
            "key depends on that number, so it can't change"
        )
    return header


def _counted(groups: int) -> str:
    return "one group" if groups == 1 else f"{groups} groups"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Owner).decode
