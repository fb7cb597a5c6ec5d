"""An append-only log on a disk, and in it what an instance must find again after a restart.

What must always hold: `append` returns only when its record is durable; and once anything has failed,
nothing is written any more, so that nobody can be told of what may not be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from ostrakon.paxos_impl.core.effect import Durable
from ostrakon.paxos_impl.disk import Disk
from ostrakon.paxos_impl.membership import Membership
from ostrakon.paxos_impl.record import DamagedLog, read_records, records

_FORMAT = "paxos-log-1"
_T = TypeVar("_T")


class StorageFailed(Exception):
    """The disk refused to do what safety rests on; nothing may be promised any more."""


class WrongStorage(Exception):
    """The storage is sound, but it is somebody else's."""


class Log:
    """A file of records that can be added to."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk, self._path = disk, path
        self._failed: OSError | None = None

    async def load(self, *, is_whole: bool = False) -> list[bytes] | None:
        """What was appended before, without a torn tail, which is cut off; None if there is no file.

        A log that is only ever replaced `is_whole`: what looks like a torn tail of it is damage.

        Raises: DamagedLog; StorageFailed.
        """
        try:
            data = await self._disk.read(self._path)
            payloads, end = read_records(data, self._path)
            if end < len(data) and is_whole:
                raise DamagedLog(self._path, end, "what is there is not a whole record")
            if end < len(data):
                await self._disk.truncate(self._path, end)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._fail(error) from error
        return payloads

    async def replace(self, payloads: Sequence[bytes]) -> None:
        """Begin the log anew with these records, durably; a crash leaves either the old log or the new.

        Raises: StorageFailed.
        """
        await self._write(records(payloads), anew=True)

    async def append(self, *payloads: bytes) -> None:
        """Add records, durably; a crash may leave those that come first.

        Raises: StorageFailed.
        """
        await self._write(records(payloads), anew=False)

    async def _write(self, data: bytes, *, anew: bool) -> None:
        if self._failed is not None:
            raise self._fail(self._failed) from self._failed
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
    """The first record of an instance's log: whose it is."""

    format: str
    cluster_id: str
    server_id: int
    members: tuple[int, ...]
    incarnation: int
    """How often the instance had been started before."""


class Storage:
    """The durable state of one instance. Open it with `recover`."""

    def __init__(self, log: Log, header: Header, state: Durable) -> None:
        self._log = log
        self.incarnation = header.incarnation
        self.state = state
        """What was found at start-up."""

    @classmethod
    async def recover(
        cls, disk: Disk, membership: Membership, server_id: int, *, path: str = "log"
    ) -> Storage:
        """Read what the last incarnation left and durably begin the next one.

        Raises: DamagedLog; WrongStorage, when it belongs to another instance or cluster; StorageFailed.
        """
        log = Log(disk, path)
        mine = Header(_FORMAT, membership.cluster_id, server_id, membership.ids, 0)
        state = Durable()
        if (payloads := await log.load()) is not None:
            header, state = _interpret(payloads, path)
            require_same(header, mine, path)
            mine = msgspec.structs.replace(mine, incarnation=header.incarnation + 1)
        await log.replace([_encode(mine), _encode(state)])
        return cls(log, mine, state)

    async def save(self, state: Durable) -> None:
        """Make this the state to be found after a restart; durable on return.

        Raises: StorageFailed.
        """
        await self._log.append(_encode(state))


_encode = msgspec.msgpack.Encoder().encode


def _interpret(payloads: list[bytes], path: str) -> tuple[Header, Durable]:
    """The header and the last state. The log is made in one piece, so that these two are always there."""
    if len(payloads) < 2:
        raise DamagedLog(path, 0, "the log has no beginning")
    header = _decode(payloads[0], Header, path)
    if header.format != _FORMAT:
        raise WrongStorage(f"{path} has the format {header.format!r}; this version reads {_FORMAT!r}")
    return header, _decode(payloads[-1], Durable, path)


def _decode(payload: bytes, kind: type[_T], path: str) -> _T:
    try:
        return msgspec.msgpack.decode(payload, type=kind)
    except msgspec.DecodeError as error:
        raise WrongStorage(f"{path} is not the log of an instance: {error}") from None


def require_same(found: Header, mine: Header, path: str) -> None:
    """Whether a log belongs to this server.

    Raises: WrongStorage.
    """
    for what, theirs, ours in (
        ("cluster", found.cluster_id, mine.cluster_id),
        ("server id", found.server_id, mine.server_id),
        ("members", found.members, mine.members),
    ):
        if theirs != ours:
            raise WrongStorage(f"{path} was written with {what} {theirs!r}, not {ours!r}")
