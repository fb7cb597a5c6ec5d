"""Unpacks what a page's viewer is given, as its script does: the inverse of `reports.columns`."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

OP_COLUMNS = [
    "start",
    "length",
    "lane",
    "process",
    "type",
    "f",
    "keyset",
    "node",
    "asked",
    "answered",
    "error",
    "index",
]
MESSAGE_COLUMNS = ["sent", "took", "from", "to", "words"]
EVENT_COLUMNS = ["event_time", "event_machine", "event_words"]
_GROWING = {"start", "index", "sent", "event_time"}


@dataclass
class Reader:
    """Bytes, read from the first to the last."""

    data: bytes
    at: int = 0

    def number(self) -> int:
        """The next varint."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return -(value + 1) // 2 if value % 2 else value // 2

    def header(self) -> Any:
        """The header, which comes first."""
        size = self.number()
        self.at += size
        return json.loads(self.data[self.at - size : self.at])

    def column(self, count: int, *, grows: bool) -> list[int]:
        """The next column."""
        values: list[int] = []
        for _ in range(count):
            value = self.number()
            values.append(values[-1] + value if grows and values else value)
        return values


def reader(packed: str) -> Reader:
    """What was packed, ready to be read."""
    return Reader(zlib.decompress(b64decode(packed), -15))


def unpacked(element: str) -> dict[str, Any]:
    """The header and the columns of a page's view, by name."""
    found = re.search(r'id="view-data"[^>]*>([A-Za-z0-9+/=]*)</script>', element)
    assert found is not None
    data = reader(found[1])
    view: dict[str, Any] = data.header()
    for names, count in (
        (OP_COLUMNS, view["count"]),
        (MESSAGE_COLUMNS, view["messages"]),
        (EVENT_COLUMNS, view["events"]),
    ):
        view.update({name: data.column(count, grows=name in _GROWING) for name in names})
    assert data.at == len(data.data), "all of it was read"
    return view
