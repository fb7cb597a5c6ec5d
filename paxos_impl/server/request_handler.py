"""What every request handler does, and the checks that all of them share."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from ostrakon.paxos_impl.core import Value
from ostrakon.paxos_impl.server.client_connection import ClientConnection

OVERLOADED = "too much to do; try again later"
"""The refusal of a server whose backlog is full."""


class RequestHandler(Protocol):
    """Decodes messages and serves the requests of clients."""

    def read(self, body: bytes) -> object:
        """The message in a frame.

        Raises: BadFrame.
        """

    def serve(self, client: ClientConnection, request: Any, size: int) -> None:
        """Begin to serve a client's request; `size` is its length in bytes.

        Raises: BadFrame.
        """

    def refuse(self, client: ClientConnection, request: Any, why: str) -> None:
        """Answer that nothing was done for this request and that another server should be asked.

        Raises: BadFrame.
        """


def is_plain(value: Value) -> bool:
    """Whether a value can be traced, shown and put into a snapshot; msgpack can carry more than that."""
    try:
        _encode_plain(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


_encode_plain = msgspec.json.Encoder(order="deterministic").encode
"""Refuses keys that are not text: one dictionary must be the same dictionary at all replicas."""
