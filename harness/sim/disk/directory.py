"""The names of files: those that programs see, those that survive a power failure, and the journal between.

Creating, renaming and removing goes to a journal in order, a whole directory's renaming as one entry. Syncing
any file or directory commits the journal, as ext4 does; a power failure keeps a random first part of what was
not committed.
"""

from __future__ import annotations

import random

from ostrakon.harness.sim.disk.inode import Inode

Entry = tuple[tuple[str, Inode | None], ...]
"""What changes in one step: names, and what each stands for from then on, if anything."""


class Directory:
    """All names of one disk; directories are the parts of paths before a `/` and need not be made."""

    def __init__(self) -> None:
        self.names: dict[str, Inode] = {}
        """What programs see."""
        self.made: dict[str, None] = {"tmp": None}
        """Directories that were made explicitly; they are durable at once."""
        self._durable: dict[str, Inode] = {}
        self._journal: list[Entry] = []

    def link(self, path: str, inode: Inode) -> None:
        """Give a file a name, taking it from another one if need be."""
        self.names[path] = inode
        self._journal.append(((path, inode),))

    def unlink(self, path: str) -> Inode:
        """Take a name away. Raises: KeyError."""
        inode = self.names.pop(path)
        self._journal.append(((path, None),))
        return inode

    def rename(self, old: str, new: str) -> None:
        """Move a file, in one step. Raises: KeyError."""
        inode = self.names.pop(old)
        self.names[new] = inode
        self._journal.append(((old, None), (new, inode)))

    def rename_directory(self, old: str, new: str) -> None:
        """Move a directory with all that is in it, in one step."""
        moved = [path for path in self.names if path.startswith(f"{old}/")]
        inodes = [(new + path.removeprefix(old), self.names.pop(path)) for path in moved]
        self.names.update(inodes)
        self._journal.append((*((path, None) for path in moved), *inodes))
        for path in [path for path in self.made if f"{path}/".startswith(f"{old}/")]:
            del self.made[path]
            self.made[new + path.removeprefix(old)] = None
        self.made[new] = None

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
        for entry in self._journal[: rng.randrange(len(self._journal) + 1)] if self._journal else ():
            for path, inode in entry:
                if inode is None:
                    self._durable.pop(path, None)
                else:
                    self._durable[path] = inode
        self._journal.clear()
        self.names = dict(self._durable)

    def restart(self) -> None:
        """Take the names as they are for durable: nothing else is left."""
        self._durable = dict(self.names)
