"""What every request handler does, and the checks that all of them share."""

from __future__ import annotations

import math
from typing import Any, Protocol

from ostrakon.paxos_impl.server.client_connection import ClientConnection

DEPTH_MAX = 64
"""How deeply lists and objects of a value may be nested."""
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

    def refusal(self, why: str) -> object:
        """The answer to any request that is refused for good."""

    def refuse(self, client: ClientConnection, request: Any, why: str) -> None:
        """Answer that nothing was done for this request and that another server should be asked.

        Raises: BadFrame.
        """


def is_plain(value: Any, depth: int = DEPTH_MAX) -> bool:
    """Whether a value is data that JSON can carry, and can be traced, shown and put into a snapshot.

    Numbers that JSON has no form for are refused, and so are dictionary keys that are not text: one value
    must be the same value at all replicas, however it is encoded. Depth is bounded because every encoder
    recurses.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-(2**63) <= value < 2**64)
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return depth > 0 and all(is_plain(each, depth - 1) for each in value)
    if kind is dict:
        return depth > 0 and all(
            type(key) is str and is_plain(each, depth - 1) for key, each in value.items()
        )
    return False
