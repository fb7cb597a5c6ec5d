"""Records: how a log is written to a file, and how damage is distinguished from a write that was cut short.

    length with its top bit set, 4 bytes | batch, 4 bytes | CRC-32 of the payload, 4 bytes | CRC-32 of these
    12, 4 bytes payload

The CRC of a payload goes on from that of the record before, so that a record that is missing, repeated or in
another place is noticed. Records that are written and synced together have the same number, their batch.

A power failure while a batch is written leaves a torn tail: a part of the batch is missing, or sectors of it
are zeroes, because a file system may let a file grow before the data are there, and may write sectors in any
order. A torn tail is cut off: the batch was never synced, so no other server was told of it. Every other
mismatch is damage, and so is a torn batch that a later batch follows, because batches are synced one after
the other. Damage is never cut off, even in the last record, because the record may be a promise that other
servers rely on.

Files of earlier versions have records without a batch (`length | CRC of the payload | CRC of these 8 bytes`),
which can be read and added to.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from zlib import crc32

import msgspec

_HEAD = struct.Struct(">III")
_CHECK = struct.Struct(">I")
_HEADER = struct.Struct(">IIII")
_OLD_HEAD = struct.Struct(">II")
_OLD_HEADER = struct.Struct(">III")
_IS_NEW = 1 << 31
_SECTOR = 512
"""The smallest part of a file that a disk writes at once, in bytes."""
_ZEROES_MIN = 16
"""Fewer zeroes at the edge of a sector may be data."""
_TAIL_MIN = 4
"""The same at the end of a file."""


class DamagedLog(Exception):
    """A log holds data that was not written to it.

    Attributes: `path`, `offset` of the damaged record in bytes, and `why`.
    """

    def __init__(self, path: str, offset: int, why: str) -> None:
        super().__init__(f"{path}, at byte {offset}: {why}")
        self.path, self.offset, self.why = path, offset, why


class Chain(msgspec.Struct, frozen=True, gc=False):
    """Where a log ends: what the next record goes on from."""

    batch: int = 0
    checksum: int = 0

    def records(self, payloads: Iterable[bytes]) -> tuple[bytes, Chain]:
        """Payloads as one batch of records, and where the log ends after them."""
        pieces, chain = self.pieces(payloads)
        return b"".join(pieces), chain

    def pieces(self, payloads: Iterable[bytes]) -> tuple[list[bytes], Chain]:
        """As `records`, but not put together: long payloads are not copied."""
        batch, checksum = (self.batch + 1) & 0xFFFFFFFF, self.checksum
        written: list[bytes] = []
        for payload in payloads:
            checksum = crc32(payload, checksum)
            head = _HEAD.pack(len(payload) | _IS_NEW, batch, checksum)
            written += [head, _CHECK.pack(crc32(head)), payload]
        return written, Chain(batch, checksum)


def records(payloads: Iterable[bytes]) -> bytes:
    """Payloads as the first batch of records of a file."""
    return Chain().records(payloads)[0]


def record(payload: bytes) -> bytes:
    """A payload as the first record of a file."""
    return records([payload])


def read_records(data: bytes, path: str) -> tuple[list[bytes], int]:
    """The payloads in a file's contents, and the offset where the last whole record ends.

    Raises: DamagedLog, naming `path` and the offset.
    """
    payloads, end, _ = read_chain(data, path)
    return payloads, end


def read_chain(data: bytes, path: str) -> tuple[list[bytes], int, Chain]:
    """The payloads, the offset where the last whole record ends, and what the next record goes on from.

    Raises: DamagedLog, naming `path` and the offset.
    """
    payloads: list[bytes] = []
    at, chain = 0, Chain()
    while at < len(data):
        found = _next(data, at, chain)
        if isinstance(found, str):
            if _is_torn(data, at, chain):
                break
            raise DamagedLog(path, at, found)
        payload, at, chain = found
        payloads.append(payload)
    return payloads, at, chain


def _next(data: bytes, at: int, chain: Chain) -> tuple[bytes, int, Chain] | str:
    """The record at an offset, where it ends, and the chain after it; or what is wrong with it."""
    header = _HEADER if data[at] & 0x80 else _OLD_HEADER
    begin = at + header.size
    if begin > len(data):
        return "this record is cut short"
    if header is _HEADER:
        length, batch, checksum, check = _HEADER.unpack_from(data, at)
        length &= ~_IS_NEW
    else:
        length, checksum, check = _OLD_HEADER.unpack_from(data, at)
        batch = chain.batch
    if check != crc32(data[at : begin - _CHECK.size]):
        return "the header of this record does not match its checksum"
    payload = data[begin : begin + length]
    if len(payload) < length:
        return "this record is cut short"
    if header is _OLD_HEADER:
        if checksum != crc32(payload):
            return "the contents of this record do not match its checksum"
        return payload, begin + length, chain
    if checksum != crc32(payload, chain.checksum):
        return "this record does not match its checksum, or does not belong here"
    return payload, begin + length, Chain(batch, checksum)


def _is_torn(data: bytes, at: int, chain: Chain) -> bool:
    """Whether what follows an offset is what a power failure leaves of the batch that was being written."""
    rest = memoryview(data)[at:]
    if not (_is_cut_short(data, at) or _has_missing_sector(data, at)):
        return False
    # A record of a later batch was written after a sync, and so the one at this offset was durable.
    return not any(batch > chain.batch + 1 for batch in _batches(bytes(rest)))


def _is_cut_short(data: bytes, at: int) -> bool:
    """Whether the file ends within the record at an offset, whose header is whole or cut short as well."""
    header = _HEADER if data[at] & 0x80 else _OLD_HEADER
    begin = at + header.size
    if begin > len(data):
        return True
    (check,) = _CHECK.unpack_from(data, begin - _CHECK.size)
    length = _OLD_HEAD.unpack_from(data, at)[0] & ~_IS_NEW
    return bool(check == crc32(data[at : begin - _CHECK.size]) and begin + length > len(data))


def _has_missing_sector(data: bytes, at: int) -> bool:
    """Whether a part of the record at an offset was never written, and so is zeroes.

    If its header is whole, it says where the record ends, and zeroes after that explain nothing.
    """
    size, end = len(data), _end(data, at)
    if size - at >= _TAIL_MIN and not any(data[min(end - 1, size - _TAIL_MIN) :]):
        return True
    for sector in range(at - at % _SECTOR, end, _SECTOR):
        piece = data[max(sector, at) : min(sector + _SECTOR, size)]
        is_last = sector + _SECTOR >= size
        if not any(piece) and (len(piece) >= _ZEROES_MIN or is_last):
            return True
    return False


def _end(data: bytes, at: int) -> int:
    """Where the record at an offset ends, if its header is whole; otherwise the end of the file."""
    header = _HEADER if data[at] & 0x80 else _OLD_HEADER
    begin = at + header.size
    if begin <= len(data):
        (check,) = _CHECK.unpack_from(data, begin - _CHECK.size)
        if check == crc32(data[at : begin - _CHECK.size]):
            length = int(_OLD_HEAD.unpack_from(data, at)[0]) & ~_IS_NEW
            return min(begin + length, len(data))
    return len(data)


def _batches(rest: bytes) -> Iterable[int]:
    """The batches of all records whose headers can be found in these bytes, wherever they begin."""
    for at in range(len(rest) - _HEADER.size + 1):
        if rest[at] & 0x80:
            _, batch, _, check = _HEADER.unpack_from(rest, at)
            if check == crc32(rest[at : at + _HEAD.size]):
                yield batch
