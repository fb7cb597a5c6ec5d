"""Records: how a log is written to a file, and how damage is distinguished from a write that was cut short.

    length, 4 bytes | CRC-32 of the payload, 4 bytes | CRC-32 of these 8 bytes, 4 bytes | payload

A process that dies while it writes leaves a short record, or zeroes if the file had grown before. That is a
torn tail: no other server was told of it, and it is cut off. Every other mismatch is damage. Damage is never
cut off, even in the last record, because the record may be a promise that other servers rely on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from zlib import crc32

_HEAD = struct.Struct(">II")
_CHECK = struct.Struct(">I")
_HEADER = struct.Struct(">III")
_HEADER_SIZE = _HEADER.size


class DamagedLog(Exception):
    """A log holds data that was not written to it.

    Attributes: `path`, `offset` of the damaged record in bytes, and `why`.
    """

    def __init__(self, path: str, offset: int, why: str) -> None:
        super().__init__(f"{path}, at byte {offset}: {why}")
        self.path, self.offset, self.why = path, offset, why


def record(payload: bytes) -> bytes:
    """A payload as a record."""
    head = _HEAD.pack(len(payload), crc32(payload))
    return head + _CHECK.pack(crc32(head)) + payload


def records(payloads: Iterable[bytes]) -> bytes:
    """Several payloads as records, one after the other."""
    return b"".join(map(record, payloads))


def read_records(data: bytes, path: str) -> tuple[list[bytes], int]:
    """The payloads in a file's contents, and the offset where the last whole record ends.

    Raises: DamagedLog, naming `path` and the offset.
    """
    payloads: list[bytes] = []
    at, size = 0, len(data)
    while at + _HEADER_SIZE <= size:
        length, checksum, check = _HEADER.unpack_from(data, at)
        begin = at + _HEADER_SIZE
        if check != crc32(data[at : at + _HEAD.size]):
            if not any(data[at:]):
                break
            raise DamagedLog(path, at, "the header of this record does not match its checksum")
        payload = data[begin : begin + length]
        if len(payload) < length:
            break
        if checksum != crc32(payload):
            raise DamagedLog(path, at, "the contents of this record do not match its checksum")
        payloads.append(payload)
        at = begin + length
    return payloads, at
