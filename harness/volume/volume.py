"""What a mounted volume holds: files in a page cache, what of them is durable, and the faults at work.

The semantics are those of the simulated disk: a power failure leaves of each file what was synced and a
random first part of what was written since, and of the names likewise. There is no clock and no system call
in here; `mount.py` has them.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterable
from typing import Literal

from ostrakon.harness.sim.disk.disk_fault import Decay, DiskFault, FaultyDisk, decay
from ostrakon.harness.sim.disk.inode import Inode, Resize, Write
from ostrakon.harness.sim.disk.names import Names

Operation = Literal["read", "write", "sync"]


class Volume:
    """One file system. Paths have no leading slash; that of the root is empty. All methods raise OSError."""

    def __init__(self, rng: random.Random) -> None:
        self.capacity: int | None = None
        """Bytes that fit; writing more fails with ENOSPC. None for no limit."""
        self.failing: dict[str, int] = {}
        """Operations that fail, with the errno that they fail with."""
        self.refusals = 0
        """The number of operations that were made to fail."""
        self.syncs = 0
        """The number of syncs that succeeded."""
        self.losses = 0
        """The number of power failures that lost something."""
        self.faulty = FaultyDisk("volume", rng)
        self._rng = rng
        self._names = Names(directories=("",), devices={})
        self._open: dict[int, Inode] = {}
        self._next_handle = 1

    # Names.

    def inode(self, path: str) -> Inode:
        """The file or directory of this name. Raises: FileNotFoundError."""
        if (inode := self._names.inodes.get(path)) is None:
            raise _error(errno.ENOENT, path)
        return inode

    def entries(self, path: str) -> list[str]:
        """The names in a directory, sorted. Raises: FileNotFoundError, NotADirectoryError."""
        self._directory(path)
        return self._names.children(path)

    def make(self, path: str, mode: int, now_ns: int) -> Inode:
        """Make a file or a directory, as the mode says. Raises: FileExistsError, FileNotFoundError."""
        if path in self._names.inodes:
            raise _error(errno.EEXIST, path)
        self._directory(path.rpartition("/")[0])
        self._check("write", 1)
        inode = self._names.new(mode)
        inode.modified_ns = inode.changed_ns = now_ns
        self._names.link(path, inode)
        return inode

    def link(self, old: str, new: str) -> None:
        """Give a file one more name. Raises: FileExistsError, FileNotFoundError."""
        if new in self._names.inodes:
            raise _error(errno.EEXIST, new)
        self._directory(new.rpartition("/")[0])
        self._names.link(new, self.inode(old))

    def remove(self, path: str) -> None:
        """Take a file's name away. Raises: FileNotFoundError, IsADirectoryError."""
        if self.inode(path).is_directory:
            raise _error(errno.EISDIR, path)
        self._check("write")
        self._names.unlink(path)

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory. Raises: FileNotFoundError, OSError with ENOTEMPTY."""
        self._directory(path)
        if self._names.children(path):
            raise _error(errno.ENOTEMPTY, path)
        self._names.unlink(path)

    def rename(self, old: str, new: str) -> None:
        """Move a file or a directory, in one step, onto what has the new name. Raises: FileNotFoundError."""
        moved = self.inode(old)
        self._directory(new.rpartition("/")[0])
        self._check("write")
        target = self._names.inodes.get(new)
        if target is moved:
            return
        if target is not None and target.is_directory:
            if not moved.is_directory:
                raise _error(errno.EISDIR, new)
            if self._names.children(new):
                raise _error(errno.ENOTEMPTY, new)
        if target is not None and moved.is_directory and not target.is_directory:
            raise _error(errno.ENOTDIR, new)
        self._names.rename(old, new)

    # Files.

    def open(self, path: str) -> int:
        """A handle of a file, which stays good if the file loses its name. Raises: FileNotFoundError."""
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        self._open[handle] = self.inode(path)
        return handle

    def close(self, handle: int) -> None:
        """Forget a handle."""
        self._open.pop(handle, None)

    def of(self, handle: int) -> Inode:
        """The file of a handle. Raises: OSError with EBADF, also if the power has failed since."""
        if (inode := self._open.get(handle)) is None:
            raise _error(errno.EBADF, str(handle))
        return inode

    def read(self, inode: Inode, offset: int, count: int) -> bytes:
        """Up to so many bytes of a file."""
        self._check("read")
        is_stale = bool(inode.unsynced) and self.faulty.strikes("stale read")
        return bytes((inode.durable if is_stale else inode.cached)[offset : offset + count])

    def write(self, inode: Inode, offset: int, data: bytes, now_ns: int) -> None:
        """Write into the page cache."""
        self._check("write", max(0, offset + len(data) - len(inode.cached)))
        write = self.faulty.spoil(Write(offset, data), len(inode.cached))
        inode.change(write, reaches_device=not self.faulty.strikes("lost write"))
        inode.modified_ns = inode.changed_ns = now_ns

    def resize(self, inode: Inode, size: int, now_ns: int) -> None:
        """Cut a file, or extend it with zeros."""
        self._check("write", max(0, size - len(inode.cached)))
        inode.change(Resize(size))
        inode.modified_ns = inode.changed_ns = now_ns

    def sync(self, inode: Inode) -> None:
        """Make a file durable, and with it all names, as ext4 does. Raises: OSError, if syncs fail.

        What a sync that failed was to write is forgotten, but for a random part: so does Linux.
        """
        try:
            self._check("sync")
        except OSError:
            inode.fail_to_sync(self._rng)
            raise
        if not self.faulty.strikes("lying sync"):
            inode.sync()
            self._names.commit()
        self.syncs += 1

    def commit(self) -> None:
        """Make all files and names durable, whatever faults are at work."""
        for inode in self._files():
            inode.sync()
        self._names.commit()

    @property
    def used(self) -> int:
        """The number of bytes in all files."""
        return sum(len(inode.cached) for inode in self._files())

    # Faults.

    def lose_power(self) -> int:
        """Lose what was not synced, or some of it, and all handles. Returns how many files lost something."""
        before = self._files()
        self._open.clear()
        self._names.power_off(self._rng)
        left = self._files()
        lost = len(set(before) - set(left))
        for inode in left:
            # Databases allocate logs of many megabytes ahead. To copy those that are durable takes long.
            if inode.unsynced or inode.cached != inode.durable:
                cached = inode.cached
                inode.lose_power(self._rng)
                lost += inode.cached != cached
        self.losses += bool(lost)
        return lost

    def decay(self, kind: Decay) -> int:
        """Damage one file where it lies. Returns how many are damaged."""
        return decay(kind, self._files(), self._rng)

    def disturb(self, fault: DiskFault) -> None:
        """Let a fault that damages data begin."""
        self.faulty.faults.append(fault)

    def settle(self, fault: DiskFault) -> None:
        """Let such a fault end."""
        self.faulty.faults.remove(fault)

    def _files(self) -> list[Inode]:
        """Each regular file once, in the order of names."""
        named: Iterable[Inode] = (
            inode for _, inode in sorted(self._names.files.items(), key=lambda entry: entry[0])
        )
        return list(dict.fromkeys(named))

    def _directory(self, path: str) -> Inode:
        if not (inode := self.inode(path)).is_directory:
            raise _error(errno.ENOTDIR, path)
        return inode

    def _check(self, operation: Operation, growth: int = 0) -> None:
        number = self.failing.get(operation)
        if number is None and self.capacity is not None and growth and self.used + growth > self.capacity:
            number = errno.ENOSPC
        if number is not None:
            self.refusals += 1
            raise _error(number, operation)


def _error(number: int, what: str) -> OSError:
    return OSError(number, os.strerror(number), what)
