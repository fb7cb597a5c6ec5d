"""Columns of whole numbers as text that fits into a page: a hundredth of the size of the same as SVG.

Each number is written as 7 bits a byte, least first, with the sign in the lowest bit (the varints and zigzag
of Protocol Buffers). Columns follow each other, deflate packs them, and base64 makes them text. A browser
unpacks them by its `DecompressionStream`, without any library.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec


def packed(header: Any, columns: Sequence[Sequence[int]]) -> str:
    """A header, any plain data, and columns, as base64 of deflated bytes.

    The bytes are the header's length as a varint, the header as JSON, then the columns one after the other.
    The header must tell how long each column is.
    """
    text = msgspec.json.encode(header, enc_hook=repr)
    raw = varints([len(text)]) + text + b"".join(varints(column) for column in columns)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b64encode(deflate.compress(raw) + deflate.flush()).decode()


def varints(numbers: Iterable[int]) -> bytes:
    """Whole numbers of either sign, one after the other."""
    out = bytearray()
    append = out.append
    for number in numbers:
        rest = number << 1 if number >= 0 else (-number << 1) - 1
        while rest > 127:
            append(rest & 127 | 128)
            rest >>= 7
        append(rest)
    return bytes(out)


def deltas(numbers: Sequence[int]) -> list[int]:
    """The first number and then the difference of each to the one before; small where numbers grow slowly."""
    return [*numbers[:1], *(after - before for before, after in pairwise(numbers))]
