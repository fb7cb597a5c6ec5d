"""A queue of frames that wait to be written to a connection."""

from __future__ import annotations

from collections import deque

import trio


class SendQueue:
    """A queue between senders, which never wait, and the one task that writes.

    When the queue is full, the oldest frame is dropped. Between servers, the oldest message is the likeliest
    to be out of date, and Paxos sends every message that matters again.
    """

    __slots__ = ("_bytes_max", "_filled", "_frames", "_limit", "dropped", "size")

    def __init__(self, limit: int | None, bytes_max: int | None = None) -> None:
        """At most `limit` frames wait, and at most `bytes_max` bytes unless it is one frame."""
        self._limit, self._bytes_max, self._frames = limit, bytes_max, deque[bytes]()
        self._filled: trio.Event | None = None
        self.size = 0
        """Total length of the frames in bytes."""
        self.dropped = 0
        """Number of frames dropped so far."""

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: bytes) -> None:
        """Add a frame."""
        frames = self._frames
        frames.append(frame)
        self.size += len(frame)
        while len(frames) > 1 and (
            (self._limit is not None and len(frames) > self._limit)
            or (self._bytes_max is not None and self.size > self._bytes_max)
        ):
            self.size -= len(frames.popleft())
            self.dropped += 1
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
        self.size = 0
        return frames
