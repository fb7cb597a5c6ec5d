"""Ordinary file code on a simulated disk: `open`, `os`, `pathlib`, and with them Trio's files and paths.

Every machine has a file system of its own, `/` and the current directory being the root of its disk. What is
installed with Python (below `sys.prefix` and `sys.path`) is there on all of them and can only be read.
Directories exist once something is in them, and need not be made; they have no times of their own. There are
hard links but no symbolic ones, and no permissions. What was flushed is in the page cache, and `os.fsync`
makes it durable, as `disk.py` tells.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any, NoReturn

from ostrakon.harness.sim.disk.inode import Resize
from ostrakon.harness.sim.disk.open_file import (
    FIRST_DESCRIPTOR,
    OF_FCNTL,
    OF_OS,
    SimFile,
    by_descriptor,
    fail,
    fstat,
    layered,
    open_file,
    require_alive,
    status,
)
from ostrakon.harness.sim.kernel.errors import refusal, refuse

if TYPE_CHECKING:
    from ostrakon.harness.sim.disk.host import Owner

_UNNAMED = getattr(os, "O_TMPFILE", -1)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def replacements(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """What stands in for the functions that touch files, for `sandbox.py` to install."""
    for owner in (builtins, io):
        yield owner, "open", simulated(io.open, _by_path(io.open, _open))
    for name, ours in _BY_PATH.items():
        if not hasattr(os, name):
            continue  # Not every system has it.
        yield os, name, simulated(getattr(os, name), _by_path(getattr(os, name), ours))
    for owner, functions in ((os, OF_OS), (fcntl, OF_FCNTL)):
        for name, ours in functions.items():
            real = getattr(owner, name)
            yield owner, name, simulated(real, by_descriptor(real, ours))
    yield os, "getcwd", simulated(os.getcwd, lambda process: "/")
    yield os, "sync", simulated(os.sync, _sync_all)
    yield shutil, "_use_fd_functions", False  # So that `rmtree` goes by paths.
    yield _end_of_temporary_file(simulated)


def _end_of_temporary_file(simulated: Callable[..., Any]) -> tuple[Any, str, Any]:
    """What removes one: it holds on to the real `os.unlink` as a default argument."""
    closer = tempfile._TemporaryFileCloser  # type: ignore[attr-defined]
    name = "cleanup" if hasattr(closer, "cleanup") else "close"
    real = getattr(closer, name)
    return closer, name, simulated(real, lambda process, file, *_: real(file, unlink=os.unlink))


def _by_path(real: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    def call(process: Owner, path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        if any(kwargs.get(name) is not None for name in _DIRECTORIES):
            refuse(process, "a path within an open directory", "give the whole path")
        if isinstance(path, int):
            if path < FIRST_DESCRIPTOR:
                return real(path, *args, **kwargs)
            return _on_descriptor(process, path, real, *args, **kwargs)
        if is_installed(path) and not _writes(args, kwargs):
            return real(path, *args, **kwargs)
        return ours(process, path, *args, **kwargs)

    return call


_DIRECTORIES = ("dir_fd", "src_dir_fd", "dst_dir_fd")


def _on_descriptor(
    process: Owner, descriptor: int, real: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    file = open_file(process, descriptor)
    match real.__name__:
        case "stat":
            return fstat(process, file)
        case "truncate":
            return file.truncate(*args)
        case "open":
            return layered(file, *args, **kwargs)
        case _:
            return fail(errno.ENOTSUP, file.path)


def is_installed(path: Any) -> bool:
    """Whether it is part of what every machine has: Python, and what can be imported."""
    name = os.fsdecode(path)
    roots = (sys.prefix, sys.base_prefix, *sys.path)
    return any(name.startswith(root + os.sep) for root in roots if os.path.isabs(root))


def _writes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    mode = kwargs.get("mode", args[0] if args else "r")
    return any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(mode & WRITING)


def _name(path: Any) -> str:
    """The path as the disk knows it: without a leading slash."""
    return os.path.normpath(os.path.join("/", os.fsdecode(path))).lstrip("/")


# By path.

_FLAGS = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
}


def _open(
    process: Owner,
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
    raw = _open_raw(process, path, flags) if opener is None else open_file(process, opener(path, flags))
    if raw.inode is None:
        raw.close()
        fail(errno.EISDIR, path)
    if flags & os.O_APPEND:
        raw.seek(0, os.SEEK_END)
    return layered(raw, mode, buffering, encoding, errors, newline)


def _open_raw(process: Owner, path: Any, flags: int) -> SimFile:
    require_alive(process)
    disk, name = process.machine.disk, _name(path)
    inode = disk.directory.names.get(name)
    if inode is None:
        if disk.directory.contains(name):
            if flags & (os.O_WRONLY | os.O_RDWR):
                fail(errno.EISDIR, path)
            return SimFile(process, name, None, flags)
        if not flags & os.O_CREAT:
            fail(errno.ENOENT, path)
        disk.check("write")
        inode = disk.inode(name, create=True)
        inode.modified_s = process.machine.clock.wall_s
    elif flags & os.O_EXCL:
        fail(errno.EEXIST, path)
    elif flags & os.O_DIRECTORY:
        fail(errno.ENOTDIR, path)
    elif flags & os.O_TRUNC and inode.cached:
        inode.change(Resize(0))
    return SimFile(process, name, inode, flags)


def _os_open(process: Owner, path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
    if flags & _UNNAMED == _UNNAMED:
        fail(errno.EOPNOTSUPP, path)
    return _open_raw(process, path, flags).fileno()


def _stat(process: Owner, path: Any, *, dir_fd: Any = None, follow_symlinks: bool = True) -> os.stat_result:
    disk, name = process.machine.disk, _name(path)
    inode = disk.directory.names.get(name)
    if inode is None and not disk.directory.contains(name):
        fail(errno.ENOENT, path)
    return status(name, inode)


def _rename(process: Owner, old: Any, new: Any, **_: Any) -> None:
    require_alive(process)
    disk, source, target = process.machine.disk, _name(old), _name(new)
    disk.check("write")
    directory = disk.directory
    if source in directory.names:
        if directory.contains(target):
            fail(errno.EISDIR, new)
        directory.rename(source, target)
        return
    if not directory.contains(source):
        fail(errno.ENOENT, old)
    if target in directory.names:
        fail(errno.ENOTDIR, new)
    if f"{target}/".startswith(f"{source}/"):
        fail(errno.EINVAL, new)
    if directory.children(target):
        fail(errno.ENOTEMPTY, new)
    directory.rename_directory(source, target)


def _link(process: Owner, old: Any, new: Any, **_: Any) -> None:
    require_alive(process)
    disk, source, target = process.machine.disk, _name(old), _name(new)
    disk.check("write")
    if source not in disk.directory.names:
        fail(errno.EPERM if disk.directory.contains(source) else errno.ENOENT, old)
    if target in disk.directory.names or disk.directory.contains(target):
        fail(errno.EEXIST, new)
    disk.directory.link(target, disk.directory.names[source])


def _remove(process: Owner, path: Any, *, dir_fd: Any = None) -> None:
    require_alive(process)
    disk = process.machine.disk
    disk.check("write")
    if _name(path) not in disk.directory.names:
        fail(errno.EISDIR if disk.directory.contains(_name(path)) else errno.ENOENT, path)
    disk.directory.unlink(_name(path))


def _make_directory(process: Owner, path: Any, mode: int = 0o777, *, dir_fd: Any = None) -> None:
    directory, name = process.machine.disk.directory, _name(path)
    if name in directory.names or directory.contains(name):
        fail(errno.EEXIST, path)
    directory.made[name] = None


def _remove_directory(process: Owner, path: Any, *, dir_fd: Any = None) -> None:
    directory, name = process.machine.disk.directory, _name(path)
    if not directory.contains(name):
        fail(errno.ENOENT, path)
    if directory.children(name):
        fail(errno.ENOTEMPTY, path)
    directory.made.pop(name, None)


def _list_directory(process: Owner, path: Any = ".") -> list[str]:
    directory, name = process.machine.disk.directory, _name(path)
    if not directory.contains(name):
        fail(errno.ENOTDIR if name in directory.names else errno.ENOENT, path)
    return directory.children(name)


class _Entry:
    """What `os.scandir` yields."""

    def __init__(self, process: Owner, directory: str, name: str) -> None:
        self.name, self.path = name, os.path.join(directory, name)
        self._result = _stat(process, self.path)

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

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

    def is_junction(self) -> bool:
        return False

    def inode(self) -> int:
        return self._result.st_ino


class _Scan(Iterator[_Entry]):
    """What `os.scandir` returns: to be iterated, inside of `with` or not."""

    def __init__(self, entries: Iterator[_Entry]) -> None:
        self._entries = entries

    def __next__(self) -> _Entry:
        return next(self._entries)

    def __enter__(self) -> _Scan:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


def _scan_directory(process: Owner, path: Any = ".") -> _Scan:
    names = _list_directory(process, path)
    return _Scan(iter([_Entry(process, os.fsdecode(path), name) for name in names]))


def _truncate(process: Owner, path: Any, length: int) -> None:
    with _open_raw(process, path, os.O_RDWR) as file:
        file.truncate(length)


def _no_link(process: Owner, path: Any, *, dir_fd: Any = None) -> NoReturn:
    _stat(process, path)
    fail(errno.EINVAL, path)


def _access(process: Owner, path: Any, mode: int, **_: Any) -> bool:
    disk = process.machine.disk
    return _name(path) in disk.directory.names or disk.directory.contains(_name(path))


def _unchanged(process: Owner, path: Any, *_: Any, **__: Any) -> None:
    """There are no permissions; but there is something that they would be of."""
    _stat(process, path)


def _no_attributes(process: Owner, path: Any, *_: Any, **__: Any) -> list[str]:
    _stat(process, path)
    return []


def _set_times(process: Owner, path: Any, times: Any = None, *, ns: Any = None, **_: Any) -> None:
    _stat(process, path)
    inode = process.machine.disk.directory.names.get(_name(path))
    if inode is not None:
        wall_s = process.machine.clock.wall_s
        inode.modified_s = ns[1] / 1e9 if ns is not None else times[1] if times is not None else wall_s


def _space(process: Owner, path: Any) -> os.statvfs_result:
    disk = process.machine.disk
    blocks = (_PLENTY if disk.capacity is None else disk.capacity) // _BLOCK
    free = max(0, blocks - -(-disk.used // _BLOCK))
    return os.statvfs_result((_BLOCK, _BLOCK, blocks, free, free, 1 << 20, 1 << 19, 1 << 19, 0, 255))


_BLOCK = 4096
_PLENTY = 1 << 40


def _sync_all(process: Owner) -> None:
    require_alive(process)
    disk = process.machine.disk
    for inode in disk.directory.names.values():
        disk.sync_inode(inode)


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
    "link": _link,
    "symlink": refusal("os.symlink()", "use os.link(), or a file that holds the name"),
    "mkfifo": refusal("os.mkfifo()", "use a UNIX socket"),
    "chdir": refusal("os.chdir()", "give whole paths"),
    "chmod": _unchanged,
    "chown": _unchanged,
    "lchown": _unchanged,
    "listxattr": _no_attributes,
    "utime": _set_times,
    "statvfs": _space,
}
