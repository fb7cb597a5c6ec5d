"""The files of a live node: real files in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import trio


class LiveDisk:
    """Real files with the interface of `ostrakon.harness.workload.Disk`; a sync is the system's fsync."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    async def read(self, path: str) -> bytes:
        """The whole file. Raises: FileNotFoundError."""
        return await trio.to_thread.run_sync((self._root / path).read_bytes)

    async def append(self, path: str, data: bytes) -> None:
        """Append data to a file; create the file if it does not exist."""
        await trio.to_thread.run_sync(_write, self._root / path, "ab", data, False)

    async def sync(self, path: str) -> None:
        """Wait until the content and the name of the file are durable."""
        await trio.to_thread.run_sync(_sync, self._root / path)

    async def replace(self, path: str, data: bytes) -> None:
        """Replace the content of a file atomically. The new content is durable on return."""
        await trio.to_thread.run_sync(_replace, self._root / path, data)

    async def truncate(self, path: str, size: int) -> None:
        """Truncate the file to `size` bytes."""
        await trio.to_thread.run_sync(os.truncate, self._root / path, size)

    async def remove(self, path: str) -> None:
        """Remove the file. Raises: FileNotFoundError."""
        await trio.to_thread.run_sync((self._root / path).unlink)

    async def list(self) -> Sequence[str]:
        """The paths of all files, sorted."""
        return sorted(str(path.relative_to(self._root)) for path in self._root.rglob("*") if path.is_file())


def _write(path: Path, mode: str, data: bytes, durably: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write(data)
        if durably:
            file.flush()
            os.fsync(file.fileno())


def _sync(path: Path) -> None:
    for place in (path, path.parent):
        fd = os.open(place, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _replace(path: Path, data: bytes) -> None:
    aside = path.with_name(f".{path.name}.aside")
    _write(aside, "wb", data, durably=True)
    aside.replace(path)
    _sync(path)
