"""Ordinary file code on a simulated disk: `open`, `os`, `pathlib`, and with them Trio's files and paths.

Every machine has a file system of its own, with the usual directories (`/tmp`, `/var/lib`, ...) and `/` as
the current one. What is installed with Python (below `sys.prefix` and `sys.path`) is there on all machines
and can only be read. There are hard links, sockets and the devices that programs use, but no symbolic links.
Permissions and umask are kept and shown, but as for root nothing is refused because of them. What was flushed
is in the page cache, and `os.fsync` makes it durable, as `disk.py` tells.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import functools
import io
import os
import shutil
import stat
import sys
import tempfile
from abc import ABCMeta
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn

from ostrakon.harness.sim.disk.inode import Inode, Resize
from ostrakon.harness.sim.disk.open_file import (
    FIRST_DESCRIPTOR,
    OF_FCNTL,
    OF_OS,
    Description,
    ReopenedFile,
    SimFile,
    by_descriptor,
    fail,
    fstat,
    is_gone,
    layered,
    now_ns,
    open_file,
    status,
)
from ostrakon.harness.sim.kernel.errors import refusal, refuse

if TYPE_CHECKING:
    from ostrakon.harness.sim.disk.disk import SimDisk
    from ostrakon.harness.sim.disk.host import Owner

_UNNAMED = getattr(os, "O_TMPFILE", -1)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NAME_MAX, _PATH_MAX = 255, 4095
"""The maximum length of a name and of a path, in bytes."""
_SOCKET_PATH_MAX = 107
_real_stat = os.stat
_RealFile = io.FileIO


def replacements(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """What stands in for the functions that touch files, for `sandbox.py` to install."""
    for owner in (builtins, io):
        yield owner, "open", simulated(io.open, _by_path(io.open, _open))
    yield io, "open_code", simulated(io.open_code, _by_path(io.open_code, _open_code))
    yield io, "FileIO", _file_class(simulated(io.FileIO, _by_path(io.FileIO, _open_unbuffered)))
    for name, ours in _BY_PATH.items():
        if not hasattr(os, name):
            continue  # Not every system has it.
        yield os, name, simulated(getattr(os, name), _by_path(getattr(os, name), ours))
    of_disk: dict[str, Callable[..., Any]] = {
        "fstatvfs": lambda process, file: _space(process, "/"),
        "fpathconf": lambda process, file, name: _real_limit("/", name),
    }
    for owner, functions in ((os, OF_OS | of_disk), (fcntl, OF_FCNTL)):
        for name, ours in functions.items():
            real = getattr(owner, name, None)
            if real is not None:
                yield owner, name, simulated(real, by_descriptor(real, ours))
    yield os, "getcwd", simulated(os.getcwd, lambda process: "/")
    yield os, "getcwdb", simulated(os.getcwdb, lambda process: b"/")
    yield os, "sync", simulated(os.sync, _sync_all)
    yield os, "umask", simulated(os.umask, _set_umask)
    yield shutil, "_use_fd_functions", False  # So that `rmtree` goes by paths.
    yield tempfile, "_O_TMPFILE_WORKS", False


def _file_class(make: Callable[..., Any]) -> type:
    """What stands in for the class `io.FileIO`: `make` makes its instances, and it knows them for its own."""

    class Kind(ABCMeta):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return make(*args, **kwargs) if cls is FileIO else super().__call__(*args, **kwargs)

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, _RealFile) if cls is FileIO else super().__instancecheck__(instance)

        def __subclasscheck__(cls, kind: type) -> bool:
            return issubclass(kind, _RealFile) if cls is FileIO else super().__subclasscheck__(kind)

    class FileIO(_RealFile, metaclass=Kind):
        pass

    FileIO.__module__, FileIO.__qualname__ = _RealFile.__module__, "FileIO"
    return FileIO


def _by_path(real: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    def call(process: Owner, path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        if any(kwargs.get(name) is not None for name in _DIRECTORIES):
            refuse(process, "a path within an open directory", "give the whole path")
        if isinstance(path, int):
            if path < FIRST_DESCRIPTOR:
                return real(path, *args, **kwargs)
            return _on_descriptor(process, path, real, *args, **kwargs)
        if is_installed(path) and not _writes(real.__name__, args, kwargs):
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
            return file.description.truncate(*args)
        case "open":
            return _open_number(process, file, *args, **kwargs)
        case "FileIO":
            return _reopen(file, *args, **kwargs)
        case "listdir":
            path = process.machine.disk.names.path_of(file.description.inode)
            return [] if path is None else _list_directory(process, f"/{path}")
        case "chmod":
            return OF_OS["fchmod"](process, file, *args)
        case "utime":
            return _set_times_of(process, file.description.inode, *args, **kwargs)
        case "statvfs":
            return _space(process, "/")
        case "pathconf":
            return _real_limit("/", *args)
        case name:
            return refuse(process, f"os.{name}() of an open file", "give the path")


def is_installed(path: Any) -> bool:
    """Whether it is part of what every machine has: Python, what can be imported, and the time zones."""
    return os.fsdecode(path).startswith(_installed_roots(len(sys.modules), *sys.path))


@functools.lru_cache(maxsize=8)
def _installed_roots(modules: int, *searched: str) -> tuple[str, ...]:
    """The folders of it, for as many modules as are imported by now.

    A package that is installed for development is often found by an import hook, and not by `sys.path`.
    """
    tops = (module for name, module in list(sys.modules.items()) if "." not in name)
    paths = (getattr(module, "__path__", None) for module in tops)
    packages = (folder for path in paths if isinstance(path, list) for folder in path)
    zones = getattr(sys.modules.get("zoneinfo"), "TZPATH", ())
    folders = (sys.prefix, sys.base_prefix, *searched, *zones, *packages)
    absolute = (folder for folder in folders if isinstance(folder, str) and os.path.isabs(folder))
    return tuple(dict.fromkeys(folder.rstrip(os.sep) + os.sep for folder in absolute if folder != os.sep))


_READING = frozenset(
    ("access", "listdir", "listxattr", "lstat", "open_code", "readlink", "scandir", "stat", "statvfs")
)


def _writes(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if name not in ("open", "FileIO"):
        return name not in _READING
    mode = args[0] if args else kwargs.get("flags", kwargs.get("mode", "r"))
    return any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(mode & WRITING)


class _Place(NamedTuple):
    """The result of following a path."""

    name: str
    """As the disk knows it: without a leading slash."""
    inode: Inode | None
    """The file at the path; None if there is none."""
    is_directory_wanted: bool
    """Whether the path ends as only that of a directory may."""


def _find(process: Owner, path: Any, other: Any = None, *, shown: Any = None) -> _Place:
    """Follow a path, as far as there have to be directories.

    Raises: OSError with ENOENT, ENOTDIR or ENAMETOOLONG; ValueError; TypeError.
    """
    first, second = (path, other) if shown is None else (shown, path)
    text = os.fsdecode(path)
    if "\0" in text:
        raise ValueError("embedded null byte")
    if not text:
        fail(errno.ENOENT, first, second)
    if len(os.fsencode(text)) > _PATH_MAX:
        fail(errno.ENAMETOOLONG, first, second)
    inodes = process.machine.disk.names.inodes
    here: list[str] = []
    for part in text.split("/"):
        if part in ("", "."):
            continue
        if len(os.fsencode(part)) > _NAME_MAX:
            fail(errno.ENAMETOOLONG, first, second)
        above = inodes.get("/".join(here))
        if above is None and not _is_installed_directory(here):
            fail(errno.ENOENT, first, second)
        if above is not None and not above.is_directory:
            fail(errno.ENOTDIR, first, second)
        if part != "..":
            here.append(part)
        elif here:
            here.pop()
    place = _Place("/".join(here), inodes.get("/".join(here)), text.split("/")[-1] in ("", ".", ".."))
    if place.is_directory_wanted and place.inode is not None and not place.inode.is_directory:
        fail(errno.ENOTDIR, first, second)
    return place


def _is_installed_directory(parts: list[str]) -> bool:
    path = "/" + "/".join(parts)
    leads_there = any(root.startswith(path + os.sep) for root in (sys.prefix, sys.base_prefix, *sys.path))
    try:
        return (leads_there or is_installed(path + os.sep)) and stat.S_ISDIR(_real_stat(path).st_mode)
    except OSError:
        return False


def _existing(process: Owner, path: Any) -> _Place:
    place = _find(process, path)
    if place.inode is None:
        fail(errno.ENOENT, path)
    return place


def _touch_above(process: Owner, name: str) -> None:
    """Record a change of the directory that contains a path."""
    above = process.machine.disk.names.inodes.get(name.rpartition("/")[0])
    if above is not None:
        above.modified_ns = above.changed_ns = now_ns(process)


def _begin(process: Owner, name: str) -> SimDisk:
    disk = process.machine.disk
    if name.rpartition("/")[0] not in disk.names.inodes:
        fail(errno.EROFS, f"/{name}")  # It would be among what is installed.
    disk.begin(process, "write", name)
    return disk


# By path.

_FLAGS = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
}


def _flags_of(mode: str) -> int:
    """The flags for `os.open`. Raises: ValueError, as `open` does."""
    letters = set(mode)
    if letters - set("rwaxbt+") or len(mode) > len(letters):
        raise ValueError(f"invalid mode: {mode!r}")
    if {"b", "t"} <= letters:
        raise ValueError("can't have text and binary mode at once")
    actions = letters & set(_FLAGS)
    if len(actions) > 1:
        raise ValueError("must have exactly one of create/read/write/append mode")
    if not actions:
        raise ValueError("Must have exactly one of create/read/write/append mode and at most one plus")
    flags = _FLAGS[actions.pop()]
    return flags & ~os.O_WRONLY | os.O_RDWR if "+" in letters else flags


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
    asked = _Asked(mode, buffering, encoding, errors, newline, closefd, opener)
    _check_layers(asked)
    return _layer(_open_unbuffered(process, path, mode, closefd, opener), asked)


class _Asked(NamedTuple):
    """The arguments of `open` besides the file."""

    mode: str = "r"
    buffering: int = -1
    encoding: str | None = None
    errors: str | None = None
    newline: str | None = None
    closefd: bool = True
    opener: Any = None


def _open_number(process: Owner, file: SimFile, *args: Any, **kwargs: Any) -> IO[Any]:
    """What `open` makes of a descriptor."""
    asked = _Asked(*args, **kwargs)
    _check_layers(asked)
    return _layer(_reopen(file, asked.mode, asked.closefd), asked)


def _reopen(file: SimFile, mode: str = "r", closefd: bool = True, opener: Any = None) -> SimFile:
    """What `io.FileIO` makes of a descriptor."""
    flags = _flags_of(mode)
    if file.description.inode.is_directory:
        fail(errno.EISDIR, file.fileno())
    return ReopenedFile(file, flags, closefd=closefd)


def _check_layers(asked: _Asked) -> None:
    """Raises: ValueError, as `open` does."""
    _flags_of(asked.mode)
    if "b" in asked.mode:
        for argument in ("encoding", "errors", "newline"):
            if getattr(asked, argument) is not None:
                article = "an" if argument[0] == "e" else "a"
                raise ValueError(f"binary mode doesn't take {article} {argument} argument")


def _layer(raw: SimFile, asked: _Asked) -> IO[Any]:
    try:
        if "a" in asked.mode:
            raw.seek(0, os.SEEK_END)
        return layered(raw, asked.mode, asked.buffering, asked.encoding, asked.errors, asked.newline)
    except BaseException:
        raw.close()
        raise


def _open_unbuffered(
    process: Owner, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None
) -> SimFile:
    """What `io.FileIO()` makes of a path."""
    if not closefd:
        raise ValueError("Cannot use closefd=False with file name")
    path, flags = os.fspath(file), _flags_of(mode)
    if opener is not None:
        raw = open_file(process, opener(path, flags | os.O_CLOEXEC))
        raw.name = path
    else:
        raw = _open_raw(process, path, flags, 0o666)
    if raw.description.inode.is_directory:
        raw.close()
        fail(errno.EISDIR, path)
    return raw


def _open_code(process: Owner, path: str) -> IO[Any]:
    return _open(process, path, "rb")


def _open_raw(process: Owner, path: Any, flags: int, mode: int) -> SimFile:
    if is_gone(process):
        process.require_alive()
    place, disk = _find(process, path), process.machine.disk
    inode = place.inode
    if inode is None:
        if not flags & os.O_CREAT:
            fail(errno.ENOENT, path)
        if place.is_directory_wanted:
            fail(errno.EISDIR, path)
        _begin(process, place.name)
        inode = disk.names.new(stat.S_IFREG | mode & 0o7777 & ~process.umask)
        inode.modified_ns = inode.accessed_ns = inode.changed_ns = now_ns(process)
        disk.names.link(place.name, inode)
        _touch_above(process, place.name)
    elif flags & os.O_CREAT and flags & os.O_EXCL:
        fail(errno.EEXIST, path)
    elif inode.is_directory:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            fail(errno.EISDIR, path)
    elif flags & os.O_DIRECTORY:
        fail(errno.ENOTDIR, path)
    elif stat.S_ISSOCK(inode.mode):
        fail(errno.ENXIO, path)
    elif flags & os.O_TRUNC and inode.cached:
        _begin(process, place.name)
        inode.change(Resize(0))
        inode.modified_ns = inode.changed_ns = now_ns(process)
    return SimFile(Description(process, place.name, inode, flags), path)


def _os_open(process: Owner, path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
    if flags & _UNNAMED == _UNNAMED:
        fail(errno.EOPNOTSUPP, path)
    return _open_raw(process, path, flags, mode).fileno()


def _stat(process: Owner, path: Any, *, dir_fd: Any = None, follow_symlinks: bool = True) -> os.stat_result:
    place = _existing(process, path)
    assert place.inode is not None
    inodes = process.machine.disk.names.inodes
    prefix = f"{place.name}/" if place.name else ""
    inside = process.machine.disk.names.children(place.name) if place.inode.is_directory else ()
    return status(place.inode, sum(inodes[prefix + name].is_directory for name in inside))


def _rename(process: Owner, old: Any, new: Any, **_: Any) -> None:
    source, target = _find(process, old, new), _find(process, new, shown=old)
    moved, there = source.inode, target.inode
    if moved is None:
        fail(errno.ENOENT, old, new)
    if moved.is_directory and f"{target.name}/".startswith(f"{source.name}/") and there is not moved:
        fail(errno.EINVAL, old, new)
    if there is moved:
        return  # Two names of one file, or the same name: POSIX wants nothing to happen.
    if there is not None:
        if there.is_directory and not moved.is_directory:
            fail(errno.EISDIR, old, new)
        if moved.is_directory and not there.is_directory:
            fail(errno.ENOTDIR, old, new)
        if there.is_directory and process.machine.disk.names.children(target.name):
            fail(errno.ENOTEMPTY, old, new)
    elif target.is_directory_wanted and not moved.is_directory:
        fail(errno.ENOTDIR, old, new)
    _begin(process, target.name).names.rename(source.name, target.name)
    moved.changed_ns = now_ns(process)
    _touch_above(process, source.name)
    _touch_above(process, target.name)


def _link(process: Owner, old: Any, new: Any, **_: Any) -> None:
    source, target = _find(process, old, new), _find(process, new, shown=old)
    if source.inode is None:
        fail(errno.ENOENT, old, new)
    if target.inode is not None:
        fail(errno.EEXIST, old, new)
    if source.inode.is_directory:
        fail(errno.EPERM, old, new)
    _begin(process, target.name).names.link(target.name, source.inode)
    source.inode.changed_ns = now_ns(process)
    _touch_above(process, target.name)


def _remove(process: Owner, path: Any, *, dir_fd: Any = None) -> None:
    place = _existing(process, path)
    assert place.inode is not None
    if place.inode.is_directory:
        fail(errno.EISDIR, path)
    _begin(process, place.name).names.unlink(place.name)
    place.inode.changed_ns = now_ns(process)
    _touch_above(process, place.name)


def _make_directory(process: Owner, path: Any, mode: int = 0o777, *, dir_fd: Any = None) -> None:
    place = _find(process, path)
    if place.inode is not None or _is_installed_directory(place.name.split("/")):
        fail(errno.EEXIST, path)
    disk = _begin(process, place.name)
    made = disk.names.new(stat.S_IFDIR | mode & 0o7777 & ~process.umask)
    made.modified_ns = made.changed_ns = now_ns(process)
    disk.names.link(place.name, made)
    _touch_above(process, place.name)


def _remove_directory(process: Owner, path: Any, *, dir_fd: Any = None) -> None:
    place = _existing(process, path)
    assert place.inode is not None
    if not place.inode.is_directory:
        fail(errno.ENOTDIR, path)
    if not place.name:
        fail(errno.EBUSY, path)
    if os.fsdecode(path).rstrip("/").endswith("/."):
        fail(errno.EINVAL, path)
    if process.machine.disk.names.children(place.name):
        fail(errno.ENOTEMPTY, path)
    _begin(process, place.name).names.unlink(place.name)
    _touch_above(process, place.name)


def _list_directory(process: Owner, path: Any = None) -> list[Any]:
    given = "." if path is None else path
    place = _existing(process, given)
    assert place.inode is not None
    if not place.inode.is_directory:
        fail(errno.ENOTDIR, given)
    names = process.machine.disk.names.children(place.name)
    return [os.fsencode(name) for name in names] if isinstance(given, bytes) else list(names)


class _Entry:
    """What `os.scandir` yields."""

    def __init__(self, process: Owner, directory: Any, name: Any) -> None:
        self.name, self.path = name, os.path.join(directory, name)
        self._process = process
        self._result = _stat(process, self.path)

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def __fspath__(self) -> Any:
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


def _scan_directory(process: Owner, path: Any = None) -> _Scan:
    given = "." if path is None else os.fspath(path)
    return _Scan(iter([_Entry(process, given, name) for name in _list_directory(process, given)]))


def _truncate(process: Owner, path: Any, length: int) -> None:
    place = _existing(process, path)
    assert place.inode is not None
    if place.inode.is_directory:
        fail(errno.EISDIR, path)
    if length < 0:
        fail(errno.EINVAL, path)
    Description(process, place.name, place.inode, os.O_RDWR).truncate(length)


def _no_link(process: Owner, path: Any, *, dir_fd: Any = None) -> NoReturn:
    _existing(process, path)
    fail(errno.EINVAL, path)


def _access(process: Owner, path: Any, mode: int, **_: Any) -> bool:
    try:
        inode = _existing(process, path).inode
    except OSError:
        return False
    assert inode is not None
    return not mode & os.X_OK or inode.is_directory or bool(inode.mode & 0o111)


def _change_mode(process: Owner, path: Any, mode: int, **_: Any) -> None:
    inode = _existing(process, path).inode
    assert inode is not None
    inode.mode = stat.S_IFMT(inode.mode) | stat.S_IMODE(mode)
    inode.changed_ns = now_ns(process)


def _unchanged(process: Owner, path: Any, *_: Any, **__: Any) -> None:
    """There is one user; but there is something that could belong to another."""
    _existing(process, path)


def _set_umask(process: Owner, mask: int) -> int:
    before, process.umask = process.umask, mask & 0o777
    return before


def _no_attributes(process: Owner, path: Any, *_: Any, **__: Any) -> list[str]:
    _existing(process, path)
    return []


def _set_times(process: Owner, path: Any, times: Any = None, *, ns: Any = None, **_: Any) -> None:
    inode = _existing(process, path).inode
    assert inode is not None
    _set_times_of(process, inode, times, ns=ns)


def _set_times_of(process: Owner, inode: Inode, times: Any = None, *, ns: Any = None, **_: Any) -> None:
    now = now_ns(process)
    if ns is not None:
        inode.accessed_ns, inode.modified_ns = ns
    elif times is not None:
        inode.accessed_ns, inode.modified_ns = (round(time * 1e9) for time in times)
    else:
        inode.accessed_ns = inode.modified_ns = now
    inode.changed_ns = now


def _space(process: Owner, path: Any) -> os.statvfs_result:
    disk = process.machine.disk
    blocks = (_PLENTY if disk.capacity is None else disk.capacity) // _BLOCK
    free = max(0, blocks - -(-disk.used // _BLOCK))
    return os.statvfs_result((_BLOCK, _BLOCK, blocks, free, free, 1 << 20, 1 << 19, 1 << 19, 0, _NAME_MAX))


def _limit(process: Owner, path: Any, name: Any) -> int:
    _existing(process, path)
    return _real_limit("/", name)


_real_limit = os.pathconf
_BLOCK = 4096
_PLENTY = 1 << 40


def _sync_all(process: Owner) -> None:
    disk = process.machine.disk
    disk.sync_for(process, "", *dict.fromkeys(disk.names.files.values()))


# UNIX sockets, which have a name among the files.


def make_socket(process: Owner, path: Any) -> Inode:
    """What binding a UNIX socket to a path makes there.

    Raises: OSError with EADDRINUSE if there is something, which stays when its socket is closed; ENOENT, ...
    """
    if len(os.fsencode(path)) > _SOCKET_PATH_MAX:
        raise OSError("AF_UNIX path too long")
    try:
        place = _find(process, path)
    except OSError as error:
        fail(error.errno or errno.ENOENT)
    if place.inode is not None:
        fail(errno.EADDRINUSE)
    disk = _begin(process, place.name)
    inode = disk.names.new(stat.S_IFSOCK | 0o777 & ~process.umask)
    inode.modified_ns = inode.changed_ns = now_ns(process)
    disk.names.link(place.name, inode)
    return inode


def find_socket(process: Owner, path: Any) -> Inode:
    """The socket at a path. Raises: OSError with ENOENT, or with ECONNREFUSED if it is none."""
    if len(os.fsencode(path)) > _SOCKET_PATH_MAX:
        raise OSError("AF_UNIX path too long")
    try:
        inode = _find(process, path).inode
    except OSError as error:
        fail(error.errno or errno.ENOENT)
    if inode is None:
        fail(errno.ENOENT)
    if not stat.S_ISSOCK(inode.mode):
        fail(errno.ECONNREFUSED)
    return inode


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
    "mknod": refusal("os.mknod()", "use open()"),
    "chdir": refusal("os.chdir()", "give whole paths"),
    "chroot": refusal("os.chroot()", "give whole paths"),
    "chmod": _change_mode,
    "chown": _unchanged,
    "lchown": _unchanged,
    "listxattr": _no_attributes,
    "getxattr": refusal("extended attributes", "use a file of their own"),
    "setxattr": refusal("extended attributes", "use a file of their own"),
    "removexattr": refusal("extended attributes", "use a file of their own"),
    "utime": _set_times,
    "statvfs": _space,
    "pathconf": _limit,
}
