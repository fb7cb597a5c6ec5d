"""Ports on this machine for servers of tests, and how long a test waits for what real servers have to do.

A port that the kernel would give to clients can be a client's by the time that a server wants it, or wants
it again after a restart; so these lie below. Each worker of a test run has a thousand of its own.
"""

from __future__ import annotations

import os
import socket
from itertools import cycle

LONG_S = 90.0
"""Long after a machine busy with other work would have done it: only a test that fails waits so long."""

_FIRST, _SHARE, _SHARES = 10_000, 1_000, 20
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_own = cycle(range(_FIRST + _SHARE * (_WORKER % _SHARES), _FIRST + _SHARE * (_WORKER % _SHARES + 1)))


def free_ports(count: int) -> list[int]:
    """So many ports where nobody listens; the same one comes again after a thousand others."""
    found: list[int] = []
    while len(found) < count:
        port = next(_own)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.append(port)
    return found
