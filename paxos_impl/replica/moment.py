"""What the clocks of this machine show."""

from __future__ import annotations

from time import time

import trio

from ostrakon.paxos_impl.core.multi.lease import ClockReading


def now() -> ClockReading:
    """The time by both clocks."""
    return ClockReading(trio.current_time(), time())
