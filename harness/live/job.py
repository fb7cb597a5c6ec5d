"""The job of a node's process: one line of JSON on its standard input.

The input stays open as long as the harness lives. When it ends, the node ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

ADAPTER_FAILED = 70
"""The exit status of a node whose program raised AdapterFailed: EX_SOFTWARE of sysexits.h."""


class NodeJob(msgspec.Struct, frozen=True):
    """The workload and the node that a process runs, and its folder."""

    workload: str
    """The name of the workload's entry point, or a reference to it."""
    name: str
    nodes: tuple[str, ...]
    seed: int
    proxy_port: int
    """The port of the proxy on 127.0.0.1."""
    folder: str
    """The folder of the node: its files are in `data`, and its trace is beside it."""
    begin_ns: int
    """The start of the trial by the monotonic clock, which all processes of a machine share."""
    incarnation: int
    options: Mapping[str, Any] = {}
    bug: str | None = None


def encode_job(job: NodeJob) -> bytes:
    """The job as one line of JSON."""
    return msgspec.json.encode(job) + b"\n"


def decode_job(line: bytes) -> NodeJob:
    """Decode what `encode_job` returned. Raises: msgspec.DecodeError."""
    return msgspec.json.decode(line, type=NodeJob)
