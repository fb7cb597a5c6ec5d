"""An open file of a simulated process: what `os` does by its descriptor, and `io`'s layers on top.

As in POSIX, a descriptor stands for an open file description, which holds the offset; `dup` makes another
descriptor of the same. The layers are real (`io.BufferedWriter`), so what was not flushed dies with the
process; what was flushed is in the page cache.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import stat
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING, Any, NoReturn

from ostrakon.harness.sim.disk.inode import Inode, Resize
from ostrakon.harness.sim.kernel.clock import EPOCH_S
from ostrakon.harness.sim.kernel.errors import refusal, refuse

if TYPE_CHECKING:
    from ostrakon.harness.sim.disk.disk import SimDisk
    from ostrakon.harness.sim.disk.host import Owner

FIRST_DESCRIPTOR = 1_000_000
"""The first descriptor of simulated files; no real descriptor has such a number."""
_SYNCED = os.O_SYNC | os.O_DSYNC
_DEVICE_NUMBER = 0x801
_BLOCK = 4096


def fail(error: int, path: Any = None, other: Any = None) -> NoReturn:
    """Raise what the operating system would, with the names that the program gave. Raises: OSError."""
    name, second = (os.fspath(given) if isinstance(given, os.PathLike) else given for given in (path, other))
    if second is not None:
        raise OSError(error, os.strerror(error), name, None, second)
    raise OSError(error, os.strerror(error)) if name is None else OSError(error, os.strerror(error), name)


class Description:
    """An open file description: an inode, the flags that it was opened with, and an offset."""

    def __init__(self, process: Owner, path: str, inode: Inode, flags: int) -> None:
        self.process, self.path, self.inode, self.flags = process, path, inode, flags
        self.at = 0
        """The offset that is read or written next."""
        self.descriptors = 0
        """The number of descriptors that refer to it."""
        self._disk: SimDisk = process.machine.disk

    @property
    def is_readable(self) -> bool:
        """Whether it was opened for reading."""
        return not self.flags & os.O_WRONLY

    @property
    def is_writable(self) -> bool:
        """Whether it was opened for writing."""
        return bool(self.flags & (os.O_WRONLY | os.O_RDWR))

    def read(self, count: int, at: int | None = None) -> bytes:
        """Read up to so many bytes, at an offset or at the current one, which then moves. Raises: OSError."""
        if not self.is_readable:
            fail(errno.EBADF)
        if self.inode.is_directory:
            fail(errno.EISDIR)
        if at is not None and at < 0:
            fail(errno.EINVAL)
        if self.inode.device:
            return _read_device(self.process, self.inode.device, count)
        self._disk.begin(self.process, "read", self.path)
        data = self._disk.read_from(self.inode, self.at if at is None else at, count)
        if at is None:
            self.at += len(data)
        return data

    def write(self, data: Any, at: int | None = None) -> int:
        """Write to the page cache, and with O_SYNC to the device. Raises: OSError."""
        if not self.is_writable:
            fail(errno.EBADF)
        if at is not None and at < 0:
            fail(errno.EINVAL)
        written = bytes(data)
        if self.inode.device:
            if self.inode.device == "full":
                fail(errno.ENOSPC)
            return len(written)
        self._disk.begin(self.process, "write", self.path, len(written))
        # Linux appends even what `pwrite` writes.
        here = self.at if at is None else at
        offset = len(self.inode.cached) if self.flags & os.O_APPEND else here
        self._disk.write_to(self.inode, offset, written)
        if at is None:
            self.at = offset + len(written)
        self.touch()
        if self.flags & _SYNCED:
            self.sync()
        return len(written)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset, which may be beyond the end. Raises: OSError."""
        size = len(self.inode.cached)
        match whence:
            case os.SEEK_SET:
                at = offset
            case os.SEEK_CUR:
                at = self.at + offset
            case os.SEEK_END:
                at = size + offset
            case os.SEEK_DATA | os.SEEK_HOLE:  # All is data up to the end.
                if not 0 <= offset < size:
                    fail(errno.ENXIO)
                at = offset if whence == os.SEEK_DATA else size
            case _:
                fail(errno.EINVAL)
        if at < 0:
            fail(errno.EINVAL)
        self.at = at
        return at

    def truncate(self, size: int) -> None:
        """Cut the file or extend it with zeros; durable only when synced. Raises: OSError."""
        if size < 0 or not self.is_writable:
            fail(errno.EINVAL)
        self._disk.begin(self.process, "write", self.path, max(0, size - len(self.inode.cached)))
        self.inode.change(Resize(size))
        self.touch()

    def allocate(self, offset: int, length: int) -> None:
        """Extend the file to at least this, without changing what is there. Raises: OSError."""
        if offset < 0 or length <= 0:
            fail(errno.EINVAL)
        if not self.is_writable:
            fail(errno.EBADF)
        if offset + length > len(self.inode.cached):
            self.truncate(offset + length)

    def sync(self) -> None:
        """Make the file durable, and all names, which takes as long as the device does. Raises: OSError."""
        self._disk.sync_for(self.process, self.path, *([self.inode] if self.inode.is_file else []))

    def lock(self, operation: int) -> None:
        """What `flock` does: the lock is gone when the file is closed, by whatever end of the process.

        Raises: BlockingIOError if another open file holds it; NotSimulated if it should be waited for.
        """
        locks = self._disk.locks
        if operation & fcntl.LOCK_UN:
            locks.release(self)
        elif not locks.acquire(self.inode, self, is_exclusive=bool(operation & fcntl.LOCK_EX)):
            if operation & fcntl.LOCK_NB:
                fail(errno.EWOULDBLOCK)
            refuse(
                self.process,
                f"waiting for the lock of {self.path}",
                "use fcntl.LOCK_NB, and sleep between tries",
            )

    def touch(self) -> None:
        """Record a change of the file at the present time."""
        self.inode.modified_ns = self.inode.changed_ns = now_ns(self.process)

    def release(self) -> None:
        """Record that one of its descriptors was closed."""
        self.descriptors -= 1
        if not self.descriptors:
            self._disk.locks.release(self)


