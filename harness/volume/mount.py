"""A volume as a process: `python -m ostrakon.harness.volume.mount POINT SEED [USER GROUP]` mounts one.

The process takes orders as lines of JSON on its standard input and answers each with one line. When the input
ends, it unmounts and ends: so nothing stays mounted when the harness is gone, however it ended. If this
process itself is killed, fusermount3 unmounts for it (`auto_unmount`).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import mfusepy
import msgspec

from ostrakon.harness.sim.disk.disk_fault import DiskFault
from ostrakon.harness.sim.disk.inode import Inode
from ostrakon.harness.volume.volume import Volume

_BLOCK = 4096


class FileSystem(mfusepy.Operations):  # type: ignore[misc]
    """The callbacks of FUSE: each takes the lock, asks the volume and returns."""

    use_ns = True

    def __init__(self, volume: Volume, owner: tuple[int, int], on_mounted: Callable[[], object]) -> None:
        """`owner` is the user and the group that all files belong to."""
        self.sync_ms = 0.0
        """How long a sync takes, in milliseconds."""
        self.waits = 0
        """The number of syncs that took so long."""
        self._volume, self._owner, self._on_mounted = volume, owner, on_mounted
        self._lock = threading.Lock()

    def do(self, order: dict[str, Any]) -> Any:
        """Carry out an order from the harness, and return the answer."""
        with self._lock:
            match order:
                case {"do": "commit"}:
                    self._volume.commit()
                case {"do": "lose_power"}:
                    return self._volume.lose_power()
                case {"do": "fail", "failing": failing}:
                    self._volume.failing = dict(failing)
                case {"do": "limit", "capacity": capacity}:
                    self._volume.capacity = capacity
                case {"do": "slow", "ms": ms}:
                    self.sync_ms = float(ms)
                case {"do": "disturb", "kind": kind, "probability": probability}:
                    self._volume.disturb(DiskFault(kind, probability))
                case {"do": "settle", "kind": kind, "probability": probability}:
                    self._volume.settle(DiskFault(kind, probability))
                case {"do": "decay", "kind": kind}:
                    return self._volume.decay(kind)
                case {"do": "count"}:
                    counts = {
                        "refusals": self._volume.refusals,
                        "waits": self.waits,
                        "used": self._volume.used,
                    }
                    return {**counts, "struck": self._volume.faulty.struck}
                case _:
                    raise ValueError(f"no such order: {order!r}")
        return None

    # What FUSE calls. Paths begin with a slash, and errors are raised as OSError.

    def init(self, path: str) -> None:
        """Tell that the volume is mounted."""
        self._on_mounted()

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        """What `stat` shows."""
        with self._lock:
            inode = self._of(path, fh)
            size, changed = len(inode.cached), inode.changed_ns or 0
            return {
                "st_ino": inode.number,
                "st_mode": inode.mode,
                "st_nlink": max(1, inode.links) + inode.is_directory,
                "st_size": size,
                "st_blocks": -(-size // 512),
                "st_uid": self._owner[0],
                "st_gid": self._owner[1],
                "st_atime": inode.accessed_ns or inode.modified_ns or 0,
                "st_mtime": inode.modified_ns or 0,
                "st_ctime": changed,
            }

    def readdir(self, path: str, fh: int) -> list[str]:
        """The names in a directory."""
        with self._lock:
            return [".", "..", *self._volume.entries(path[1:])]

    def create(self, path: str, mode: int, fi: int | None = None) -> int:
        """Make and open a file; returns its handle."""
        with self._lock:
            self._volume.make(path[1:], mode, time.time_ns())
            return self._volume.open(path[1:])

    def mkdir(self, path: str, mode: int) -> int:
        """Make a directory."""
        with self._lock:
            self._volume.make(path[1:], 0o40000 | mode, time.time_ns())
        return 0

    def open(self, path: str, flags: int) -> int:
        """Open a file; returns its handle."""
        with self._lock:
            return self._volume.open(path[1:])

    def release(self, path: str, fh: int) -> int:
        """Close a handle."""
        with self._lock:
            self._volume.close(fh)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Read from a handle."""
        with self._lock:
            return self._volume.read(self._volume.of(fh), offset, size)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write to a handle; returns the number of bytes."""
        with self._lock:
            self._volume.write(self._volume.of(fh), offset, data, time.time_ns())
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """Cut or extend a file."""
        with self._lock:
            self._volume.resize(self._of(path, fh), length, time.time_ns())
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        """Sync a file."""
        return self._sync(path, fh)

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        """Sync a directory, and with it all names."""
        return self._sync(path, None)

    def _sync(self, path: str, fh: int | None) -> int:
        if self.sync_ms:
            self.waits += 1
            time.sleep(self.sync_ms / 1e3)  # Without the lock: a slow device does not hold up the cache.
        with self._lock:
            self._volume.sync(self._of(path, fh))
        return 0

    def rename(self, old: str, new: str) -> int:
        """Move a file or directory."""
        with self._lock:
            self._volume.rename(old[1:], new[1:])
        return 0

    def link(self, target: str, source: str) -> int:
        """Give a file one more name."""
        with self._lock:
            self._volume.link(source[1:], target[1:])
        return 0

    def unlink(self, path: str) -> int:
        """Take a file's name away."""
        with self._lock:
            self._volume.remove(path[1:])
        return 0

    def rmdir(self, path: str) -> int:
        """Remove an empty directory."""
        with self._lock:
            self._volume.remove_directory(path[1:])
        return 0

    def chmod(self, path: str, mode: int) -> int:
        """Set the permissions, which nobody enforces."""
        with self._lock:
            inode = self._volume.inode(path[1:])
            inode.mode = (inode.mode & ~0o7777) | (mode & 0o7777)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        """Nothing: all files belong to the volume's owner."""
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        """Set the times of access and change."""
        with self._lock:
            inode = self._volume.inode(path[1:])
            inode.accessed_ns, inode.modified_ns = times or (time.time_ns(), time.time_ns())
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        """How full it is."""
        with self._lock:
            used, limit = self._volume.used, self._volume.capacity
        free = 1 << 20 if limit is None else max(0, limit - used) // _BLOCK
        blocks = free + -(-used // _BLOCK)
        return {"f_bsize": _BLOCK, "f_frsize": _BLOCK, "f_blocks": blocks, "f_bfree": free, "f_bavail": free}

    def _of(self, path: str, fh: int | None) -> Inode:
        return self._volume.of(fh) if fh else self._volume.inode(path[1:])


def main(point: str, seed: str, *owner: str) -> None:
    """Mount a volume at a folder, and serve until the standard input ends or it is unmounted.

    `owner` is a user and a group, by number; nobody for those of this process.
    """
    user, group = map(int, owner) if owner else (os.getuid(), os.getgid())
    system = FileSystem(Volume(random.Random(seed)), (user, group), lambda: _say({"mounted": True}))
    threading.Thread(target=_take_orders, args=(system, point), daemon=True).start()
    # No attribute or name is cached by the kernel, because a power failure changes them behind its back.
    mfusepy.FUSE(
        system,
        point,
        foreground=True,
        auto_unmount=True,
        allow_other=user != os.getuid(),
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
        max_threads=8,
        fsname="ostrakon",
        subtype="volume",
    )


def _take_orders(system: FileSystem, point: str) -> None:
    for line in sys.stdin.buffer:
        try:
            _say({"answer": system.do(msgspec.json.decode(line))})
        except Exception as error:
            _say({"error": f"{type(error).__name__}: {error}"})
    subprocess.run(["fusermount3", "-u", "-z", "-q", point], check=False)


def _say(what: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
