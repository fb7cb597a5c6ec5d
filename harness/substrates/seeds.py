"""One seed, many independent streams: a stream is named by a path, and no stream disturbs another.

The names are hashed with SHA-256, so neither Python's hash seed nor the order of asking matters.
"""

from __future__ import annotations

import _random
import hashlib
import random


class _Stream(random.Random):
    """A `random.Random` that is seeded in C, without asking what kind of seed it is given."""

    def __init__(self, seed: int) -> None:
        _random.Random.seed(self, seed)
        self.gauss_next = None


def substream(seed: int, *path: str | int) -> random.Random:
    """The random stream that `path` names under `seed`; the same one for ever."""
    return _Stream(stream_seed(seed, *path))


def stream_seed(seed: int, *path: str | int) -> int:
    """What the random stream that `path` names is seeded with."""
    name = "/".join(map(str, (seed, *path)))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
