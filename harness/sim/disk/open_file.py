"""An open file of a simulated process: raw, in layers, and what `os` and `fcntl` do by its descriptor.

The layers are real (`io.BufferedWriter`), so what was not flushed dies with the process; what was flushed is
in the page cache.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import stat
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, NoReturn
from zlib import crc32

from ostrakon.harness.sim.disk.inode import Inode, Resize
from ostrakon.harness.sim.kernel.clock import EPOCH_S
from ostrakon.harness.sim.kernel.errors import refusal, refuse

if TYPE_CHECKING:
    from ostrakon.harness.sim.disk.disk import SimDisk
    from ostrakon.harness.sim.disk.host import Owner

FIRST_DESCRIPTOR = 1_000_000
"""Descriptors from here on are of simulated files."""


class SimFile(io.RawIOBase):
    """An open file of one process."""

    def __init__(self, process: Owner, path: str, inode: Inode | None, flags: int) -> None:
        self.process, self.path = process, path
        self.name: Any = path
        """What it was opened by."""
        self.inode = inode
        """None for a directory."""
        self._disk: SimDisk = process.machine.disk
        self._flags, self._at = flags, 0
        self._descriptor = FIRST_DESCRIPTOR + len(process.files)
        process.files[self._descriptor] = self

    @property
    def mode(self) -> str:
        """As `io.FileIO` has it."""
        if not self.writable():
            return "rb"
        return "rb+" if self.readable() else "wb"

    def fileno(self) -> int:
        """A number of this process's own."""
        return self._descriptor

    def readable(self) -> bool:
        """Whether it was opened for reading."""
        return not self._flags & os.O_WRONLY

    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return bool(self._flags & (os.O_WRONLY | os.O_RDWR))

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The offset that is read or written next."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move there."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._content.cached)}[whence]
        self._at = max(0, base + offset)
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Cut the file; durable only when synced."""
        self._disk.check("write")
        size = self._at if size is None else size
        self._content.change(Resize(size))
        self._touch()
        return size

    def readinto(self, buffer: Any) -> int:
        """Read what fits. Raises: OSError."""
        self._disk.check("read")
        view = memoryview(buffer).cast("B")
        data = self._disk.read_from(self._content, self._at, len(view))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def write(self, data: Any) -> int:
        """Write to the page cache. Raises: OSError."""
        if not self.writable():
            fail(errno.EBADF, self.path)
        require_alive(self.process)
        written = bytes(data)
        self._disk.check("write", len(written))
        if self._flags & os.O_APPEND:
            self._at = len(self._content.cached)
        self._disk.write_to(self._content, self._at, written)
        self._at += len(written)
        self._touch()
        return len(written)

    def sync(self) -> None:
        """Make it durable, which takes its time; a directory, its names. Raises: OSError."""
        require_alive(self.process)
        self.process.block(self.process.machine.world.kernel.now_ns + self._disk.delay_ns())
        if self.inode is None:
            self._disk.check("sync")
            self._disk.directory.commit()
            self._disk.syncs += 1
        else:
            self._disk.sync_inode(self.inode)

    def lock(self, operation: int) -> None:
        """What `flock` does: the lock is gone when the file is closed, by whatever end of the process.

        Raises: BlockingIOError if another open file holds it; NotSimulated if it should be waited for.
        """
        locks = self._disk.locks
        what = self.path if self.inode is None else self.inode
        if operation & fcntl.LOCK_UN:
            locks.release(self)
        elif not locks.acquire(what, self, is_exclusive=bool(operation & fcntl.LOCK_EX)):
            if operation & fcntl.LOCK_NB:
                fail(errno.EWOULDBLOCK, self.path)
            refuse(
                self.process,
                f"waiting for the lock of {self.path}",
                "use fcntl.LOCK_NB, and trio.sleep() between tries",
            )

    def close(self) -> None:
        """Close it; this makes nothing durable."""
        super().close()
        self._disk.locks.release(self)
        self.process.files[self._descriptor] = None

    @property
    def _content(self) -> Inode:
        if self.inode is None:
            fail(errno.EISDIR, self.path)
        return self.inode

    def _touch(self) -> None:
        self._content.modified_s = self.process.machine.clock.wall_s


def fail(error: int, path: Any) -> NoReturn:
    """Raise what the operating system would. Raises: OSError."""
    raise OSError(error, os.strerror(error), path)


def require_alive(process: Owner) -> None:
    """A process that was killed is being unwound: nothing of it may show. Raises: OSError."""
    if process.machine.world.closing or not process.alive:
        fail(errno.EIO, process.name)


def layered(
    raw: SimFile,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    *_: Any,
) -> IO[Any]:
    """Put Python's own buffers and text layer over a raw file."""
    layered: Any = raw
    if buffering == 0:
        if "b" not in mode:
            raise ValueError("can't have unbuffered text I/O")
        return layered  # type: ignore[no-any-return]
    size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
    if "+" in mode:
        layered = io.BufferedRandom(raw, size)
    else:
        layered = io.BufferedReader(raw, size) if "r" in mode else io.BufferedWriter(raw, size)
    if "b" not in mode:
        layered = io.TextIOWrapper(layered, encoding or "utf-8", errors, newline, buffering == 1)
        layered.mode = mode
    return layered  # type: ignore[no-any-return]


