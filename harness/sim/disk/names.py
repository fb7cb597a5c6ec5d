"""The names of files: those that programs see, those that survive a power failure, and the journal between.

Creating, renaming and removing goes to a journal in order, a whole directory's renaming as one entry. Syncing
any file or directory commits the journal, as ext4 does; a power failure keeps a random first part of what was
not committed.
"""

from __future__ import annotations

import itertools
import random
import stat
from collections.abc import Mapping, Sequence

from ostrakon.harness.sim.disk.inode import Inode

Entry = tuple[tuple[str, Inode | None], ...]
"""One atomic change: names, each with the file that it denotes afterwards, or None."""
_ROOT_NUMBER = 2
_DIRECTORIES = (
    *("", "dev", "etc", "home", "opt", "root", "run", "srv"),
    *("tmp", "var", "var/lib", "var/log", "var/tmp"),
)
"""Directories of every new machine; the first is the root."""
_DEVICES = {"null": "null", "zero": "zero", "full": "full", "urandom": "urandom", "random": "urandom"}


class Names:
    """All names of one disk, as paths from the root without a leading slash; the root's own is empty."""

    def __init__(
        self, directories: Sequence[str] = _DIRECTORIES, devices: Mapping[str, str] = _DEVICES
    ) -> None:
        """A disk with these directories, the root being the empty name, and these devices below `dev`."""
        self._numbers = itertools.count(_ROOT_NUMBER)
        self.inodes: dict[str, Inode] = {}
        """What programs see: files and directories."""
        for name in directories:
            self.inodes[name] = self.new(stat.S_IFDIR | 0o755)
        for name, device in devices.items():
            self.inodes[f"dev/{name}"] = inode = self.new(stat.S_IFCHR | 0o666)
            inode.device, inode.links = device, 1
        self._durable = dict(self.inodes)
        self._journal: list[Entry] = []
        self.entries = 0
        """How many entries the journal has had."""

    def new(self, mode: int = stat.S_IFREG | 0o644) -> Inode:
        """A file that has no name yet."""
        return Inode(number=next(self._numbers), mode=mode)

    @property
    def files(self) -> dict[str, Inode]:
        """The regular files by their names."""
        return {name: inode for name, inode in self.inodes.items() if inode.is_file}

    def is_durable(self, path: str) -> bool:
        """Whether a file would have this name after a power failure now, and be the file that it is."""
        return path in self.inodes and self._durable.get(path) is self.inodes[path]

    def link(self, path: str, inode: Inode) -> None:
        """Give a file a name, taking it from another one if need be, and make the directories above it."""
        missing = [above for above in _above(path) if above not in self.inodes]
        made = [(above, self.new(stat.S_IFDIR | 0o755)) for above in missing]
        self._add((*made, (path, inode)))

    def unlink(self, path: str) -> Inode:
        """Take a name away. Raises: KeyError."""
        inode = self.inodes[path]
        self._add(((path, None),))
        return inode

    def rename(self, old: str, new: str) -> None:
        """Move a file, or a directory with all that is in it, in one step. Raises: KeyError."""
        moved = [path for path in self.inodes if path == old or path.startswith(f"{old}/")]
        targets = [(new + path[len(old) :], self.inodes[path]) for path in moved]
        self._add((*((path, None) for path in moved), *targets))

    def commit(self, upto: int | None = None) -> None:
        """Make the names durable that were entered up to entry number `upto`; None for all."""
        newer = 0 if upto is None else self.entries - upto
        count = max(0, len(self._journal) - newer)
        for entry in self._journal[:count]:
            _replay(entry, self._durable)
        del self._journal[:count]

    def children(self, path: str) -> list[str]:
        """The names of what is in a directory, sorted."""
        prefix = f"{path}/" if path else ""
        inside = (name[len(prefix) :] for name in self.inodes if name.startswith(prefix))
        return sorted(name for name in inside if name and "/" not in name)

    def path_of(self, inode: Inode) -> str | None:
        """A name of a file; None if it has none any more."""
        return next((path for path, other in self.inodes.items() if other is inode), None)

    def power_off(self, rng: random.Random) -> None:
        """Lose the entries that are not committed, or some of them."""
        kept = self._journal[: rng.randrange(len(self._journal) + 1)] if self._journal else ()
        for entry in kept:
            _replay(entry, self._durable)
        self._journal.clear()
        self.inodes = dict(self._durable)
        for inode in self.inodes.values():
            inode.links = 0
        for inode in self.inodes.values():
            inode.links += 1

    def _add(self, entry: Entry) -> None:
        for path, inode in entry:
            before = self.inodes.get(path)
            if before is not None:
                before.links -= 1
            if inode is not None:
                inode.links += 1
        _replay(entry, self.inodes)
        self._journal.append(entry)
        self.entries += 1


def _replay(entry: Entry, names: dict[str, Inode]) -> None:
    for path, inode in entry:
        if inode is None:
            names.pop(path, None)
        else:
            names[path] = inode


def _above(path: str) -> list[str]:
    """The directories that a path leads through, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
