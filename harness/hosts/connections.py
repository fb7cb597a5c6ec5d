"""TCP connections between hosts, as the kernel knows them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from ostrakon.harness.hosts.topology import Host, enter


def reset_connections(hosts: Sequence[Host], one: str, other: str) -> int:
    """Break every TCP connection between two hosts; returns how many."""
    address = next(host.address for host in hosts if host.name == other)
    command = [*enter(one), "ss", "--kill", "--no-header", "--tcp", "dst", address]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return len(told.stdout.splitlines())
