"""The preamble of a connection to the proxy: one line with the node and the purpose.

A node that listens sends its real port. A node that connects sends the name and the port of the receiver. The
proxy answers with one line, and then forwards bytes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

LOOPBACK = "127.0.0.1"
"""The address on which everything in a live trial listens."""
OK, REFUSED = b"ok\n", b"refused\n"
LINE_MAX = 256
"""The largest size of a preamble, in bytes."""


class Listening(NamedTuple):
    """`node` listens on `port`; the real port of this machine is `real_port`."""

    node: str
    port: int
    real_port: int


class Connecting(NamedTuple):
    """`sender` connects to `port` of `receiver`."""

    sender: str
    receiver: str
    port: int


def encode_preamble(preamble: Listening | Connecting) -> bytes:
    """The preamble as one line."""
    match preamble:
        case Listening(node, port, real_port):
            return f"listening {node} {port} {real_port}\n".encode()
        case Connecting(sender, receiver, port):
            return f"connecting {sender} {receiver} {port}\n".encode()


def decode_preamble(line: bytes) -> Listening | Connecting | None:
    """Decode what `encode_preamble` returned; None if the line is not a preamble."""
    if match := re.fullmatch(rb"listening (\w+) (\d+) (\d+)\n", line):
        return Listening(match[1].decode(), int(match[2]), int(match[3]))
    if match := re.fullmatch(rb"connecting (\w+) (\w+) (\d+)\n", line):
        return Connecting(match[1].decode(), match[2].decode(), int(match[3]))
    return None


async def read_line(receive: Callable[[int], Awaitable[bytes | bytearray]]) -> bytes:
    """Read the first line and no byte more, because the following bytes belong to the peer."""
    line = b""
    while not line.endswith(b"\n") and len(line) < LINE_MAX and (byte := await receive(1)):
        line += byte
    return line
