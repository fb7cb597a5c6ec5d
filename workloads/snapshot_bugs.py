"""Seeded bugs of snapshots and compaction; `log_bugs` has those of the rest of the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ostrakon.harness.workload import SeededBug
from ostrakon.paxos_impl.core.multi import LogRules
from ostrakon.paxos_impl.kv.sessions import Sessions
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.workloads.log_bugs import Breakage


class _CompactsAboveSnapshot(LogRules):
    def droppable(self, snapshot: int, keep: int, applied: int) -> int:
        return applied


class _InstallsOverNewer(LogRules):
    def may_install(self, snapshot: int, applied: int) -> bool:
        return True


class _HandsOverNothing(LogRules):
    def hands_over(self) -> bool:
        return False


class _InstallsUnsaved(LogRules):
    def installs_saved_only(self) -> bool:
        return False


class _ForgetsWhatWasOpened(Sessions):
    """Goes on from a snapshot with the sessions in it, and counts new ones as if it had opened none."""

    def restore(self, snapshot: bytes) -> None:
        opened = self._opened
        super().restore(snapshot)
        self._opened = opened


class _SnapshotWithoutSessions(Sessions):
    """Keeps sessions in memory only, so that a restart or a snapshot loses them."""

    def restore(self, snapshot: bytes) -> None:
        super().restore(snapshot)
        self._sessions = {}


class _SnapshotNotSynced:
    """A disk that does not sync snapshots."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def replace(self, path: str, data: bytes) -> None:
        if not path.endswith(".snapshot"):
            await self._disk.replace(path, data)
            return
        if path in await self.list():
            await self.remove(path)
        await self.append(path, data)

    async def read(self, path: str) -> bytes:
        return await self._disk.read(path)

    async def append(self, path: str, data: bytes) -> None:
        await self._disk.append(path, data)

    async def sync(self, path: str) -> None:
        await self._disk.sync(path)

    async def truncate(self, path: str, size: int) -> None:
        await self._disk.truncate(path, size)

    async def remove(self, path: str) -> None:
        await self._disk.remove(path)

    async def list(self) -> Sequence[str]:
        return await self._disk.list()


def _bugs() -> Iterator[SeededBug]:
    yield SeededBug(
        "compacts-above-snapshot",
        "all that was executed is dropped from the log, whether or not the snapshot goes that far",
        Breakage(_CompactsAboveSnapshot()),
        convicted_by=("M9", "M11"),
    )
    yield SeededBug(
        "installs-over-newer",
        "a snapshot is installed though what it shows was executed long ago",
        Breakage(_InstallsOverNewer()),
        convicted_by=("M2", "M3", "M4"),
    )
    yield SeededBug(
        "hands-over-nothing",
        "the log is compacted, and who is behind is not given a snapshot in place of what is gone",
        Breakage(_HandsOverNothing()),
        convicted_by=("M11",),
    )
    yield SeededBug(
        "snapshot-without-sessions",
        "who goes on from a snapshot does not know what clients had executed before",
        Breakage(sessions=_SnapshotWithoutSessions),
        convicted_by=("M3", "M4", "linearizability"),
    )
    yield SeededBug(
        "installs-unsaved",
        "a snapshot from another replica takes the place of the state before it is durable",
        Breakage(_InstallsUnsaved()),
        convicted_by=("M2", "M3", "M4", "M5", "M9", "M11"),
    )
    yield SeededBug(
        "session-ids-given-again",
        "who goes on from a snapshot gives new sessions the ids of others",
        Breakage(sessions=_ForgetsWhatWasOpened),
        convicted_by=("M3", "M4", "linearizability"),
    )
    yield SeededBug(
        "snapshot-not-synced",
        "the log is dropped in favour of a snapshot that a loss of power takes away",
        Breakage(disk=_SnapshotNotSynced),
        convicted_by=("node crashed", "M5", "M11", "termination"),
    )


SNAPSHOT_BUGS: dict[str, SeededBug] = {bug.name: bug for bug in _bugs()}
"""The seeded bugs of snapshots by name."""
