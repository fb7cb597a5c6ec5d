"""Frames: how a stream of bytes is cut into messages. Each follows its length, 4 bytes, big-endian."""

from __future__ import annotations

FRAME_MAX = 1 << 20
"""The longest body in bytes; a length beyond it is a mistake or an attack, not a message."""

_WIDTH = 4


class BadFrame(Exception):
    """What arrived is no message of this protocol. Its connection can't be understood any further."""


def frame(body: bytes) -> bytes:
    """A body as it is sent.

    Raises: BadFrame, when it is too long for the receiver.
    """
    if len(body) > FRAME_MAX:
        raise BadFrame(f"a message of {len(body)} bytes is longer than {FRAME_MAX}")
    return len(body).to_bytes(_WIDTH, "big") + body


class FrameReader:
    """Collects bytes as they arrive and gives back the bodies that are complete."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer: bytes | bytearray = b""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """The bodies completed by `data`.

        Raises: BadFrame, when a length is beyond `FRAME_MAX`.
        """
        buffer = self._buffer + data if self._buffer else data
        bodies: list[bytes] = []
        at = 0
        while len(buffer) - at >= _WIDTH:
            length = int.from_bytes(buffer[at : at + _WIDTH], "big")
            if length > FRAME_MAX:
                raise BadFrame(f"a frame says it is {length} bytes long; at most {FRAME_MAX} are allowed")
            end = at + _WIDTH + length
            if end > len(buffer):
                break
            bodies.append(bytes(buffer[at + _WIDTH : end]))
            at = end
        self._buffer = buffer[at:]
        return bodies

    @property
    def is_empty(self) -> bool:
        """Whether the stream could end here without anything being cut short."""
        return not self._buffer
