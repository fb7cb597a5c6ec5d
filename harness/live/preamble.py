"""What a connection to the proxy begins with: one line that says who is there and what for.

A node that listens says where it can really be reached; one that wants to connect says whom it wants to
reach. The proxy answers with one line, and from then on hands bytes on.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

LOOPBACK = "127.0.0.1"
"""Where everything of a live trial listens."""
OK, REFUSED = b"ok\n", b"refused\n"
LINE_MAX = 256
"""Bytes that a preamble may have."""


class Listening(NamedTuple):
    """`node` listens on `port`, which is really `real_port` of this machine."""

    node: str
    port: int
    real_port: int


class Connecting(NamedTuple):
    """`sender` wants to reach `port` of `receiver`."""

    sender: str
    receiver: str
    port: int


def encode_preamble(preamble: Listening | Connecting) -> bytes:
    """One line."""
    match preamble:
        case Listening(node, port, real_port):
            return f"listening {node} {port} {real_port}\n".encode()
        case Connecting(sender, receiver, port):
            return f"connecting {sender} {receiver} {port}\n".encode()


def decode_preamble(line: bytes) -> Listening | Connecting | None:
    """The inverse of `encode_preamble`; None if it is none."""
    if match := re.fullmatch(rb"listening (\w+) (\d+) (\d+)\n", line):
        return Listening(match[1].decode(), int(match[2]), int(match[3]))
    if match := re.fullmatch(rb"connecting (\w+) (\w+) (\d+)\n", line):
        return Connecting(match[1].decode(), match[2].decode(), int(match[3]))
    return None


async def read_line(receive: Callable[[int], Awaitable[bytes | bytearray]]) -> bytes:
    """The first line that comes, and no byte beyond it, for what follows is the peer's."""
    line = b""
    while not line.endswith(b"\n") and len(line) < LINE_MAX and (byte := await receive(1)):
        line += byte
    return line
