"""Stable storage as a port: a few operations on files, and the operating system's version of them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

import trio

_T = TypeVar("_T")


class Disk(Protocol):
    """Files by name. What is not synced may be lost, or be there in part, after losing power.

    Any of these may raise OSError. After that nobody knows what is on the disk, and trying again would
    only seem to help (a failed fsync is not repeated by the next one).
    """

    async def read(self, path: str) -> bytes:
        """All of a file.

        Raises: FileNotFoundError.
        """

    async def append(self, path: str, data: bytes) -> None:
        """Write at the end of a file, which is created if need be; not durable yet."""

    async def sync(self, path: str) -> None:
        """Make all that was written to a file durable, and its name too."""

    async def replace(self, path: str, data: bytes) -> None:
        """Give a file new contents, at once and durably: after a crash it has either the old or the new."""

    async def truncate(self, path: str, size: int) -> None:
        """Cut a file to `size` bytes, durably."""

    async def remove(self, path: str) -> None:
        """Let there be no such file any more, durably.

        Raises: FileNotFoundError.
        """

    async def list(self) -> Sequence[str]:
        """The names of all files."""


class OsDisk:
    """The files below a directory, which is created if need be."""

    def __init__(self, root: Path) -> None:
        self._root = root
        _make_directory(root)
        self._open: dict[str, int] = {}

    async def read(self, path: str) -> bytes:
        """See `Disk`."""
        return await _in_thread(lambda: (self._root / path).read_bytes())

    async def append(self, path: str, data: bytes) -> None:
        """See `Disk`."""
        if path not in self._open:
            await _in_thread(lambda: self._descriptor(path))
        # Into the page cache, which is quicker than having another thread do it.
        _write(self._descriptor(path), data)
        await trio.lowlevel.checkpoint()

    async def sync(self, path: str) -> None:
        """See `Disk`."""
        await _in_thread(lambda: os.fsync(self._descriptor(path)))

    async def replace(self, path: str, data: bytes) -> None:
        """See `Disk`."""
        await _in_thread(lambda: self._replace(path, data))

    async def truncate(self, path: str, size: int) -> None:
        """See `Disk`."""

        def cut() -> None:
            os.ftruncate(self._descriptor(path), size)
            os.fsync(self._descriptor(path))

        await _in_thread(cut)

    async def remove(self, path: str) -> None:
        """See `Disk`."""

        def unlink() -> None:
            (self._root / path).unlink()
            _sync_directory(self._root)
            self._forget(path)

        await _in_thread(unlink)

    async def list(self) -> Sequence[str]:
        """See `Disk`."""
        return await _in_thread(lambda: sorted(each.name for each in self._root.iterdir()))

    def close(self) -> None:
        """Close the files that are open; what was not synced may still be lost."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _descriptor(self, path: str) -> int:
        if path not in self._open:
            is_new = not (self._root / path).exists()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._open[path] = os.open(self._root / path, flags, 0o600)
            if is_new:
                _sync_directory(self._root)
        return self._open[path]

    def _replace(self, path: str, data: bytes) -> None:
        aside = self._root / f"{path}.new"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(aside, self._root / path)
        _sync_directory(self._root)
        self._forget(path)

    def _forget(self, path: str) -> None:
        """The file that is open under this name is not the one that is there."""
        if (stale := self._open.pop(path, None)) is not None:
            os.close(stale)


class DirectoryInUse(Exception):
    """Another process works in this directory."""


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


async def _in_thread(work: Callable[[], _T]) -> _T:
    # Not abandoned on cancellation: a write that is under way ends before anything else happens.
    return await trio.to_thread.run_sync(work)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _make_directory(path: Path) -> None:
    """Make a directory that is there after a crash too, and those above it."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in missing:
        _sync_directory(each.parent)


def _sync_directory(path: Path) -> None:
    """A name in a directory is data of the directory: without this the file could vanish."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
