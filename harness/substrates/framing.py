"""Where a message ends in a stream of bytes, so that faults can act on whole messages of a TCP connection.

A splitter takes chunks as they are written and gives back whole frames, bytes unchanged; what is left of an
unfinished frame it keeps. Bytes that are not well framed pass through: a fault injector has no opinion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Splitter(Protocol):
    """Cuts one direction of one connection into frames."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that are complete now."""

    def rest(self) -> bytes:
        """What was fed and has not been given back."""

    def corrupt(self, frame: bytes, bit: int) -> bytes:
        """The frame with one bit of its content turned, and still a frame."""


class Framing(Protocol):
    """A way of telling messages apart."""

    def splitter(self) -> Splitter:
        """A splitter for a new connection."""


@dataclass(frozen=True, slots=True)
class LengthPrefixed:
    """Each message follows its length, a big-endian number of `width` bytes."""

    width: int = 4

    def splitter(self) -> Splitter:
        """Starts at the start of a frame."""
        return _LengthSplitter(self.width)


@dataclass(frozen=True, slots=True)
class Lines:
    """Each message ends with `end`."""

    end: bytes = b"\n"

    def splitter(self) -> Splitter:
        """Starts at the start of a line."""
        return _LineSplitter(self.end)


def content(framing: Framing | None, frame: bytes) -> bytes:
    """A frame without what frames it; all of it where the framing is none of these.

    >>> content(LengthPrefixed(2), b"\x00\x02ok")
    b'ok'
    """
    match framing:
        case LengthPrefixed(width):
            return frame[width:]
        case Lines(end):
            return frame.removesuffix(end)
        case _:
            return frame


class _LengthSplitter:
    __slots__ = ("_buffer", "_width")

    def __init__(self, width: int) -> None:
        self._width = width
        self._buffer = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        buffer = self._buffer + chunk if self._buffer else chunk
        frames: list[bytes] = []
        start, width = 0, self._width
        while len(buffer) - start >= width:
            end = start + width + int.from_bytes(buffer[start : start + width], "big")
            if end > len(buffer):
                break
            frames.append(buffer[start:end])
            start = end
        self._buffer = buffer[start:]
        return frames

    def rest(self) -> bytes:
        rest, self._buffer = self._buffer, b""
        return rest

    def corrupt(self, frame: bytes, bit: int) -> bytes:
        return frame[: self._width] + flip(frame[self._width :], bit)


class _LineSplitter:
    __slots__ = ("_buffer", "_end")

    def __init__(self, end: bytes) -> None:
        self._end = end
        self._buffer = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        *lines, self._buffer = (self._buffer + chunk).split(self._end)
        return [line + self._end for line in lines]

    def rest(self) -> bytes:
        rest, self._buffer = self._buffer, b""
        return rest

    def corrupt(self, frame: bytes, bit: int) -> bytes:
        line = flip(frame[: -len(self._end)], bit)
        return frame if self._end in line else line + self._end


def flip(payload: bytes, bit: int) -> bytes:
    """The payload with one bit turned; `bit` is counted modulo their number."""
    if not payload:
        return payload
    at = bit % (8 * len(payload))
    return payload[: at // 8] + bytes([payload[at // 8] ^ 1 << at % 8]) + payload[at // 8 + 1 :]
