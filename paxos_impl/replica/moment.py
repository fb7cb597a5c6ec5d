"""What the clocks of this machine show."""

from __future__ import annotations

from time import time

import trio

from ostrakon.paxos_impl.core.log.lease import Moment


def now() -> Moment:
    """The time by both clocks."""
    return Moment(trio.current_time(), time())
