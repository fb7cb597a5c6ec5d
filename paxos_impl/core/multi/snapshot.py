"""Snapshots: the state that a log has led to, in place of the log; and when one is taken.

What must always hold: a slot is dropped from the log only once a snapshot that contains it is durable. A
replica that lacks dropped slots fetches the snapshot, in chunks (Paxos Made Live, 5.5).
"""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from zlib import crc32

import msgspec

from ostrakon.paxos_impl.core.multi.configuration import Configuration


class Snapshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The state of a replica that has executed the log up to a slot."""

    slot: int
    configurations: tuple[Configuration, ...]
    """The configurations of the slots after it."""
    state: bytes
    """The state machine and its sessions, encoded by themselves."""


class SnapshotId(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Identifies a snapshot. Replicas that have executed the same slots make equal snapshots."""

    slot: int
    digest: str
    size: int
    """In bytes."""


class Image(msgspec.Struct, frozen=True, dict=True):
    """A snapshot in bytes, as it is stored and sent."""

    slot: int
    data: bytes

    @classmethod
    def of(cls, snapshot: Snapshot) -> Image:
        """The snapshot, encoded."""
        return cls(snapshot.slot, _encode(snapshot))

    @classmethod
    def read(cls, data: bytes) -> Image:
        """The image that has these bytes.

        Raises: msgspec.DecodeError, if they encode no snapshot.
        """
        return cls(_decoder.decode(data).slot, data)

    @cached_property
    def id(self) -> SnapshotId:
        """The slot, a digest of the bytes, and their number."""
        return SnapshotId(self.slot, digest(self.data), len(self.data))

    @cached_property
    def snapshot(self) -> Snapshot:
        """The snapshot, decoded."""
        return _decoder.decode(self.data)


class Fetching(msgspec.Struct, frozen=True, gc=False):
    """A snapshot that is being fetched, as far as it has come."""

    id: SnapshotId
    pieces: tuple[bytes, ...] = ()
    size: int = 0
    """The length of all pieces together, in bytes."""


class Compaction(msgspec.Struct, frozen=True, gc=False):
    """When a snapshot is taken, how much of the log is kept, and how long chunks are."""

    every: int = 10_000
    """How many slots are executed from one snapshot to the next."""
    keep: int = 1_000
    """How many slots below a snapshot stay in the log, for replicas that are only a little behind."""
    chunk_bytes: int = 1 << 18
    """The length of a chunk, in bytes; it has to fit into a frame."""
    segment_bytes: int = 4 << 20
    """The length of a segment of the log on the disk, in bytes, before the next one is begun."""


def digest(data: bytes) -> str:
    """A cryptographic hash of a snapshot."""
    return blake2b(data, digest_size=16).hexdigest()


def checksum(data: bytes) -> int:
    """A checksum that detects a chunk damaged on its way."""
    return crc32(data)


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Snapshot)
