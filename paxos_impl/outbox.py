"""An outbox: frames that wait to be written to a connection."""

from __future__ import annotations

from collections import deque

import trio


class Outbox:
    """A queue of frames between who sends, and never waits, and the task that writes.

    When it has reached its limit the oldest frame makes room: between servers, what it said is the likeliest
    to be out of date, and Paxos sends again whatever matters.
    """

    __slots__ = ("_filled", "_frames", "_limit", "dropped")

    def __init__(self, limit: int | None) -> None:
        self._limit, self._frames = limit, deque[bytes](maxlen=limit)
        self._filled: trio.Event | None = None
        self.dropped = 0
        """How many frames have made room for others."""

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: bytes) -> None:
        """Add a frame."""
        frames = self._frames
        if self._limit is not None and len(frames) == self._limit:
            self.dropped += 1
        frames.append(frame)
        if (filled := self._filled) is not None:
            self._filled = None
            filled.set()

    async def wait_filled(self) -> None:
        """Return when there is something to write. One task may wait."""
        if not self._frames:
            self._filled = filled = trio.Event()
            await filled.wait()

    def take(self) -> bytes:
        """All frames there are, to be written at once; nothing if there are none."""
        frames = b"".join(self._frames)
        self._frames.clear()
        return frames
