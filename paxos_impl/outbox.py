"""An outbox: frames that wait to be written to a connection."""

from __future__ import annotations

from collections import deque

import trio


class Outbox:
    """A bounded queue of frames between who sends, and never waits, and the task that writes.

    When it is full the oldest frame makes room: what it said is the likeliest to be out of date, and Paxos
    sends again whatever matters.
    """

    __slots__ = ("_filled", "_frames")

    def __init__(self, limit: int) -> None:
        self._frames: deque[bytes] = deque(maxlen=limit)
        self._filled: trio.Event | None = None

    def put(self, frame: bytes) -> None:
        """Add a frame."""
        self._frames.append(frame)
        if self._filled is not None:
            self._filled.set()

    async def wait_filled(self) -> None:
        """Return when there is something to write. One task may wait."""
        if not self._frames:
            self._filled = trio.Event()
            await self._filled.wait()
            self._filled = None

    def take(self) -> bytes:
        """All frames there are, to be written at once; nothing if there are none."""
        frames = b"".join(self._frames)
        self._frames.clear()
        return frames
