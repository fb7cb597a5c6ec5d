"""Encodes snapshots in slices while the replica goes on, and makes them durable or gives them to a backup.

What must always hold: a snapshot shows the state after one slot, although the state changes while it is
encoded; and a snapshot that can't be encoded is an alarm in the log, not the end of the replica.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import NamedTuple

import msgspec
import trio

from ostrakon.paxos_impl.core.multi import Configuration, Image
from ostrakon.paxos_impl.server.log_record import LogRecord, LogSink
from ostrakon.paxos_impl.storage.replica_storage import StableStorage
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed

SLICE_BYTES = 16 << 10
"""Length after which encoding pauses and lets other tasks run, in bytes: less than a millisecond of work."""
_LARGE_BYTES = 4 << 20
"""Beyond this, hashing a snapshot is left to a thread."""


class Frozen(NamedTuple):
    """A state that can be encoded while the state machine goes on."""

    slot: int
    configurations: tuple[Configuration, ...]
    """Those of the slots after it."""
    parts: Iterator[bytes]
    is_saved: bool = True
    """Whether it becomes the newest snapshot of the replica; otherwise it is for a backup only."""


class _Order(msgspec.Struct):
    """A backup that waits for its image."""

    freeze: Callable[[], Frozen]
    is_over: trio.Event
    image: Image | None = None


class SnapshotWriter:
    """Encodes and saves one snapshot at a time; of those that wait, only the newest is saved."""

    def __init__(self, storage: StableStorage, saved: Callable[[Image], None], log: LogSink) -> None:
        self._storage, self._saved, self._log = storage, saved, log
        self._waiting: Image | None = None
        self._taking: Frozen | None = None
        self._orders: list[_Order] = []
        self._arrived = trio.Event()
        self.failure: StorageFailed | None = None
        """Why `run` has ended."""
        self.taken = self.failed = 0
        """Number of snapshots that were encoded, and of those that could not be."""
        self.last_bytes = 0
        """Length of the last snapshot."""
        self.last_s = 0.0
        """Time that the last one took to be encoded and saved, in seconds."""

    def take(
        self, slot: int, configurations: tuple[Configuration, ...], parts: Callable[[], Iterator[bytes]]
    ) -> None:
        """Begin to encode a snapshot; `parts` freezes the state as it is now.

        If another one is still being encoded, that one is dropped.
        """
        try:
            self._taking = Frozen(slot, configurations, parts())
        except Exception as error:
            self._alarm(slot, error)
            return
        self._arrived.set()

    async def image(self, freeze: Callable[[], Frozen]) -> Image | None:
        """An image of the state as it is now, or of a later one; None if it can't be encoded.

        `freeze` is called when no other snapshot is being encoded. All who wait by then get the same image.
        """
        order = _Order(freeze, trio.Event())
        self._orders.append(order)
        self._arrived.set()
        await order.is_over.wait()
        return order.image

    def save(self, image: Image) -> None:
        """Queue a snapshot that was received; `saved` is called once it is durable."""
        if self._waiting is None or image.slot > self._waiting.slot:
            self._waiting = image
        self._arrived.set()

    async def run(self, stop: trio.CancelScope) -> None:
        """Encode and save snapshots; if a disk operation fails, cancel `stop`."""
        try:
            while True:
                await self._arrived.wait()
                self._arrived = trio.Event()
                begun_s = trio.current_time()
                orders = self._begin_orders() if self._taking is None else []
                encoded = await self._encode() if self._taking is not None else None
                if encoded is not None and encoded.is_saved:
                    taken = encoded.image
                    if self._waiting is None or taken.slot > self._waiting.slot:
                        self._waiting = taken
                for order in orders:
                    order.image = None if encoded is None else encoded.image
                    order.is_over.set()
                if self._orders:
                    self._arrived.set()
                image, self._waiting = self._waiting, None
                if image is not None:
                    await self._storage.save_snapshot(image)
                    self.last_bytes, self.last_s = len(image.data), trio.current_time() - begun_s
                    self._saved(image)
        except StorageFailed as error:
            self.failure = error
            stop.cancel()

    def _begin_orders(self) -> list[_Order]:
        """Begin to encode the state for all backups that wait for an image, and return them."""
        orders, self._orders = self._orders, []
        if orders:
            with suppress(
                Exception
            ):  # Where the state has no encoding, the next snapshot is an alarm in the log.
                self._taking = orders[-1].freeze()
        return orders

    async def _encode(self) -> _Encoded | None:
        """The snapshot that was begun last; None if it can't be encoded."""
        while (taking := self._taking) is not None:
            slot, configurations, parts, is_saved = taking
            data = _Buffer(_head(slot, configurations))
            at, pause = data.size, data.size + SLICE_BYTES
            try:
                for part in parts:
                    data.add(part)
                    if data.size > pause:
                        pause = data.size + SLICE_BYTES
                        await trio.lowlevel.checkpoint()
                        if self._taking is not taking:
                            break
            except Exception as error:
                self._alarm(slot, error)
                if self._taking is taking:
                    self._taking = None
                    return None
            if self._taking is taking:
                self._taking = None
                data.write(at - _BIN_LENGTH.size, _BIN_LENGTH.pack(data.size - at))
                self.taken += 1
                image = Image(slot, data.contents())
                if data.size > _LARGE_BYTES:
                    await trio.to_thread.run_sync(getattr, image, "id")  # Hashes it.
                return _Encoded(image, is_saved)
        return None

    def _alarm(self, slot: int, error: Exception) -> None:
        self.failed += 1
        line = f"ALARM: the snapshot up to slot {slot} can't be encoded: {type(error).__name__}: {error}"
        self._log(LogRecord(line, event="snapshot_failed", slot=slot, why=str(error)))


