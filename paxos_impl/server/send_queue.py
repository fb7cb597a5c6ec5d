"""A queue of frames that wait to be written to a connection."""

from __future__ import annotations

from collections import deque

import trio


class SendQueue:
    """A queue between senders, which never wait, and the one task that writes.

    When the queue is full, the oldest frame is dropped. Between servers, the oldest message is the likeliest
    to be out of date, and Paxos sends every message that matters again.
    """

    __slots__ = ("_filled", "_frames", "_limit", "dropped")

    def __init__(self, limit: int | None) -> None:
        self._limit, self._frames = limit, deque[bytes](maxlen=limit)
        self._filled: trio.Event | None = None
        self.dropped = 0
        """Number of frames dropped so far."""

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
        """Return when there is at least one frame. Only one task may wait."""
        if not self._frames:
            self._filled = filled = trio.Event()
            await filled.wait()

    def take(self) -> bytes:
        """Remove all frames and return them as one string of bytes, which is empty if there are none."""
        frames = b"".join(self._frames)
        self._frames.clear()
        return frames
