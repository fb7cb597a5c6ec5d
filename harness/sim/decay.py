"""What happens to files that nobody touches: a bit turns, an end is lost. The cache shows it at once."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Literal

from ostrakon.harness.sim.framing import flip
from ostrakon.harness.sim.inode import Inode

Decay = Literal["bit rot", "cut short"]
_LOST_MAX = 64
"""As many bytes are lost from the end of a file, at most."""


def decay(kind: Decay, files: Iterable[Inode], rng: random.Random) -> int:
    """Damage one of these files, if any holds something. Returns how many are damaged."""
    held = [inode for inode in files if inode.cached]
    if not held:
        return 0
    inode = rng.choice(held)
    if kind == "bit rot":
        _turn(inode, rng.randrange(8 * len(inode.cached)))
    else:
        _cut(inode, max(0, len(inode.cached) - rng.randint(1, _LOST_MAX)))
    return 1


def _turn(inode: Inode, bit: int) -> None:
    for content in (inode.cached, inode.durable):
        if bit < 8 * len(content):
            content[:] = flip(bytes(content), bit)


def _cut(inode: Inode, size: int) -> None:
    for content in (inode.cached, inode.durable):
        del content[size:]
