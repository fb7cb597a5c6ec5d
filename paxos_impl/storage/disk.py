"""The file operations that storage needs, and their implementation by the operating system."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import trio

_T = TypeVar("_T")


class Disk(Protocol):
    """Files by name. Data that is not synced may be lost, or be there in part, after a power failure.

    Each method may raise OSError. After that the contents of the disk are unknown, and trying again would
    only seem to help: an fsync that succeeds does not write what an earlier, failed one did not write.
    """

    async def read(self, path: str) -> bytes:
        """The contents of a file.

        Raises: FileNotFoundError.
        """

    async def append(self, path: str, data: bytes) -> None:
        """Write at the end of a file, which is created if it is missing. Not durable before `sync`."""

    async def sync(self, path: str) -> None:
        """Make all data written to a file durable, and its name too."""

    async def replace(self, path: str, data: bytes) -> None:
        """Give a file new contents, durably; after a crash it has either the old or the new contents."""

    async def truncate(self, path: str, size: int) -> None:
        """Cut a file to `size` bytes, durably."""

    async def remove(self, path: str) -> None:
        """Remove a file, durably.

        Raises: FileNotFoundError.
        """

    async def list(self) -> Sequence[str]:
        """The names of all files."""


@runtime_checkable
class PiecewiseDisk(Protocol):
    """A disk that writes a long file in pieces, so that the program need not stop to put them together."""

    async def replace_by_pieces(self, path: str, pieces: Callable[[], Sequence[bytes]]) -> None:
        """As `Disk.replace`. `pieces` makes the contents; it is called once, perhaps in another thread."""


class OsDisk:
    """The files in a directory, which is created if it is missing. A `Disk` and a `PiecewiseDisk`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        _make_directory(root)
        self._open: dict[str, int] = {}

    async def read(self, path: str) -> bytes:
        """The contents of a file. Raises: OSError."""
        return await _in_thread(lambda: (self._root / path).read_bytes())

    async def append(self, path: str, data: bytes) -> None:
        """Write at the end of a file. Raises: OSError."""
        if path not in self._open:
            await _in_thread(lambda: self._descriptor(path))
        # A write to the page cache is quicker than a hand-over to another thread.
        _write(self._descriptor(path), data)
        await trio.lowlevel.checkpoint()

    async def sync(self, path: str) -> None:
        """Make a file durable. Raises: OSError."""
        await _in_thread(lambda: _sync_data(self._descriptor(path)))

    async def replace(self, path: str, data: bytes) -> None:
        """Write the new contents to another file, and rename it over the old one. Raises: OSError."""
        await _in_thread(lambda: self._replace(path, [data]))

    async def replace_by_pieces(self, path: str, pieces: Callable[[], Sequence[bytes]]) -> None:
        """As `replace`; the pieces are made in another thread. Raises: OSError."""
        await _in_thread(lambda: self._replace(path, pieces()))

    async def truncate(self, path: str, size: int) -> None:
        """Cut a file to `size` bytes, durably. Raises: OSError."""

        def cut() -> None:
            os.ftruncate(self._descriptor(path), size)
            os.fsync(self._descriptor(path))

        await _in_thread(cut)

    async def remove(self, path: str) -> None:
        """Remove a file, durably. Raises: OSError."""

        def unlink() -> None:
            (self._root / path).unlink()
            self._sync_names()
            self._forget(path)

        await _in_thread(unlink)

    async def list(self) -> Sequence[str]:
        """The names of all files, sorted. Raises: OSError."""
        return await _in_thread(lambda: sorted(each.name for each in self._root.iterdir()))

    def close(self) -> None:
        """Close the open files. Data that was not synced may still be lost."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _descriptor(self, path: str) -> int:
        if path not in self._open:
            is_new = not (self._root / path).exists()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._open[path] = os.open(self._root / path, flags, 0o600)
            if is_new:
                self._sync_names()
        return self._open[path]

    def _replace(self, path: str, pieces: Sequence[bytes]) -> None:
        aside = self._root / f"{path}.new"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            for piece in pieces:
                _write(descriptor, piece)
            self._sync_contents(
                descriptor
            )  # Before the rename: it may become durable before the contents do.
        finally:
            os.close(descriptor)
        os.replace(aside, self._root / path)
        self._sync_names()
        self._forget(path)

    def _sync_contents(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def _sync_names(self) -> None:
        _sync_directory(self._root)

    def _forget(self, path: str) -> None:
        """Close a file: its name belongs to another file now, or to none."""
        if (stale := self._open.pop(path, None)) is not None:
            os.close(stale)


class DirectoryInUse(Exception):
    """Another process uses this directory."""


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep other processes out of a directory; the operating system unlocks it when this one dies.

    Raises: DirectoryInUse.
    """
    _make_directory(root)
    descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryInUse(f"{root} is in use by another process") from None
        yield
    finally:
        with suppress(OSError):
            os.close(descriptor)


def _sync_data(descriptor: int) -> None:
    """Make the data of a file durable, and its length.

    `fsync` would also write the time of its last change to the journal of the file system, for each record.
    """
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:  # macOS.
        os.fsync(descriptor)


async def _in_thread(work: Callable[[], _T]) -> _T:
    # Not abandoned on cancellation: a write in progress ends before anything else happens.
    return await trio.to_thread.run_sync(work)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _make_directory(path: Path) -> None:
    """Create a directory and its parents, durably."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in missing:
        _sync_directory(each.parent)


def _sync_directory(path: Path) -> None:
    """Sync a directory: without this, a crash may remove the name of a new file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
