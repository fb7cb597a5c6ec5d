"""What a replica must find again after a restart: a snapshot, and a write-ahead log of the facts after it.

    replica            the server that owns the files, how often it was started, and the newest segment
    replica.snapshot   the newest snapshot
    replica.00000007   segments of the log; each goes on where the one before it ends
    replica.00000008

What must always hold: `save` returns only when its facts, and all facts before them, are durable. A segment
is removed only when a durable snapshot covers it; the promise is not in snapshots, so each segment begins
with it. The number of a new segment is recorded before a fact is written to the segment, because the segments
before it do not show that it was there.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import msgspec

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.core.multi import (
    FIRST,
    Compaction,
    Fact,
    Image,
    Promised,
    Recovered,
    Recovery,
    Replay,
    Voted,
)
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.storage.record import DamagedLog, read_chain, read_records
from ostrakon.paxos_impl.storage.write_ahead_log import (
    Header,
    StorageFailed,
    WriteAheadLog,
    WrongStorage,
    require_same,
)
from ostrakon.paxos_impl.wire.membership import Membership

_FORMAT = "paxos-replica-3"
OF_GROUPS = "paxos-groups-2"
"""The format where the logs of several groups share a directory: see `group_storage`."""


class StableStorage(Protocol):
    """The durable state of a replica (PMS 2.5), wherever its log is written."""

    @property
    def incarnation(self) -> int:
        """How often the replica was started before."""

    @property
    def state(self) -> Recovered:
        """The state found at the start."""

    async def save(self, facts: Sequence[Fact]) -> None:
        """Add facts to the log; durable on return.

        Raises: StorageFailed.
        """

    async def save_snapshot(self, image: Image) -> None:
        """Replace the snapshot and drop the log that it covers, unless there is a newer one; durable on
        return.

        Raises: StorageFailed.
        """


class _Beginning(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first record of a segment."""

    follows: int
    """The highest slot in the segments before it."""
    promised: Ballot | None
    """The promise when it was begun."""
    checksum: int | None = None
    """The checksum of the segment before it, which shows whether that segment is still whole. None in the
    first segment, and in segments of earlier versions."""


class _Segment(msgspec.Struct, gc=False):
    """A file of the log."""

    number: int
    beginning: _Beginning
    top: int
    """The highest slot in it or in a segment before it."""
    size: int


class _Opened(NamedTuple):
    """What was found on the disk, ready to be added to."""

    segments: list[_Segment]
    log: WriteAheadLog
    """The last segment."""
    owner: WriteAheadLog
    """The file that names the server, and the number of the last segment."""
    snapshot: int
    """The last slot that the snapshot covers."""
    incarnation: int
    state: Recovered


