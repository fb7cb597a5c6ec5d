"""Frames: how a stream of bytes is cut into messages. Each message follows its length, 4 bytes, big-
endian."""

from __future__ import annotations

import struct

FRAME_MAX = 8 << 20
"""Maximum length of a request or an answer, in bytes; a longer frame is a mistake or an attack."""
PEER_FRAME_MAX = 512 << 20
"""Maximum length of a message between servers, in bytes: a promise may have to report as many votes as `core`
allows to be open, each with a command of the largest size."""

_LENGTH = struct.Struct(">I")
_WIDTH = _LENGTH.size


class BadFrame(Exception):
    """The received bytes are no message of this protocol, so the rest of the connection can't be read."""


def frame(body: bytes, limit: int = FRAME_MAX) -> bytes:
    """A message with its length before it.

    Raises: BadFrame, when it is longer than the receiver accepts.
    """
    if len(body) > limit:
        raise BadFrame(f"a message of {len(body)} bytes is longer than {limit}")
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Collects received bytes and returns the messages that are complete."""

    __slots__ = ("_buffer", "_missing", "limit")

    def __init__(self, limit: int = FRAME_MAX) -> None:
        self._buffer = bytearray()
        self._missing = 0
        self.limit = limit
        """Maximum length of a message in bytes."""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """The messages that `data` completes.

        Raises: BadFrame, when a length is beyond `limit`.
        """
        buffer = self._buffer
        buffer += data
        size = len(buffer)
        if size < self._missing:  # A long message arrives in many pieces; look at it once, at its end.
            return []
        bodies: list[bytes] = []
        at = self._missing = 0
        view = memoryview(buffer)
        try:
            while size - at >= _WIDTH:
                (length,) = _LENGTH.unpack_from(buffer, at)
                if length > self.limit:
                    raise BadFrame(
                        f"a frame says it is {length} bytes long; at most {self.limit} are allowed"
                    )
                end = at + _WIDTH + length
                if end > size:
                    self._missing = end - at
                    break
                bodies.append(bytes(view[at + _WIDTH : end]))
                at = end
        finally:
            view.release()
        if at:
            del buffer[:at]
        return bodies

    @property
    def is_empty(self) -> bool:
        """Whether no part of a message is left over."""
        return not self._buffer
