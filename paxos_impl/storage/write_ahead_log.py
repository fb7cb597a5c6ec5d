"""A write-ahead log: a file of records that can be added to.

What must always hold: `append` returns only after its records are durable. After any operation has failed,
nothing is written any more, so that no other server is told of a record that may be missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ostrakon.paxos_impl.storage.disk import Disk, PiecewiseDisk
from ostrakon.paxos_impl.storage.record import Chain, DamagedLog, read_chain

_LONG_BYTES = 1 << 20
"""Records that are longer together are written by a `PiecewiseDisk` in pieces."""


class StorageFailed(Exception):
    """A disk operation that safety needs has failed; the server must not promise anything any more."""


class WrongStorage(Exception):
    """The storage is not damaged, but belongs to another server."""


class WriteAheadLog:
    """One file of records on a disk."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk, self._path = disk, path
        self._chain: Chain | None = None
        self._failed: OSError | None = None

    @property
    def checksum(self) -> int:
        """The checksum of all payloads, in their order; the log must have been loaded or replaced before."""
        assert self._chain is not None, f"{self._path} must be loaded first"
        return self._chain.checksum

    async def load(self, *, is_whole: bool = False) -> list[bytes] | None:
        """The payloads of all records; None if there is no file. A torn tail is cut off.

        In a log that `is_whole`, because it is only ever replaced, a torn tail is damage.

        Raises: DamagedLog; StorageFailed.
        """
        try:
            data = await self._disk.read(self._path)
            payloads, end, self._chain = read_chain(data, self._path)
            if end < len(data) and is_whole:
                raise DamagedLog(self._path, end, "this is not a whole record")
            if end < len(data):
                await self._disk.truncate(self._path, end)
        except FileNotFoundError:
            self._chain = Chain()
            return None
        except OSError as error:
            raise self._fail(error) from error
        return payloads

    async def replace(self, payloads: Sequence[bytes]) -> None:
        """Replace the log by these records, durably; after a crash either the old log or the new one is
        there.

        Raises: StorageFailed.
        """
        self._chain = Chain()
        # The length first: to ask for a protocol takes longer than to write a short record.
        if sum(map(len, payloads)) > _LONG_BYTES and isinstance(self._disk, PiecewiseDisk):
            await self._replace_by_pieces(self._disk, payloads)
        else:
            await self._write(payloads, anew=True)

    async def append(self, *payloads: bytes) -> None:
        """Add records, durably; after a crash some of the first ones may be there.

        The log must have been loaded or replaced before.

        Raises: StorageFailed.
        """
        await self._write(payloads, anew=False)

    async def _replace_by_pieces(self, disk: PiecewiseDisk, payloads: Sequence[bytes]) -> None:
        if self._failed is not None:
            raise self._fail(self._failed) from self._failed

        def pieces() -> list[bytes]:  # Computing the checksums of a long snapshot takes several milliseconds.
            made, self._chain = Chain().pieces(payloads)
            return made

        try:
            await disk.replace_by_pieces(self._path, pieces)
        except OSError as error:
            raise self._fail(error) from error

    async def _write(self, payloads: Sequence[bytes], *, anew: bool) -> None:
        if self._failed is not None:
            raise self._fail(self._failed) from self._failed
        assert self._chain is not None, f"{self._path} must be loaded before it is added to"
        data, self._chain = self._chain.records(payloads)
        try:
            if anew:
                await self._disk.replace(self._path, data)
            else:
                await self._disk.append(self._path, data)
                await self._disk.sync(self._path)
        except OSError as error:
            raise self._fail(error) from error

    def _fail(self, error: OSError) -> StorageFailed:
        self._failed = error
        return StorageFailed(f"{self._path}: {error.strerror or error}")


class Header(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first record of a server's log: the server that it belongs to."""

    format: str
    cluster_id: str
    server_id: int
    members: tuple[int, ...]
    incarnation: int
    """How often the server had been started before."""


def require_same(found: Header, mine: Header, path: str) -> None:
    """Check that a log belongs to this server.

    Raises: WrongStorage.
    """
    for what, theirs, ours in (
        ("cluster", found.cluster_id, mine.cluster_id),
        ("server id", found.server_id, mine.server_id),
        ("members", found.members, mine.members),
    ):
        if theirs != ours:
            raise WrongStorage(f"{path} was written with {what} {theirs!r}, not {ours!r}")
