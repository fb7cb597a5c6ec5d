"""Frames: how a stream of bytes is cut into messages. Each message follows its length, 4 bytes, big-
endian."""

from __future__ import annotations

import struct

FRAME_MAX = 1 << 20
"""Maximum length of a message in bytes; a longer frame is a mistake or an attack."""

_LENGTH = struct.Struct(">I")
_WIDTH = _LENGTH.size


class BadFrame(Exception):
    """The received bytes are no message of this protocol, so the rest of the connection can't be read."""


def frame(body: bytes) -> bytes:
    """A message with its length before it.

    Raises: BadFrame, when it is too long for the receiver.
    """
    if len(body) > FRAME_MAX:
        raise BadFrame(f"a message of {len(body)} bytes is longer than {FRAME_MAX}")
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Collects received bytes and returns the messages that are complete."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """The messages that `data` completes.

        Raises: BadFrame, when a length is beyond `FRAME_MAX`.
        """
        buffer = bytes(self._buffer + data if self._buffer else data)
        bodies: list[bytes] = []
        at, size = 0, len(buffer)
        while size - at >= _WIDTH:
            (length,) = _LENGTH.unpack_from(buffer, at)
            if length > FRAME_MAX:
                raise BadFrame(f"a frame says it is {length} bytes long; at most {FRAME_MAX} are allowed")
            end = at + _WIDTH + length
            if end > size:
                break
            bodies.append(buffer[at + _WIDTH : end])
            at = end
        self._buffer = buffer[at:]
        return bodies

    @property
    def is_empty(self) -> bool:
        """Whether no part of a message is left over."""
        return not self._buffer
