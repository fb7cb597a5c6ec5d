"""Locks of whole files, as `flock` has them: held by an open file, until it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostrakon.harness.sim.disk.inode import Inode
    from ostrakon.harness.sim.disk.open_file import Description


class FileLocks:
    """Who holds which lock on one disk."""

    def __init__(self) -> None:
        self._held: dict[Description, tuple[Inode, bool]] = {}
        """What each open file holds the lock of, and whether for itself alone."""

    def acquire(self, what: Inode, file: Description, *, is_exclusive: bool) -> bool:
        """Take the lock of a file or directory, or another kind of it; False if others hold it."""
        # Whoever was killed holds nothing any more, though its files were never closed.
        self._held = {holder: held for holder, held in self._held.items() if holder.process.alive}
        others = [
            exclusive
            for holder, (held, exclusive) in self._held.items()
            if held is what and holder is not file
        ]
        if any(others) or (is_exclusive and others):
            return False
        self._held[file] = (what, is_exclusive)
        return True

    def release(self, file: Description) -> None:
        """Give back what an open file holds, if anything."""
        self._held.pop(file, None)
