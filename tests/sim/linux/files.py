"""Programs that look at files and directories."""
# ruff: noqa: SIM115 - what they open is gone with them, and how it is closed is not what they look at.

from __future__ import annotations

import fcntl
import glob
import io
import logging
import logging.handlers
import os
import pathlib
import shutil
import stat
import tempfile
import time
from collections.abc import Callable

from tests.sim.linux.observe import Observer


def write(path: str, text: str = "x") -> None:
    with open(path, "w") as file:
        file.write(text)


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def descriptor(path: str, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    return os.open(path, flags)


async def missing_things(o: Observer) -> None:
    write(o.path("file"))
    os.makedirs(o.path("full/inner"))
    os.mkdir(o.path("empty"))
    for label, call, name in (
        ("open missing", open, "missing"),
        ("open below missing", open, "missing/file"),
        ("open below a file", open, "file/x"),
        ("open a file with a slash", open, "file/"),
        ("open a directory", open, "empty"),
        ("list a file", os.listdir, "file"),
        ("list missing", os.listdir, "missing"),
        ("stat below a file", os.stat, "file/x"),
        ("make what is there", os.mkdir, "empty"),
        ("make below missing", os.mkdir, "missing/new"),
        ("make below a file", os.mkdir, "file/new"),
        ("makedirs below a file", os.makedirs, "file/new/deep"),
        ("rmdir of a file", os.rmdir, "file"),
        ("rmdir of what is full", os.rmdir, "full"),
        ("unlink a directory", os.unlink, "empty"),
        ("unlink missing", os.unlink, "missing"),
        ("write below missing", write, "missing/new"),
        ("write with a slash", write, "new/"),
        ("read through a missing directory", read, "missing/../file"),
        ("read through a file", read, "file/../file"),
        ("read by a detour", read, "empty/../file"),
        ("too long a name", read, "n" * 300),
        ("truncate missing", lambda path: os.truncate(path, 1), "missing"),
        ("is there below a file", os.path.exists, "file/x"),
    ):
        await o.see(label, call, o.path(name))
    await o.see("empty name", open, "")
    await o.see("null byte", open, "a\0b")
    await o.see("what is left", lambda: sorted(os.listdir(o.directory)))


async def renaming(o: Observer) -> None:
    for directory in ("d", "e", "full/inner"):
        os.makedirs(o.path(directory))
    write(o.path("f"), "of f")
    for label, old, new in (
        ("missing", "missing", "new"),
        ("into missing", "f", "missing/f"),
        ("file over directory", "f", "d"),
        ("directory over file", "d", "f"),
        ("directory into itself", "full", "full/inner/x"),
        ("directory over full", "d", "full"),
        ("onto itself", "d", "d"),
        ("directory over empty", "e", "d"),
        ("full directory", "full", "moved"),
    ):
        await o.see(label, os.rename, o.path(old), o.path(new))
    await o.see("inner is moved", os.path.isdir, o.path("moved/inner"))
    before = os.stat(o.path("f")).st_ino
    os.rename(o.path("f"), o.path("g"))
    await o.see("same inode", lambda: os.stat(o.path("g")).st_ino == before)
    await o.see("left", lambda: sorted(os.listdir(o.directory)))


async def identity(o: Observer) -> None:
    lock, log = o.path("lock"), o.path("log")
    first = descriptor(lock)
    os.unlink(lock)
    second = descriptor(lock)
    await o.see("a lock file made anew is another", lambda: os.fstat(first).st_ino != os.fstat(second).st_ino)
    await o.see("links of an unlinked file", lambda: os.fstat(first).st_nlink)
    handler = logging.handlers.WatchedFileHandler(log)
    handler.emit(logging.makeLogRecord({"msg": "one"}))
    os.rename(log, log + ".1")
    write(log, "")
    handler.emit(logging.makeLogRecord({"msg": "two"}))
    handler.close()
    await o.see("a watched log is reopened", lambda: (read(log), read(log + ".1")))
    os.link(log, o.path("hard"))
    await o.see("hard links are one file", os.path.samefile, log, o.path("hard"))
    await o.see("copy onto itself", shutil.copyfile, log, o.path("hard"))
    await o.see("links", lambda: os.stat(log).st_nlink)
    await o.see("link to what is there", os.link, log, o.path("hard"))
    await o.see("link to a directory", os.link, o.directory, o.path("new"))
    with open(log) as old:
        write(o.path("new"), "replaced")
        os.replace(o.path("new"), log)
        await o.see("an open file is not replaced", old.read)
    with open(log, "r+") as unlinked:
        os.unlink(log)
        unlinked.write("go on")
        unlinked.flush()
        unlinked.seek(0)
        await o.see("an unlinked file goes on", unlinked.read)
    os.mkdir(o.path("d"))
    await o.see("directory links", lambda: os.stat(o.path("d")).st_nlink)


async def descriptors(o: Observer) -> None:
    path = o.path("f")
    write(path, "abcdef")
    fd = descriptor(path)
    for label, call in (
        ("read of write-only", lambda: os.read(descriptor(path, os.O_WRONLY), 1)),
        ("write of read-only", lambda: os.write(descriptor(path, os.O_RDONLY), b"x")),
        ("negative seek", lambda: os.lseek(fd, -5, os.SEEK_SET)),
        ("seek from the end", lambda: os.lseek(fd, -2, os.SEEK_END)),
        ("seek to data", lambda: os.lseek(fd, 1, os.SEEK_DATA)),
        ("seek to a hole", lambda: os.lseek(fd, 1, os.SEEK_HOLE)),
        ("data beyond the end", lambda: os.lseek(fd, 100, os.SEEK_DATA)),
        ("negative pwrite", lambda: os.pwrite(fd, b"Z", -1)),
        ("negative pread", lambda: os.pread(fd, 1, -1)),
        ("writev", lambda: os.writev(fd, [b"1", b"23"])),
        ("readv", lambda: os.readv(fd, [bytearray(2), bytearray(2)])),
        ("preadv", lambda: os.preadv(fd, [bytearray(4)], 0)),
        ("dup shares the offset", lambda: (os.lseek(os.dup(fd), 3, 0), os.lseek(fd, 0, os.SEEK_CUR))),
        ("allocate", lambda: os.posix_fallocate(fd, 0, 20)),
        ("allocated", lambda: os.fstat(fd).st_size),
        ("advise", lambda: os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)),
        ("copy range", lambda: os.copy_file_range(fd, descriptor(o.path("g")), 3, 0)),
        ("copied", lambda: read(o.path("g"))),
        ("truncate to less than nothing", lambda: os.ftruncate(fd, -1)),
        ("closed twice", lambda: _close_twice(os.dup(fd))),
        ("exclusive without create", lambda: os.close(os.open(path, os.O_EXCL))),
        ("exclusive", lambda: os.open(path, os.O_CREAT | os.O_EXCL)),
        ("directory wanted", lambda: os.open(path, os.O_DIRECTORY)),
        ("flags", lambda: fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR),
        ("list by descriptor", lambda: sorted(os.listdir(os.open(o.directory, os.O_RDONLY)))),
        ("fsync", lambda: os.fsync(fd)),
        ("append ignores pwrite's offset", lambda: _append(o.path("h"))),
        ("lock of another", lambda: _lock(path)),
    ):
        await o.see(label, call)