def status(name: str, inode: Inode | None) -> os.stat_result:
    """What `os.stat` tells of a file, or of a directory if there is no inode: kind, size and times."""
    kind, size = (stat.S_IFDIR | 0o755, 4096) if inode is None else (stat.S_IFREG | 0o644, len(inode.cached))
    times = (EPOCH_S if inode is None or inode.modified_s is None else inode.modified_s,) * 3
    number = crc32(name.encode())
    return os.stat_result(
        (
            *(kind, number, 0, 1, 0, 0, size),
            *(int(time) for time in times),
            *times,
            *(round(time * 1e9) for time in times),
        )
    )


# By descriptor.


def by_descriptor(real: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    """A function of `os` or `fcntl` that does as `ours` with the files of a simulated process."""

    def call(process: Owner, descriptor: Any, *args: Any, **kwargs: Any) -> Any:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        if number < FIRST_DESCRIPTOR:
            return real(number, *args, **kwargs)
        return ours(process, open_file(process, number), *args, **kwargs)

    return call


def open_file(process: Owner, descriptor: int) -> SimFile:
    """The file of this descriptor. Raises: OSError."""
    file = process.files.get(descriptor)
    if file is None:
        fail(errno.EBADF, str(descriptor))
    return file


def fstat(process: Owner, file: SimFile) -> os.stat_result:
    """What `os.fstat` tells."""
    return status(file.path, file.inode)


def _read(process: Owner, file: SimFile, count: int) -> bytes:
    return file.read(count) or b""


def _pread(process: Owner, file: SimFile, count: int, offset: int) -> bytes:
    at = file.tell()
    file.seek(offset)
    data = file.read(count) or b""
    file.seek(at)
    return data


def _pwrite(process: Owner, file: SimFile, data: Any, offset: int) -> int:
    at = file.tell()
    file.seek(offset)
    count = file.write(data)
    file.seek(at)
    return count


OF_OS: dict[str, Callable[..., Any]] = {
    "close": lambda process, file: file.close(),
    "fsync": lambda process, file: file.sync(),
    "fdatasync": lambda process, file: file.sync(),
    "fstat": fstat,
    "read": _read,
    "write": lambda process, file, data: file.write(data),
    "pread": _pread,
    "pwrite": _pwrite,
    "lseek": lambda process, file, offset, whence: file.seek(offset, whence),
    "ftruncate": lambda process, file, length: file.truncate(length),
    "isatty": lambda process, file: False,
    "fchmod": lambda process, file, mode: None,
    "fchown": lambda process, file, owner, group: None,
}
_WHOLE = "lock whole files with fcntl.flock()"
OF_FCNTL: dict[str, Callable[..., Any]] = {
    "flock": lambda process, file, operation: file.lock(operation),
    "lockf": refusal("fcntl.lockf() of a simulated file", _WHOLE),
    "fcntl": refusal("fcntl.fcntl() of a simulated file", _WHOLE),
    "ioctl": refusal("fcntl.ioctl() of a simulated file", _WHOLE),
}
