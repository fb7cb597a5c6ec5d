"""What a process that is a node is told when it begins: a line of JSON on its standard input.

The input stays open as long as the harness lives; when it ends, so does the node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class NodeJob(msgspec.Struct, frozen=True):
    """Which node to be, of which workload, and where."""

    workload: str
    """The name of its entry point, or a reference to it."""
    name: str
    nodes: tuple[str, ...]
    seed: int
    proxy_port: int
    """Where the proxy listens, on 127.0.0.1."""
    folder: str
    """The node's own: its files are below `data`, and its trace is written beside them."""
    begin_ns: int
    """The trial's time 0 by the monotonic clock, which all processes of a machine share."""
    incarnation: int
    options: Mapping[str, Any] = {}
    bug: str | None = None


def encode_job(job: NodeJob) -> bytes:
    """One line."""
    return msgspec.json.encode(job) + b"\n"


def decode_job(line: bytes) -> NodeJob:
    """The inverse of `encode_job`. Raises: msgspec.DecodeError."""
    return msgspec.json.decode(line, type=NodeJob)