def _close_twice(fd: int) -> None:
    os.close(fd)
    os.close(fd)


def _append(path: str) -> str:
    fd = descriptor(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(fd, b"ab")
    os.pwrite(fd, b"Z", 0)
    return read(path)


def _lock(path: str) -> None:
    one, other = descriptor(path), descriptor(path)
    fcntl.flock(one, fcntl.LOCK_EX)
    fcntl.flock(os.dup(one), fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def open_files(o: Observer) -> None:
    path = o.path("f")
    write(path, "abc")
    for mode in ("q", "rw", "rU", "", "b", "tb", "r++"):
        await o.see(f"mode {mode!r}", open, path, mode)
    await o.see("bytes with an encoding", lambda: open(path, "rb", encoding="utf-8"))
    await o.see("unbuffered text", lambda: open(path, "w", buffering=0))
    await o.see("a name that is to stay open", lambda: open(path, closefd=False))
    write(path, "abc")
    for mode in ("rb", "wb", "ab", "r+b", "xb"):
        name = o.path("new") if mode == "xb" else path
        await o.see(f"raw {mode}", lambda name=name, mode=mode: _raw(name, mode))
    write(path, "abc")
    await o.see("reading what is written", lambda: open(path, "w").read())
    write(path, "abc")
    await o.see("negative seek", lambda: open(path, "rb", buffering=0).seek(-1))
    await o.see("io.FileIO", lambda: io.FileIO(path).read())
    await o.see("is a FileIO", lambda: isinstance(open(path, "rb", buffering=0), io.FileIO))
    await o.see("io.open_code", lambda: io.open_code(path).read())
    await o.see("by an opener", lambda: open(path, opener=lambda name, flags: os.open(name, flags)).read())
    await o.see("bytes for a path", lambda: open(os.fsencode(path)).name)
    for device in ("/dev/null", "/dev/zero", "/dev/urandom"):
        await o.see(f"of {device}", lambda device=device: len(open(device, "rb", buffering=0).read(4)))
    await o.see("into the full device", lambda: os.write(os.open("/dev/full", os.O_WRONLY), b"x"))
    closed = open(path)
    closed.close()
    await o.see("number of a closed one", closed.fileno)


def _raw(name: str, mode: str) -> tuple[object, ...]:
    with open(name, mode, buffering=0) as raw:
        return raw.mode, raw.name, raw.readable(), raw.writable(), raw.tell()


async def attributes(o: Observer) -> None:
    path = o.path("f")
    before = os.umask(0o027)
    write(path)
    os.mkdir(o.path("d"))
    fd = os.open(o.path("k"), os.O_CREAT | os.O_WRONLY, 0o640)
    await o.see("modes", lambda: [oct(os.stat(o.path(name)).st_mode) for name in ("f", "d", "k")])
    await o.see("umask", lambda: oct(os.umask(before)))
    os.chmod(path, 0o400)
    os.fchmod(fd, 0o444)
    await o.see("changed modes", lambda: [oct(os.stat(o.path(name)).st_mode) for name in ("f", "k")])
    await o.see("may it be run", os.access, path, os.X_OK)
    os.utime(path, ns=(5, 1_700_000_000_123_456_789))
    await o.see("times", lambda: (os.stat(path).st_atime_ns, os.stat(path).st_mtime_ns))
    await o.see("a fresh file is new", lambda: abs(os.stat(o.path("k")).st_mtime - time.time()) < 5)
    held = os.stat(o.path("d")).st_mtime_ns
    time.sleep(0.05)
    write(o.path("d/x"))
    await o.see("a directory changes with its files", lambda: os.stat(o.path("d")).st_mtime_ns > held)
    await o.see("a block", lambda: (os.stat(path).st_blksize, os.stat(path).st_blocks >= 0))


async def trees(o: Observer) -> None:
    os.makedirs(o.path("a/b"))
    for name in ("a/one.txt", "a/b/two.txt", "three.txt"):
        write(o.path(name), name)
    root = pathlib.Path(o.directory)
    for label, call in (
        ("glob", lambda: sorted(path.name for path in root.glob("*"))),
        ("rglob", lambda: sorted(str(path) for path in root.rglob("*.txt"))),
        ("glob of strings", lambda: sorted(glob.glob(o.path("**/*.txt"), recursive=True))),
        ("bytes in, bytes out", lambda: sorted(os.listdir(os.fsencode(o.directory)))),
        ("scan of bytes", lambda: sorted(entry.name for entry in os.scandir(os.fsencode(o.directory)))),
        ("walk", lambda: sorted((top, sorted(d), sorted(f)) for top, d, f in os.walk(o.directory))),
        ("copy", lambda: shutil.copytree(o.path("a"), o.path("copy"))),
        ("copied", lambda: read(o.path("copy/b/two.txt"))),
        ("move", lambda: shutil.move(o.path("copy"), o.path("moved"))),
        ("remove", lambda: shutil.rmtree(o.path("moved"))),
        ("remove again", lambda: shutil.rmtree(o.path("moved"))),
        ("remove the only file", lambda: os.unlink(o.path("a/b/two.txt"))),
        ("an empty directory stays", lambda: os.path.isdir(o.path("a/b"))),
        ("temporary file", lambda: _temporary(o.directory)),
        ("left", lambda: sorted(os.listdir(o.directory))),
    ):
        await o.see(label, call)


def _temporary(directory: str) -> tuple[bytes, bool]:
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        file.write(b"text")
        file.seek(0)
        return file.read(), stat.S_ISREG(os.stat(file.name).st_mode)


async def files_of_descriptors(o: Observer) -> None:
    """What `open` makes of a descriptor."""
    path = o.path("f")
    write(path, "text")

    def descriptor(flags: int = os.O_RDWR) -> int:
        return os.open(path, flags)

    kept = descriptor()
    for label, call in (
        ("mode of its own", lambda: _modes(open(descriptor(os.O_RDONLY), "w"))),
        ("written nevertheless", lambda: open(descriptor(os.O_RDONLY), "wb", 0).write(b"x")),
        ("read nevertheless", lambda: open(descriptor(os.O_WRONLY), "rb", 0).read()),
        ("left open", lambda: _after(lambda: open(kept, closefd=False).close(), lambda: os.read(kept, 2))),
        ("closed with it", lambda: _after(lambda: open(kept).close(), lambda: os.read(kept, 2))),
        ("closed without it", lambda: _closed_beneath(open(descriptor(), "rb", 0))),
        ("a path is not left open", lambda: open(path, closefd=False)),
        ("named by its number", lambda: isinstance(os.fdopen(descriptor()).name, int)),
        ("of a directory", lambda: _errno(lambda: os.fdopen(os.open(o.directory, os.O_RDONLY)))),
        ("binary text", lambda: open(descriptor(), "rb", encoding="utf8")),
        ("no terminal", lambda: os.ttyname(descriptor())),
        (
            "length of a name",
            lambda: (os.pathconf(path, "PC_NAME_MAX"), os.fpathconf(descriptor(), "PC_NAME_MAX")),
        ),
        ("length of a name by descriptor", lambda: os.fstatvfs(descriptor()).f_namemax),
        (
            "remove a directory as .",
            lambda: _after(lambda: os.mkdir(o.path("d")), lambda: os.rmdir(o.path("d/."))),
        ),
    ):
        await o.see(label, call)


def _after(first: Callable[[], object], then: Callable[[], object]) -> object:
    first()
    return then()


def _modes(file: io.TextIOBase) -> tuple[bool, bool]:
    return file.readable(), file.writable()


def _closed_beneath(file: io.RawIOBase) -> str:
    os.close(file.fileno())
    read_error = _errno(lambda: file.read(1))
    return f"{read_error} {_errno(file.close)}"


def _errno(call: Callable[[], object]) -> int | None:
    try:
        call()
    except OSError as error:
        return error.errno
    return None


CASES = [
    *(missing_things, renaming, identity, descriptors, open_files, attributes, trees),
    files_of_descriptors,
]
