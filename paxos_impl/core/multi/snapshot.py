"""Snapshots: all that the log up to a slot amounts to, in place of it; and when to take one.

What must always hold: a slot is dropped only once a snapshot that covers it is durable. Whoever lacks the
slots that are gone is given the snapshot, piece by piece.
"""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from zlib import crc32

import msgspec

from ostrakon.paxos_impl.core.multi.configuration import Configuration


class Snapshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a replica knows that has executed the log up to a slot, and nothing above."""

    slot: int
    configurations: tuple[Configuration, ...]
    """Those in force for the slots above."""
    state: bytes
    """The state machine and its sessions, in a form that is theirs."""


class SnapshotId(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Which snapshot: replicas that executed the same have the same one."""

    slot: int
    digest: str
    size: int
    """In bytes."""


class Image(msgspec.Struct, frozen=True, dict=True):
    """A snapshot in bytes, as it is kept and sent."""

    slot: int
    data: bytes

    @classmethod
    def of(cls, snapshot: Snapshot) -> Image:
        """The image of a snapshot."""
        return cls(snapshot.slot, _encode(snapshot))

    @classmethod
    def read(cls, data: bytes) -> Image:
        """The inverse of `data`.

        Raises: msgspec.DecodeError, if this is no image of a snapshot.
        """
        return cls(_decoder.decode(data).slot, data)

    @cached_property
    def id(self) -> SnapshotId:
        """What tells it from others."""
        return SnapshotId(self.slot, digest(self.data), len(self.data))

    @cached_property
    def snapshot(self) -> Snapshot:
        """What it shows."""
        return _decoder.decode(self.data)


class Fetching(msgspec.Struct, frozen=True, gc=False):
    """A snapshot of which the beginning is here."""

    id: SnapshotId
    pieces: tuple[bytes, ...] = ()
    size: int = 0
    """How long these are together."""


class Compaction(msgspec.Struct, frozen=True, gc=False):
    """When to take a snapshot, how much of the log to keep all the same, and in which pieces."""

    every: int = 10_000
    """How many slots are executed between two snapshots."""
    keep: int = 1_000
    """How many slots below a snapshot stay, for replicas that lag by no more than these."""
    chunk_bytes: int = 1 << 18
    """The longest piece of a snapshot that is sent at once; it has to fit in a frame."""
    segment_bytes: int = 4 << 20
    """How long a segment of the log on the disk gets before the next one is begun."""


def digest(data: bytes) -> str:
    """A hash that no accident leaves as it was."""
    return blake2b(data, digest_size=16).hexdigest()


def checksum(data: bytes) -> int:
    """What tells that a piece was damaged on its way."""
    return crc32(data)


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Snapshot)
