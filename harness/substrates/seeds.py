"""One seed, many independent streams: a stream is named by a path, and no stream disturbs another.

The names are hashed with SHA-256, so neither Python's hash seed nor the order of asking matters.
"""

from __future__ import annotations

import hashlib
import random


def substream(seed: int, *path: str | int) -> random.Random:
    """The random stream that `path` names under `seed`; the same one for ever."""
    return random.Random(stream_seed(seed, *path))


def stream_seed(seed: int, *path: str | int) -> int:
    """What the random stream that `path` names is seeded with."""
    name = "/".join(map(str, (seed, *path)))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
