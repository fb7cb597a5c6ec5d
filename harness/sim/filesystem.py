"""Ordinary file code on a simulated disk: `open`, `os`, `pathlib`, and with them Trio's files and paths.

Every machine has a file system of its own, `/` and the current directory being the root of its disk. What is
installed with Python (below `sys.prefix` and `sys.path`) is there on all of them and can only be read.
Directories exist once something is in them, and need not be made. There are no links, permissions or times.

The program's own buffers are real (`io.BufferedWriter`), so what was not flushed dies with the process; what
was flushed is in the page cache, and `os.fsync` makes it durable, as `disk.py` tells.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, NoReturn
from zlib import crc32

from harness.sim.clock import EPOCH_S
from harness.sim.inode import Inode, Resize

if TYPE_CHECKING:
    from harness.sim.disk import SimDisk
    from harness.sim.process import Process

_FIRST_DESCRIPTOR = 1_000_000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class SimFile(io.RawIOBase):
    """An open file of one process."""

    def __init__(self, process: Process, path: str, inode: Inode | None, flags: int) -> None:
        self._process, self.path = process, path
        self.inode = inode
        """None for a directory."""
        self._disk: SimDisk = process.machine.disk
        self._flags, self._at = flags, 0
        self._descriptor = _FIRST_DESCRIPTOR + len(process.files)
        process.files[self._descriptor] = self

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
        return size

    def readinto(self, buffer: Any) -> int:
        """Read what fits. Raises: OSError."""
        self._disk.check("read")
        view = memoryview(buffer).cast("B")
        data = self._content.cached[self._at : self._at + len(view)]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def write(self, data: Any) -> int:
        """Write to the page cache. Raises: OSError."""
        if not self.writable():
            _fail(errno.EBADF, self.path)
        _require_alive(self._process)
        written = bytes(data)
        self._disk.check("write", len(written))
        if self._flags & os.O_APPEND:
            self._at = len(self._content.cached)
        self._disk.write_to(self._content, self._at, written)
        self._at += len(written)
        return len(written)

    def sync(self) -> None:
        """Make it durable; a directory, its names. Raises: OSError."""
        _require_alive(self._process)
        if self.inode is None:
            self._disk.check("sync")
            self._disk.directory.commit()
            self._disk.syncs += 1
        else:
            self._disk.sync_inode(self.inode)

    def close(self) -> None:
        """Close it; this makes nothing durable."""
        super().close()
        self._process.files[self._descriptor] = None

    @property
    def _content(self) -> Inode:
        if self.inode is None:
            _fail(errno.EISDIR, self.path)
        return self.inode


def replacements(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """What stands in for the functions that touch files, for `hermetic.py` to install."""
    for owner in (builtins, io):
        yield owner, "open", simulated(io.open, _by_path(io.open, _open))
    for name, ours in _BY_PATH.items():
        yield os, name, simulated(getattr(os, name), _by_path(getattr(os, name), ours))
    for name, ours in _BY_DESCRIPTOR.items():
        yield os, name, simulated(getattr(os, name), _by_descriptor(getattr(os, name), ours))
    yield os, "getcwd", simulated(os.getcwd, lambda process: "/")
    yield shutil, "_use_fd_functions", False  # So that `rmtree` goes by paths.


def _by_path(real: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    def call(process: Process, path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        if isinstance(path, int):
            if path < _FIRST_DESCRIPTOR:
                return real(path, *args, **kwargs)
            return _on_descriptor(process, path, real, *args, **kwargs)
        if _is_installed(path) and not _writes(args, kwargs):
            return real(path, *args, **kwargs)
        return ours(process, path, *args, **kwargs)

    return call


def _on_descriptor(process: Process, descriptor: int, real: Callable[..., Any], *args: Any, **_: Any) -> Any:
    file = _file(process, descriptor)
    match real.__name__:
        case "stat":
            return _fstat(process, file)
        case "truncate":
            return file.truncate(*args)
        case "open":
            return _layered(file, *args)
        case _:
            return _fail(errno.ENOTSUP, file.path)


def _by_descriptor(real: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    def call(process: Process, descriptor: Any, *args: Any) -> Any:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        if number < _FIRST_DESCRIPTOR:
            return real(number, *args)
        return ours(process, _file(process, number), *args)

    return call


def _file(process: Process, descriptor: int) -> SimFile:
    file = process.files.get(descriptor)
    if file is None:
        _fail(errno.EBADF, str(descriptor))
    return file


def _is_installed(path: Any) -> bool:
    name = os.fsdecode(path)
    roots = (sys.prefix, sys.base_prefix, *sys.path)
    return any(name.startswith(root + os.sep) for root in roots if os.path.isabs(root))


def _writes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    mode = kwargs.get("mode", args[0] if args else "r")
    return any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(mode & _WRITING)


def _name(path: Any) -> str:
    """The path as the disk knows it: without a leading slash."""
    return os.path.normpath(os.path.join("/", os.fsdecode(path))).lstrip("/")


def _fail(error: int, path: Any) -> NoReturn:
    raise OSError(error, os.strerror(error), path)


def _require_alive(process: Process) -> None:
    if process.machine.world.closing or not process.alive:
        _fail(errno.EIO, process.name)


# By path.

_FLAGS = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
}


def _open(
    process: Process,
    path: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> IO[Any]:
    flags = _FLAGS[mode.strip("bt+")[0]]
    if "+" in mode:
        flags = flags & ~os.O_WRONLY | os.O_RDWR
    raw = _open_raw(process, path, flags)
    if raw.inode is None:
        raw.close()
        _fail(errno.EISDIR, path)
    if flags & os.O_APPEND:
        raw.seek(0, os.SEEK_END)
    return _layered(raw, mode, buffering, encoding, errors, newline)


def _layered(
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
        layered = io.BufferedReader(raw, size) if raw.readable() else io.BufferedWriter(raw, size)
    if "b" not in mode:
        layered = io.TextIOWrapper(layered, encoding or "utf-8", errors, newline, buffering == 1)
        layered.mode = mode
    return layered  # type: ignore[no-any-return]


def _open_raw(process: Process, path: Any, flags: int) -> SimFile:
    _require_alive(process)
    disk, name = process.machine.disk, _name(path)
    inode = disk.directory.names.get(name)
    if inode is None:
        if disk.directory.contains(name):
            if flags & (os.O_WRONLY | os.O_RDWR):
                _fail(errno.EISDIR, path)
            return SimFile(process, name, None, flags)
        if not flags & os.O_CREAT:
            _fail(errno.ENOENT, path)
        disk.check("write")
        inode = disk.inode(name, create=True)
    elif flags & os.O_EXCL:
        _fail(errno.EEXIST, path)
    elif flags & os.O_DIRECTORY:
        _fail(errno.ENOTDIR, path)
    elif flags & os.O_TRUNC and inode.cached:
        inode.change(Resize(0))
    return SimFile(process, name, inode, flags)


def _os_open(process: Process, path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
    return _open_raw(process, path, flags).fileno()


def _stat(process: Process, path: Any, *, dir_fd: Any = None, follow_symlinks: bool = True) -> os.stat_result:
    disk, name = process.machine.disk, _name(path)
    inode = disk.directory.names.get(name)
    if inode is None and not disk.directory.contains(name):
        _fail(errno.ENOENT, path)
    return _stat_result(name, inode)


def _stat_result(name: str, inode: Inode | None) -> os.stat_result:
    kind, size = (stat.S_IFDIR | 0o755, 4096) if inode is None else (stat.S_IFREG | 0o644, len(inode.cached))
    return os.stat_result((kind, crc32(name.encode()), 0, 1, 0, 0, size, EPOCH_S, EPOCH_S, EPOCH_S))


def _rename(process: Process, old: Any, new: Any, **_: Any) -> None:
    _require_alive(process)
    disk = process.machine.disk
    disk.check("write")
    if _name(old) not in disk.directory.names:
        _fail(errno.ENOENT, old)
    disk.directory.rename(_name(old), _name(new))


def _remove(process: Process, path: Any, *, dir_fd: Any = None) -> None:
    _require_alive(process)
    disk = process.machine.disk
    disk.check("write")
    if _name(path) not in disk.directory.names:
        _fail(errno.EISDIR if disk.directory.contains(_name(path)) else errno.ENOENT, path)
    disk.directory.unlink(_name(path))


def _make_directory(process: Process, path: Any, mode: int = 0o777, *, dir_fd: Any = None) -> None:
    directory, name = process.machine.disk.directory, _name(path)
    if name in directory.names or directory.contains(name):
        _fail(errno.EEXIST, path)
    directory.made[name] = None


def _remove_directory(process: Process, path: Any, *, dir_fd: Any = None) -> None:
    directory, name = process.machine.disk.directory, _name(path)
    if not directory.contains(name):
        _fail(errno.ENOENT, path)
    if directory.children(name):
        _fail(errno.ENOTEMPTY, path)
    directory.made.pop(name, None)


def _list_directory(process: Process, path: Any = ".") -> list[str]:
    directory, name = process.machine.disk.directory, _name(path)
    if not directory.contains(name):
        _fail(errno.ENOTDIR if name in directory.names else errno.ENOENT, path)
    return directory.children(name)


class _Entry:
    """What `os.scandir` yields."""

    def __init__(self, process: Process, directory: str, name: str) -> None:
        self.name, self.path = name, os.path.join(directory, name)
        self._result = _stat(process, self.path)

    def __fspath__(self) -> str:
        return self.path

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return self._result

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return stat.S_ISDIR(self._result.st_mode)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return stat.S_ISREG(self._result.st_mode)

    def is_symlink(self) -> bool:
        return False


@contextmanager
def _scan_directory(process: Process, path: Any = ".") -> Iterator[Iterator[_Entry]]:
    yield iter([_Entry(process, os.fsdecode(path), name) for name in _list_directory(process, path)])


def _truncate(process: Process, path: Any, length: int) -> None:
    with _open_raw(process, path, os.O_RDWR) as file:
        file.truncate(length)


def _no_link(process: Process, path: Any, *, dir_fd: Any = None) -> NoReturn:
    _stat(process, path)
    _fail(errno.EINVAL, path)


def _access(process: Process, path: Any, mode: int, **_: Any) -> bool:
    disk = process.machine.disk
    return _name(path) in disk.directory.names or disk.directory.contains(_name(path))


_BY_PATH: dict[str, Callable[..., Any]] = {
    "open": _os_open,
    "stat": _stat,
    "lstat": _stat,
    "replace": _rename,
    "rename": _rename,
    "remove": _remove,
    "unlink": _remove,
    "mkdir": _make_directory,
    "rmdir": _remove_directory,
    "listdir": _list_directory,
    "scandir": _scan_directory,
    "truncate": _truncate,
    "readlink": _no_link,
    "access": _access,
    "chmod": lambda process, path, mode, **_: None,
    "utime": lambda process, path, *_, **__: None,
}


# By descriptor.


def _fstat(process: Process, file: SimFile) -> os.stat_result:
    return _stat_result(file.path, file.inode)


def _read(process: Process, file: SimFile, count: int) -> bytes:
    return file.read(count) or b""


def _pread(process: Process, file: SimFile, count: int, offset: int) -> bytes:
    at = file.tell()
    file.seek(offset)
    data = file.read(count) or b""
    file.seek(at)
    return data


def _pwrite(process: Process, file: SimFile, data: Any, offset: int) -> int:
    at = file.tell()
    file.seek(offset)
    count = file.write(data)
    file.seek(at)
    return count


_BY_DESCRIPTOR: dict[str, Callable[..., Any]] = {
    "close": lambda process, file: file.close(),
    "fsync": lambda process, file: file.sync(),
    "fdatasync": lambda process, file: file.sync(),
    "fstat": _fstat,
    "read": _read,
    "write": lambda process, file, data: file.write(data),
    "pread": _pread,
    "pwrite": _pwrite,
    "lseek": lambda process, file, offset, whence: file.seek(offset, whence),
    "ftruncate": lambda process, file, length: file.truncate(length),
    "isatty": lambda process, file: False,
}