class _Encoded(NamedTuple):
    image: Image
    is_saved: bool


class _Buffer:
    """Bytes that grow to any length without being copied: a copy of a long snapshot stops the replica for
    10 ms, and so does `bytearray` when it moves.

    >>> buffer = _Buffer(b"ab")
    >>> buffer.add(b"c")
    >>> buffer.write(0, b"z")
    >>> bytes(buffer.contents())
    b'zbc'
    """

    def __init__(self, beginning: bytes | bytearray) -> None:
        self._memory = mmap(-1, _GROWTH_BYTES, flags=MAP_PRIVATE | MAP_ANONYMOUS)
        self.size = 0
        self.add(beginning)

    def add(self, data: bytes | bytearray) -> None:
        """Add bytes at the end."""
        end = self.size + len(data)
        if end > len(self._memory):
            self._memory.resize(max(end, len(self._memory) + _GROWTH_BYTES))
        self._memory[self.size : end] = data
        self.size = end

    def write(self, at: int, data: bytes) -> None:
        """Replace bytes that are there."""
        self._memory[at : at + len(data)] = data

    def contents(self) -> bytes:
        """All bytes; the buffer must not be used any more. If it is long, it only acts as `bytes`."""
        self._memory.resize(self.size)
        if self.size <= _LARGE_BYTES:
            return self._memory[:]
        return self._memory  # type: ignore[return-value]  # Not copied: it may be long.


_GROWTH_BYTES = 1 << 20
_BIN_LENGTH = struct.Struct(">I")


def _head(slot: int, configurations: tuple[Configuration, ...]) -> bytearray:
    """The encoded snapshot up to its state, whose length is not known yet.

    This is `Image.of` without a copy of the state: an array of three, the last of which is bytes.
    """
    pair = msgspec.msgpack.encode((slot, configurations))
    assert pair[0] == 0x92, "an array of two"
    return bytearray(b"\x93" + pair[1:] + b"\xc6" + b"\0\0\0\0")
