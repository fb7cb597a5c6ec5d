"""What a server with several groups must find again after a restart: a journal, and a log for each group.

    replica            whose this is, how many groups there are, and how often it was started
    journal            what was saved last, by any group
    group-3 ...        what was saved before: for each group a log in segments, and its snapshot

What must always hold: what a group has saved is in the journal or in its own log, and in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from ostrakon.paxos_impl.core.multi import FIRST, Fact, Image, Recovered, Replay
from ostrakon.paxos_impl.disk import Disk
from ostrakon.paxos_impl.groups.journal import Journal, read_journal
from ostrakon.paxos_impl.membership import Membership
from ostrakon.paxos_impl.record import DamagedLog
from ostrakon.paxos_impl.replica.storage import OF_GROUPS, Storage
from ostrakon.paxos_impl.storage import Header, Log, StorageFailed, WrongStorage, require_same

_OWNER, _JOURNAL = "replica", "journal"


class Owner(Header, frozen=True, array_like=True, gc=False):
    """Whose the directory is."""

    groups: int = 1


class GroupStorage:
    """The stable storage of one group: new facts go to the journal, snapshots beside its own log."""

    def __init__(self, group: int, own: Storage, journal: Journal) -> None:
        self._group, self._own, self._journal = group, own, journal

    @property
    def incarnation(self) -> int:
        """See `StableStorage`."""
        return self._own.incarnation

    @property
    def state(self) -> Recovered:
        """See `StableStorage`."""
        return self._own.state

    async def save(self, facts: Sequence[Fact]) -> None:
        """See `StableStorage`."""
        await self._journal.save(self._group, facts)

    async def save_snapshot(self, image: Image) -> None:
        """See `StableStorage`."""
        await self._own.save_snapshot(image)


class Storages:
    """Those of all groups. `recover` looks at what they share; `recall` each one, in order; then `begin`."""

    def __init__(
        self,
        disk: Disk,
        membership: Membership,
        owner: Owner,
        journalled: list[list[Fact]],
        files: Sequence[str],
        journal: Callable[..., Journal],
        bytes_max: int,
    ) -> None:
        self._disk, self._membership, self._owner = disk, membership, owner
        self._journalled, self._files, self._bytes_max = journalled, files, bytes_max
        self._own: list[Storage] = []
        self.journal = journal(Log(disk, _JOURNAL), self._keep, bytes_max=bytes_max)

    @classmethod
    async def recover(
        cls,
        disk: Disk,
        membership: Membership,
        server_id: int,
        groups: int,
        *,
        bytes_max: int,
        journal: Callable[..., Journal] = Journal,
    ) -> Storages:
        """What the last incarnation left to all groups together; `bytes_max` is how long the journal, and a
        segment of each log, may become.

        Raises: DamagedLog; WrongStorage, when it belongs to another server or cluster, or has another number
        of groups; StorageFailed.
        """
        owner = Owner(OF_GROUPS, membership.cluster_id, server_id, membership.ids, 0, groups)
        if (payloads := await Log(disk, _OWNER).load()) is not None:
            found = _owner(payloads, groups)
            require_same(found, owner, _OWNER)
            owner = msgspec.structs.replace(owner, incarnation=found.incarnation + 1)
        journalled = await read_journal(Log(disk, _JOURNAL), _JOURNAL, groups)
        if payloads is not None and journalled is None:
            raise DamagedLog(_JOURNAL, 0, "it is missing, and with it what was promised last")
        if payloads is None and journalled is not None and any(journalled):
            raise DamagedLog(_OWNER, 0, "it is missing, though the journal that belongs to it is there")
        try:
            files = await disk.list()
        except OSError as error:
            raise StorageFailed(f"the directory can't be read: {error.strerror or error}") from error
        facts = journalled or [[] for _ in range(groups)]
        return cls(disk, membership, owner, facts, files, journal, bytes_max)

    @property
    def incarnation(self) -> int:
        """How often the server was started before."""
        return self._owner.incarnation

    async def recall(self, group: int, *, replay: Replay | None = None) -> GroupStorage:
        """Read what one group remembers; from now on its own log has all of it.

        Raises: DamagedLog; WrongStorage; StorageFailed; what `replay` raises.
        """
        assert group == len(self._own), f"group {group} is recalled after {len(self._own)} others"
        path, is_first = f"group-{group}", self._owner.incarnation == 0
        if not is_first and path not in self._files:
            raise DamagedLog(path, 0, "it is missing, and with it what this group has promised")
        own = await Storage.recover(
            self._disk,
            self._membership,
            self._owner.server_id,
            path=path,
            segment_bytes=self._bytes_max,
            replay=replay,
            journalled=self._journalled[group],
        )
        if is_first and (own.state.promised is not None or own.state.commit_index >= FIRST):
            raise DamagedLog(_OWNER, 0, f"it is missing, though {path} that belongs to it is there")
        self._own.append(own)
        return GroupStorage(group, own, self.journal)

    async def begin(self) -> None:
        """Durably begin another life, now that each group has all that was in the journal.

        Raises: StorageFailed.
        """
        assert len(self._own) == self._owner.groups, "every group was to be recalled"
        await self.journal.begin()
        await Log(self._disk, _OWNER).replace([_encode(self._owner)])

    async def _keep(self, group: int, facts: Sequence[Fact]) -> None:
        await self._own[group].save(facts)


def _owner(payloads: list[bytes], groups: int) -> Owner:
    """Whose directory it is. Raises: DamagedLog; WrongStorage."""
    if not payloads:
        raise DamagedLog(_OWNER, 0, "it has no beginning")
    try:
        header = _decode(payloads[0])
    except msgspec.DecodeError as error:
        raise WrongStorage(f"{_OWNER} is not that of a replica: {error}") from None
    found = header.groups if header.format == OF_GROUPS else 1
    if found != groups:
        raise WrongStorage(
            f"{_OWNER} is of a replica with {_counted(found)}, not {_counted(groups)}; where a key is "
            "depends on that, so it stays as it was in the beginning"
        )
    return header


def _counted(groups: int) -> str:
    return "one group" if groups == 1 else f"{groups} groups"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Owner).decode
