"""Makes snapshots durable while the replica goes on."""

from __future__ import annotations

from collections.abc import Callable

import trio

from ostrakon.paxos_impl.core.multi import Image
from ostrakon.paxos_impl.storage.replica_storage import StableStorage
from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed


class SnapshotWriter:
    """Saves one snapshot at a time; of those that wait, only the newest is saved."""

    def __init__(self, storage: StableStorage, saved: Callable[[Image], None]) -> None:
        self._storage, self._saved = storage, saved
        self._waiting: Image | None = None
        self._arrived = trio.Event()
        self.failure: StorageFailed | None = None
        """Why `run` has ended."""

    def save(self, image: Image) -> None:
        """Queue a snapshot; `saved` is called once it is durable."""
        if self._waiting is None or image.slot > self._waiting.slot:
            self._waiting = image
        self._arrived.set()

    async def run(self, stop: trio.CancelScope) -> None:
        """Save queued snapshots; if a disk operation fails, cancel `stop`."""
        try:
            while True:
                await self._arrived.wait()
                self._arrived = trio.Event()
                image, self._waiting = self._waiting, None
                assert image is not None, "nothing to save"
                await self._storage.save_snapshot(image)
                self._saved(image)
        except StorageFailed as error:
            self.failure = error
            stop.cancel()
