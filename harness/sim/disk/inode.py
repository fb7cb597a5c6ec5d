"""One file: what programs see of it, what a power failure leaves, and the way from this to that."""

from __future__ import annotations

import random
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
    """The content of a file, in the page cache and on the device."""

    cached: bytearray = field(default_factory=bytearray)
    """What programs see."""
    durable: bytearray = field(default_factory=bytearray)
    """What is on the device for certain."""
    unsynced: list[Change] = field(default_factory=list)
    """What leads from there to what programs see."""
    modified_s: float | None = None
    """When a program wrote last, in Unix seconds; None if it was before the simulation."""

    @classmethod
    def holding(cls, content: bytes, modified_s: float | None = None) -> Inode:
        """A file with this content, durably."""
        return cls(bytearray(content), bytearray(content), modified_s=modified_s)

    def change(self, change: Change, *, reaches_device: bool = True) -> None:
        """Change what programs see; a lost write is seen until the cache is gone, and never is durable."""
        apply(self.cached, change)
        if reaches_device:
            self.unsynced.append(change)

    def sync(self) -> None:
        """Make what was written durable."""
        for change in self.unsynced:
            apply(self.durable, change)
        self.unsynced.clear()

    def fail_to_sync(self) -> None:
        """Drop what was to be written, as Linux does: the next sync succeeds without these bytes."""
        self.unsynced.clear()


def apply(content: bytearray, change: Change) -> None:
    """Make one change to the content of a file."""
    match change:
        case Resize(size):
            del content[size:]
            content.extend(bytes(size - len(content)))
        case Write(offset, data):
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data


def survivors(inode: Inode, rng: random.Random) -> bytes:
    """What a power failure leaves: what was durable and some first changes since, the last perhaps torn."""
    content = bytearray(inode.durable)
    kept = rng.randrange(len(inode.unsynced) + 1)
    for change in inode.unsynced[:kept]:
        apply(content, change)
    if kept < len(inode.unsynced) and rng.random() < 0.5:
        match inode.unsynced[kept]:
            case Write(offset, data):
                apply(content, Write(offset, data[: rng.randrange(len(data) + 1)]))
            case Resize():
                pass
    return bytes(content)
