"""The names of files: those that programs see, those that survive a power failure, and the journal between.

Creating, renaming and removing goes to a journal in order. Syncing any file or directory commits the journal,
as ext4 does; a power failure keeps a random first part of what was not committed.
"""

from __future__ import annotations

import random

from harness.sim.inode import Inode


class Directory:
    """All names of one disk; directories are the parts of paths before a `/` and need not be made."""

    def __init__(self) -> None:
        self.names: dict[str, Inode] = {}
        """What programs see."""
        self.made: dict[str, None] = {"tmp": None}
        """Directories that were made explicitly; they are durable at once."""
        self._durable: dict[str, Inode] = {}
        self._journal: list[tuple[str, Inode | None]] = []

    def link(self, path: str, inode: Inode) -> None:
        """Give a file a name, taking it from another one if need be."""
        self.names[path] = inode
        self._journal.append((path, inode))

    def unlink(self, path: str) -> Inode:
        """Take a name away. Raises: KeyError."""
        inode = self.names.pop(path)
        self._journal.append((path, None))
        return inode

    def rename(self, old: str, new: str) -> None:
        """Move a file, in one step. Raises: KeyError."""
        inode = self.names.pop(old)
        self.names[new] = inode
        # One entry of the journal for both halves: a power failure cannot come between them.
        self._journal.append((f"{old}\0{new}", inode))

    def commit(self) -> None:
        """Make all names durable."""
        if self._journal:
            self._journal.clear()
            self._durable = dict(self.names)

    def contains(self, path: str) -> bool:
        """Whether `path` is a directory."""
        return not path or path in self.made or any(name.startswith(path + "/") for name in self.names)

    def children(self, path: str) -> list[str]:
        """The names of what is in a directory, sorted."""
        prefix = f"{path}/" if path else ""
        inside = [name[len(prefix) :] for name in (*self.names, *self.made) if name.startswith(prefix)]
        return sorted({name.split("/")[0] for name in inside if name})

    def power_off(self, rng: random.Random) -> None:
        """Forget what was not committed, or some of it."""
        for path, inode in self._journal[: rng.randrange(len(self._journal) + 1)] if self._journal else ():
            *old, new = path.split("\0")
            for gone in old:
                self._durable.pop(gone, None)
            if inode is None:
                self._durable.pop(new, None)
            else:
                self._durable[new] = inode
        self._journal.clear()
        self.names = dict(self._durable)

    def restart(self) -> None:
        """Take the names as they are for durable: nothing else is left."""
        self._durable = dict(self.names)