class ReplicaStorage:
    """The durable state of one replica, opened with `recover`. A `StableStorage`."""

    def __init__(
        self,
        disk: Disk,
        path: str,
        opened: _Opened,
        segment_bytes: int,
    ) -> None:
        self._disk, self._path, self._segment_bytes = disk, path, segment_bytes
        self._segments, self._log, self._snapshot = opened.segments, opened.log, opened.snapshot
        self._owner = opened.owner
        self._promised = opened.state.promised
        self._failure: StorageFailed | None = None
        self.incarnation = opened.incarnation
        self.state = opened.state
        """The state found at the start."""

    @classmethod
    async def recover(
        cls,
        disk: Disk,
        membership: Membership,
        server_id: int,
        *,
        path: str = "replica",
        segment_bytes: int = Compaction().segment_bytes,
        replay: Replay | None = None,
        journalled: Sequence[Fact] = (),
        seed: Image | None = None,
    ) -> ReplicaStorage:
        """Read the state that the last incarnation left, and durably begin the next one.

        `journalled` are facts that are newer than those in the log; they are added to it. They may have been
        added before, by an incarnation that died meanwhile, if all facts since then are given again.

        With `seed`, the log of a new replica begins with that snapshot; a replica that has run before ignores
        it.

        With `replay`, a long log is not kept in memory: it is executed while it is read, and the resulting
        state is the snapshot from which the log goes on.

        Raises: DamagedLog; WrongStorage, when it belongs to another server or cluster; StorageFailed; and
        what `replay` raises.
        """
        mine = Header(_FORMAT, membership.cluster_id, server_id, membership.ids, 0)
        owner = WriteAheadLog(disk, path)
        if (payloads := await owner.load()) is not None:
            found = _owner(payloads, path)
            require_same(found, mine, path)
            mine = msgspec.structs.replace(mine, incarnation=found.incarnation + 1)
        image = await _load_image(disk, f"{path}.snapshot")
        is_seeded = payloads is None and seed is not None and (image is None or image.id == seed.id)
        if is_seeded and seed is not None and image is None:
            await WriteAheadLog(disk, f"{path}.snapshot").replace([seed.data])
            image = seed
        snapshot = FIRST - 1 if image is None else image.slot
        recovery = Recovery(replay)
        recovery.begin(image)
        segments, last = await _load_segments(disk, path, recovery, snapshot)
        _require_newest(path, payloads, segments)
        _require_together(path, payloads is not None, segments, recovery, None if is_seeded else image)
        recovery.add(journalled)
        state = recovery.recovered()
        if not segments:
            first = _Segment(1, _Beginning(snapshot, None), snapshot, 0)
            last = WriteAheadLog(disk, _name(path, 1))
            await last.replace([_encode(first.beginning)])
            segments.append(first)
        assert last is not None, "there is a segment"
        await owner.replace([_encode(mine), _encode(segments[-1].number)])
        opened = _Opened(segments, last, owner, snapshot, mine.incarnation, state)
        storage = cls(disk, path, opened, segment_bytes)
        if journalled:
            await storage.save(journalled)
        if state.image is not None:
            await storage.save_snapshot(state.image)
        return storage

    async def save(self, facts: Sequence[Fact]) -> None:
        """Add facts to the log; durable on return.

        Raises: StorageFailed.
        """
        payload = _encode(facts)
        await self._attempt(lambda: self._log.append(payload))
        segment = self._segments[-1]
        segment.size += len(payload)
        segment.top = max(segment.top, _top(facts))
        self._promised = _promised(facts, self._promised)
        if segment.size >= self._segment_bytes:
            await self._begin_segment(segment)

    async def save_snapshot(self, image: Image) -> None:
        """Replace the snapshot and drop the log that it covers, unless there is a newer one; durable on
        return.

        Raises: StorageFailed.
        """
        if image.slot > self._snapshot:
            file = WriteAheadLog(self._disk, f"{self._path}.snapshot")
            await self._attempt(lambda: file.replace([image.data]))
            self._snapshot = image.slot
            await self._attempt(self._remove_covered)

    async def _begin_segment(self, last: _Segment) -> None:
        beginning = _Beginning(last.top, self._promised, self._log.checksum)
        log = WriteAheadLog(self._disk, _name(self._path, last.number + 1))
        await self._attempt(lambda: log.replace([_encode(beginning)]))
        await self._attempt(lambda: self._owner.append(_encode(last.number + 1)))
        self._segments.append(_Segment(last.number + 1, beginning, last.top, 0))
        self._log = log

    async def _remove_covered(self) -> None:
        """Remove segments that the snapshot covers, oldest first, so that no crash leaves a gap."""
        while len(self._segments) > 1 and self._segments[0].top <= self._snapshot:
            path = _name(self._path, self._segments[0].number)
            try:
                await self._disk.remove(path)
            except OSError as error:
                raise StorageFailed(f"{path}: {error.strerror or error}") from error
            del self._segments[0]

    async def _attempt(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write, unless a write has failed before: the contents of such a disk are unknown."""
        if self._failure is not None:
            raise self._failure
        try:
            await write()
        except StorageFailed as error:
            self._failure = error
            raise


_encode = msgspec.msgpack.Encoder().encode
_headers = msgspec.msgpack.Decoder(Header)
_beginnings = msgspec.msgpack.Decoder(_Beginning)
_facts = msgspec.msgpack.Decoder(tuple[Fact, ...])


def _name(path: str, number: int) -> str:
    return f"{path}.{number:08}"


def _owner(payloads: list[bytes], path: str) -> Header:
    """The server that the storage belongs to."""
    if not payloads:
        raise DamagedLog(path, 0, "it has no beginning")
    try:
        header = _headers.decode(payloads[0])
    except msgspec.DecodeError as error:
        raise WrongStorage(f"{path} is not the log of a replica: {error}") from None
    if header.format == OF_GROUPS:
        raise WrongStorage(f"{path} is of a replica with several groups; start it with --groups")
    if header.format != _FORMAT:
        raise WrongStorage(f"{path} has the format {header.format!r}; this version reads {_FORMAT!r}")
    return header


def _require_newest(path: str, payloads: list[bytes] | None, segments: list[_Segment]) -> None:
    """Check that the newest segment is there. Earlier versions did not record its number."""
    try:
        numbers = [msgspec.msgpack.decode(payload, type=int) for payload in (payloads or ())[1:]]
    except msgspec.DecodeError as error:
        raise WrongStorage(f"{path} is not the log of a replica: {error}") from None
    if segments and numbers and numbers[-1] > segments[-1].number:
        raise DamagedLog(
            _name(path, numbers[-1]),
            0,
            "the newest segment of the log is missing, and with it the last promises of this replica",
        )


async def _load_image(disk: Disk, path: str) -> Image | None:
    """The snapshot, if there is one. It was written in one piece, so a snapshot that is cut short is
    damaged."""
    try:
        data = await disk.read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageFailed(f"{path}: {error.strerror or error}") from error
    payloads, end = read_records(data, path)
    if len(payloads) != 1 or end < len(data):
        raise DamagedLog(path, end, "the snapshot is cut short, or something follows it")
    try:
        return Image.read(payloads[0])
    except msgspec.DecodeError as error:
        raise WrongStorage(f"{path} is not the snapshot of a replica: {error}") from None


async def _load_segments(
    disk: Disk, path: str, recovery: Recovery, base: int
) -> tuple[list[_Segment], WriteAheadLog | None]:
    """The segments in order, and the log of the last one, which is durable afterwards.

    Their facts are added to `recovery`.
    """
    try:
        names = await disk.list()
    except OSError as error:
        raise StorageFailed(f"the directory can't be read: {error.strerror or error}") from error
    numbers = sorted(int(name[len(path) + 1 :]) for name in names if _is_segment(name, path))
    segments: list[_Segment] = []
    log: WriteAheadLog | None = None
    checksum: int | None = None
    for number in numbers:
        name, is_last = _name(path, number), number == numbers[-1]
        if segments and number != segments[-1].number + 1:
            raise DamagedLog(_name(path, segments[-1].number + 1), 0, "this segment of the log is missing")
        log = WriteAheadLog(disk, name)
        before, (payloads, checksum) = checksum, await _load_segment(disk, log, name, is_last=is_last)
        beginning = _beginning(payloads, name)
        if segments and beginning.checksum not in (None, before):
            raise DamagedLog(_name(path, number - 1), 0, "the last records of this segment are missing")
        if not segments and beginning.follows > base:
            raise DamagedLog(
                name,
                0,
                f"the log goes on from slot {beginning.follows}, but the snapshot reaches slot {base} only",
            )
        if beginning.promised is not None:
            recovery.add([Promised(beginning.promised)])
        _recall(payloads, name, recovery)
        top = max(beginning.follows, recovery.top)
        segments.append(_Segment(number, beginning, top, sum(map(len, payloads))))
    return segments, log


async def _load_segment(
    disk: Disk, log: WriteAheadLog, name: str, *, is_last: bool
) -> tuple[list[bytes], int]:
    """The records of a segment, and their checksum; only the last one may have a torn tail.

    The last one is written again: after a failed sync, data that can be read need not be on the disk, and
    another sync would not write it. The segments before it were synced before the next one was begun.
    """
    if is_last:
        payloads = await log.load() or []
        await log.replace(payloads)
        return payloads, log.checksum
    try:
        data = await disk.read(name)
    except OSError as error:
        raise StorageFailed(f"{name}: {error.strerror or error}") from error
    payloads, end, chain = read_chain(data, name)
    if end < len(data):
        raise DamagedLog(name, end, "this record is cut short, though others were written after it")
    return payloads, chain.checksum


def _beginning(payloads: Sequence[bytes], name: str) -> _Beginning:
    if not payloads:
        raise DamagedLog(name, 0, "it has no beginning")
    try:
        return _beginnings.decode(payloads[0])
    except msgspec.DecodeError as error:
        raise WrongStorage(f"{name} is not the log of a replica: {error}") from None


def _recall(payloads: Sequence[bytes], name: str, recovery: Recovery) -> None:
    """Add all facts of a segment to `recovery`."""
    with _no_collections():
        for payload in itertools.islice(payloads, 1, None):
            try:
                facts = _facts.decode(payload)
            except msgspec.DecodeError as error:
                raise WrongStorage(f"{name} is not the log of a replica: {error}") from None
            recovery.add(facts)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Switch the garbage collector off: decoded facts have no cycles, and looking for them takes a quarter of
    the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _require_together(
    path: str, has_owner: bool, segments: list[_Segment], recovery: Recovery, image: Image | None
) -> None:
    """Check that no file is missing. At its first start, a replica may die before it has created all of
    them."""
    if has_owner and not segments:
        raise DamagedLog(_name(path, 1), 0, "the log is missing, and with it the promises of this replica")
    if not has_owner and (recovery.has_facts or image is not None or len(segments) > 1):
        raise DamagedLog(path, 0, "it is missing, though the log that belongs to it is there")


def _is_segment(name: str, path: str) -> bool:
    number = name.removeprefix(f"{path}.")
    return number != name and len(number) == 8 and number.isdecimal()


def _top(facts: Sequence[Fact]) -> int:
    """The highest slot in these facts."""
    top = FIRST - 1
    for fact in facts:
        if not isinstance(fact, Promised):
            top = max(top, fact.entry.slot if isinstance(fact, Voted) else fact.slot)
    return top


def _promised(facts: Sequence[Fact], before: Ballot | None) -> Ballot | None:
    """The promise after these facts."""
    for fact in reversed(facts):
        if isinstance(fact, Promised):
            return fact.ballot
        if isinstance(fact, Voted):
            return fact.entry.ballot
    return before
