"""One file: what programs see of it, what a power failure leaves, and the way from this to that.

Directories, UNIX sockets and devices are inodes, too; they have no content.
"""

from __future__ import annotations

import random
import stat
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that were written at an offset."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    """The file was cut, or extended with zeros."""

    size: int


Change = Write | Resize


@dataclass(slots=True, eq=False)
class Inode:
    """A file, by whatever names it is known, with its content in the page cache and on the device."""

    cached: bytearray = field(default_factory=bytearray)
    """The content that programs see."""
    durable: bytearray = field(default_factory=bytearray)
    """The content that is certainly on the device."""
    unsynced: list[Change] = field(default_factory=list)
    """The changes that lead from the durable content to the visible content."""
    changes: int = 0
    """The number of changes so far that are meant to reach the device."""
    number: int = 0
    """What `os.stat` shows as `st_ino`; it stays the same for the life of the file."""
    mode: int = stat.S_IFREG | 0o644
    """The kind of file, and the permissions, which nobody enforces."""
    links: int = 0
    """The number of its names."""
    device: str = ""
    """Which device it is: `null`, `zero`, `full` or `urandom`; empty for anything else."""
    modified_ns: int | None = None
    """When a program wrote last, in Unix nanoseconds; None if it was before the simulation."""
    accessed_ns: int | None = None
    changed_ns: int | None = None

    @classmethod
    def holding(cls, content: bytes) -> Inode:
        """A file with this content, durably."""
        return cls(bytearray(content), bytearray(content))

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)

    def change(self, change: Change, *, reaches_device: bool = True) -> None:
        """Change what programs see; a lost write is seen until the cache is gone, and never is durable."""
        apply(self.cached, change)
        if reaches_device:
            self.changes += 1
            self.unsynced.append(change)

    def sync(self, upto: int | None = None) -> None:
        """Make the changes durable that were made up to change number `upto`; None for all."""
        for change in self._take(upto):
            apply(self.durable, change)

    def fail_to_sync(self, rng: random.Random, upto: int | None = None) -> None:
        """A sync has failed: forget what was to be written, of which some part has reached the device.

        So does Linux: the pages count as clean, the next sync succeeds without them, and nobody knows which
        of them are on the device (Rebello et al.: Can applications recover from fsync failures?, 2020).
        """
        self.durable[:] = survivors(self.durable, self._take(upto), rng)

    def lose_power(self, rng: random.Random) -> None:
        """Keep what was durable, and of what was not an arbitrary first part."""
        left = survivors(self.durable, self.unsynced, rng)
        self.cached, self.durable = bytearray(left), bytearray(left)
        self.unsynced = []

    def _take(self, upto: int | None) -> list[Change]:
        newer = 0 if upto is None else self.changes - upto
        count = max(0, len(self.unsynced) - newer)
        taken, self.unsynced = self.unsynced[:count], self.unsynced[count:]
        return taken


def apply(content: bytearray, change: Change) -> None:
    """Make one change to the content of a file."""
    match change:
        case Resize(size):
            del content[size:]
            content.extend(bytes(size - len(content)))
        case Write(offset, data):
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data


def survivors(durable: bytearray, unsynced: list[Change], rng: random.Random) -> bytes:
    """What is left where not all is synced: the durable and some first changes, the last perhaps torn."""
    content = bytearray(durable)
    kept = rng.randrange(len(unsynced) + 1)
    for change in unsynced[:kept]:
        apply(content, change)
    if kept < len(unsynced) and rng.random() < 0.5:
        match unsynced[kept]:
            case Write(offset, data):
                apply(content, Write(offset, data[: rng.randrange(len(data) + 1)]))
            case Resize():
                pass
    return bytes(content)