class SimFile(io.FileIO):
    """A descriptor of one process, and the raw file that `io` puts its layers on.

    It is an `io.FileIO` to programs that look; nothing of the real one is used.
    """

    def __init__(self, description: Description, name: Any = None) -> None:
        # Not the real one's: that would open a file.
        self.description, self.process = description, description.process
        self._is_closed = False
        self._descriptor = FIRST_DESCRIPTOR + len(self.process.files)
        self.process.files[self._descriptor] = self
        self.name: Any = self._descriptor if name is None else name
        description.descriptors += 1

    def __repr__(self) -> str:
        if self._is_closed:
            return "<_io.FileIO [closed]>"
        return f"<_io.FileIO name={self.name!r} mode={self.mode!r} closefd=True>"

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._is_closed

    @property
    def closefd(self) -> bool:
        """Always."""
        return True

    @property
    def mode(self) -> str:  # type: ignore[override]
        """As `io.FileIO` has it."""
        flags = self.description.flags
        if flags & os.O_EXCL:
            return "xb+" if self.readable() else "xb"
        if flags & os.O_APPEND:
            return "ab+" if self.readable() else "ab"
        if not self.writable():
            return "rb"
        return "rb+" if self.readable() else "wb"

    def fileno(self) -> int:
        """A number of this process's own. Raises: ValueError once it is closed."""
        self._require_open()
        return self._descriptor

    def isatty(self) -> bool:
        """Never."""
        self._require_open()
        return False

    def readable(self) -> bool:
        """Whether it was opened for reading."""
        self._require_open()
        return self.description.is_readable

    def writable(self) -> bool:
        """Whether it was opened for writing."""
        self._require_open()
        return self.description.is_writable

    def seekable(self) -> bool:
        """Always."""
        self._require_open()
        return True

    def tell(self) -> int:
        """The offset that is read or written next."""
        self._require_open()
        return self.description.at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move there. Raises: OSError."""
        self._require_open()
        return self.description.seek(offset, whence)

    def truncate(self, size: int | None = None) -> int:
        """Cut the file. Raises: OSError."""
        self._require("writing", self.writable())
        size = self.description.at if size is None else size
        self.description.truncate(size)
        return size

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes at most, or all. Raises: OSError."""
        self._require("reading", self.readable())
        return self.readall() if size is None or size < 0 else self.description.read(size)

    def readall(self) -> bytes:
        """Read up to the end. Raises: OSError."""
        self._require("reading", self.readable())
        chunks = iter(lambda: self.description.read(io.DEFAULT_BUFFER_SIZE), b"")
        return b"".join(chunks)

    def readinto(self, buffer: Any) -> int:
        """Read what fits. Raises: OSError."""
        self._require("reading", self.readable())
        view = memoryview(buffer).cast("B")
        data = self.description.read(len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        """Write to the page cache. Raises: OSError."""
        self._require("writing", self.writable())
        if is_gone(self.process):
            return len(memoryview(data).cast("B"))  # A buffer of a dead process that is thrown away.
        return self.description.write(data)

    def close(self) -> None:
        """Close it; this makes nothing durable."""
        if not self._is_closed:
            self._is_closed = True
            self.process.files[self._descriptor] = None
            self.description.release()

    def _require_open(self) -> None:
        if self._is_closed:
            raise ValueError("I/O operation on closed file")

    def _require(self, doing: str, is_possible: bool) -> None:
        if not is_possible:
            raise io.UnsupportedOperation(f"File not open for {doing}")


class ReopenedFile(SimFile):
    """What `open` makes of a descriptor: it has the mode that it was asked for, and may leave it open."""

    def __init__(self, file: SimFile, flags: int, *, closefd: bool) -> None:
        self.description, self.process = file.description, file.process
        self._is_closed, self._descriptor, self._flags = False, file.fileno(), flags
        self._file, self._closes = file, closefd
        self.name: Any = self._descriptor

    @property
    def closefd(self) -> bool:
        """Whether closing it closes the descriptor."""
        return self._closes

    def readable(self) -> bool:
        """Whether its mode says so; reading may fail nevertheless."""
        self._require_open()
        return self._flags & os.O_ACCMODE != os.O_WRONLY

    def writable(self) -> bool:
        """Whether its mode says so; writing may fail nevertheless."""
        self._require_open()
        return self._flags & os.O_ACCMODE != os.O_RDONLY

    def close(self) -> None:
        """Close it, and the descriptor unless it is another's. Raises: OSError with EBADF."""
        if not self._is_closed:
            self._is_closed = True
            if self._closes:
                open_file(self.process, self._descriptor).close()

    def _require_open(self) -> None:
        super()._require_open()
        if self.process.files.get(self._descriptor) is not self._file:
            fail(errno.EBADF)  # The descriptor was closed without it.


SimFile.__name__ = ReopenedFile.__name__ = io.FileIO.__name__


def is_gone(process: Owner) -> bool:
    """Whether a process was killed, or its world is closing: nothing of it may show any more."""
    return process.machine.world.closing or not process.alive


def now_ns(process: Owner) -> int:
    """What a new change of a file has for its time."""
    return round(process.machine.clock.wall_s * 1e9)


def _read_device(process: Owner, device: str, count: int) -> bytes:
    match device:
        case "null":
            return b""
        case "urandom":
            return process.rng.randbytes(count)
        case _:
            return bytes(count)


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


def status(inode: Inode, children: int = 0) -> os.stat_result:
    """What `os.stat` tells of a file; of a directory, the number of directories in it adds to its links."""
    size = _BLOCK if inode.is_directory else len(inode.cached)
    begin_ns = EPOCH_S * 10**9
    modified_ns = begin_ns if inode.modified_ns is None else inode.modified_ns
    accessed_ns = modified_ns if inode.accessed_ns is None else inode.accessed_ns
    changed_ns = modified_ns if inode.changed_ns is None else inode.changed_ns
    times_ns = accessed_ns, modified_ns, changed_ns
    links = 2 + children if inode.is_directory and inode.links else inode.links
    return os.stat_result(
        (
            *(inode.mode, inode.number, _DEVICE_NUMBER, links, os.getuid(), os.getgid(), size),
            *(time // 10**9 for time in times_ns),
            *(time / 1e9 for time in times_ns),
            *times_ns,
            *(_BLOCK, -(-size // _BLOCK) * 8, 0),
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
        fail(errno.EBADF)
    return file


def fstat(process: Owner, file: SimFile) -> os.stat_result:
    """The result of `os.fstat`."""
    return status(file.description.inode)


def _duplicate(process: Owner, file: SimFile, *_: Any, **__: Any) -> int:
    return SimFile(file.description).fileno()


def _read_into(process: Owner, file: SimFile, buffers: Iterable[Any], at: int | None = None, *_: int) -> int:
    count = 0
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        data = file.description.read(len(view), None if at is None else at + count)
        view[: len(data)] = data
        count += len(data)
        if len(data) < len(view):
            break
    return count


def _write_all(process: Owner, file: SimFile, buffers: Iterable[Any], at: int | None = None, *_: int) -> int:
    return file.description.write(b"".join(map(bytes, buffers)), at)


def _copy(process: Owner, source: SimFile, target: int, count: int, at: Any = None, to: Any = None) -> int:
    data = source.description.read(count, at)
    return open_file(process, target).description.write(data, to)


def _send(process: Owner, target: SimFile, source: Any, offset: int | None, count: int, *_: Any) -> int:
    number = source if isinstance(source, int) else source.fileno()
    return _copy(process, open_file(process, number), target.fileno(), count, offset)


def _control(process: Owner, file: SimFile, command: int, argument: Any = 0) -> int:
    match command:
        case fcntl.F_GETFL:
            return file.description.flags & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC)
        case fcntl.F_SETFL:
            changed = os.O_APPEND | os.O_NONBLOCK
            file.description.flags = file.description.flags & ~changed | argument & changed
            return 0
        case fcntl.F_GETFD:
            return fcntl.FD_CLOEXEC
        case fcntl.F_SETFD:
            return 0
        case fcntl.F_DUPFD | fcntl.F_DUPFD_CLOEXEC:
            return _duplicate(process, file)
        case _:
            return refuse(process, "this command of fcntl.fcntl()", _WHOLE)


def _change_mode(process: Owner, file: SimFile, mode: int) -> None:
    inode = file.description.inode
    inode.mode = stat.S_IFMT(inode.mode) | stat.S_IMODE(mode)
    inode.changed_ns = now_ns(process)


OF_OS: dict[str, Callable[..., Any]] = {
    "close": lambda process, file: file.close(),
    "dup": _duplicate,
    "fsync": lambda process, file: file.description.sync(),
    "fdatasync": lambda process, file: file.description.sync(),
    "fstat": fstat,
    "read": lambda process, file, count: file.description.read(count),
    "write": lambda process, file, data: file.description.write(data),
    "pread": lambda process, file, count, offset: file.description.read(count, offset),
    "pwrite": lambda process, file, data, offset: file.description.write(data, offset),
    "readv": _read_into,
    "preadv": _read_into,
    "writev": _write_all,
    "pwritev": _write_all,
    "copy_file_range": _copy,
    "sendfile": _send,
    "lseek": lambda process, file, offset, whence: file.description.seek(offset, whence),
    "ftruncate": lambda process, file, length: file.description.truncate(length),
    "posix_fallocate": lambda process, file, offset, length: file.description.allocate(offset, length),
    "posix_fadvise": lambda process, file, offset, length, advice: None,
    "isatty": lambda process, file: False,
    "ttyname": lambda process, file: fail(errno.ENOTTY),
    "get_inheritable": lambda process, file: False,
    "set_inheritable": lambda process, file, inheritable: None,
    "get_blocking": lambda process, file: True,
    "set_blocking": lambda process, file, blocking: None,
    "fchmod": _change_mode,
    "fchown": lambda process, file, owner, group: None,
    "dup2": refusal("os.dup2() of a simulated file", "use os.dup()"),
    "fchdir": refusal("os.fchdir()", "give whole paths"),
    "lockf": refusal("os.lockf() of a simulated file", "lock whole files with fcntl.flock()"),
}
_WHOLE = "lock whole files with fcntl.flock()"
OF_FCNTL: dict[str, Callable[..., Any]] = {
    "flock": lambda process, file, operation: file.description.lock(operation),
    "fcntl": _control,
    "lockf": refusal("fcntl.lockf() of a simulated file", _WHOLE),
    "ioctl": refusal("fcntl.ioctl() of a simulated file", _WHOLE),
}
