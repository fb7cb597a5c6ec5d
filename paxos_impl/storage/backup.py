"""Backups: the state of a cluster after one slot of each of its logs, in a file.

A file of records (see `record`), written as one batch. The first record is the header, in msgpack:

    ["paxos-backup-1", id of the cluster, [[slot, digest, size], ...]]

with an entry for each group. The records after it are the states of the groups in their order, cut into
pieces of at most 1 MiB. `digest` is the BLAKE2b hash of the group's state, of 16 bytes, in hex, and `size`
its length in bytes. A state is what `kv.sessions` encodes: the table of sessions, and the state machine.

What must always hold: a file that was damaged or cut short is refused as a whole.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property

import msgspec

from ostrakon.paxos_impl.core.multi import Configuration, Image
from ostrakon.paxos_impl.core.multi.snapshot import Snapshot, SnapshotId, digest
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.storage.record import Chain, DamagedLog, read_records

FILE = "backup"
"""The name of the backup that a data directory begins with, until its member has served."""
_FORMAT = "paxos-backup-1"
_PIECE_BYTES = 1 << 20


class BadBackup(Exception):
    """A file is no whole backup; the message says why."""


class GroupState(msgspec.Struct, frozen=True, dict=True):
    """The state of one group after a slot."""

    slot: int
    state: bytes
    """The table of sessions and the state machine, encoded: the same bytes at every replica."""

    @cached_property
    def id(self) -> SnapshotId:
        """The slot, the hash of the state, and its length."""
        return SnapshotId(self.slot, digest(self.state), len(self.state))

    def image(self, founders: Configuration) -> Image:
        """The snapshot that the log of a new cluster with these founders begins with."""
        return Image.of(Snapshot(self.slot, (founders,), self.state))


class Backup(msgspec.Struct, frozen=True):
    """The state of a cluster."""

    cluster_id: str
    groups: tuple[GroupState, ...]

    @property
    def id(self) -> str:
        """Identifies the states: a hash of their hashes."""
        return digest(_encode([group.id for group in self.groups]))

    def pieces(self) -> list[bytes]:
        """The contents of the file, in pieces."""
        payloads = [_encode(_Header(_FORMAT, self.cluster_id, tuple(group.id for group in self.groups)))]
        for group in self.groups:
            view = memoryview(group.state)
            payloads += [bytes(view[at : at + _PIECE_BYTES]) for at in range(0, len(view), _PIECE_BYTES)]
        return Chain().pieces(payloads)[0]


class _Header(msgspec.Struct, frozen=True, array_like=True):
    format: str
    cluster_id: str
    groups: tuple[SnapshotId, ...]


def read_backup(data: bytes, path: str) -> Backup:
    """The backup in a file's contents.

    Raises: BadBackup, naming `path`.
    """
    try:
        payloads, end = read_records(data, path)
    except DamagedLog as error:
        if error.offset == 0:
            raise BadBackup(f"{path} is no backup, or its beginning is damaged: {error.why}") from None
        raise BadBackup(f"{path} is damaged at byte {error.offset}: {error.why}") from None
    if end < len(data) or not payloads:
        raise BadBackup(f"{path} is cut short or damaged: what follows byte {end} is no whole record")
    try:
        header = msgspec.msgpack.decode(payloads[0], type=_Header)
    except msgspec.DecodeError as error:
        raise BadBackup(f"{path} is no backup: {error}") from None
    if header.format != _FORMAT:
        raise BadBackup(f"{path} has the format {header.format!r}; this version reads {_FORMAT!r}")
    return Backup(header.cluster_id, tuple(_states(b"".join(payloads[1:]), header, path)))


def _states(data: bytes, header: _Header, path: str) -> list[GroupState]:
    """The states of all groups. Raises: BadBackup."""
    wanted = sum(id.size for id in header.groups)
    if len(data) != wanted:
        raise BadBackup(f"{path} is cut short: it has {len(data)} bytes of state, and should have {wanted}")
    states: list[GroupState] = []
    at = 0
    for group, id in enumerate(header.groups):
        state = GroupState(id.slot, data[at : at + id.size])
        if state.id != id:
            raise BadBackup(f"{path} is damaged: the state of group {group} does not match its hash")
        states.append(state)
        at += id.size
    return states


async def load_backup(disk: Disk) -> Backup | None:
    """The backup that a data directory begins with; None if there is none. Raises: BadBackup; OSError."""
    try:
        data = await disk.read(FILE)
    except FileNotFoundError:
        return None
    return read_backup(data, FILE)


async def remove_backup(disk: Disk) -> None:
    """Remove the backup that a data directory begins with, if it is there. Raises: OSError."""
    with suppress(FileNotFoundError):
        await disk.remove(FILE)


_encode = msgspec.msgpack.Encoder().encode
