"""How long a replica waits before it does things again; safety does not depend on any of it."""

from __future__ import annotations

from random import Random

import msgspec

from ostrakon.paxos_impl.core.multi import SetTimer


class ReplicaTiming(msgspec.Struct, frozen=True, gc=False):
    """The waits, in seconds."""

    beat_s: float = 0.05
    """Between heartbeats: several times what a message and its answer take."""
    election_s: float = 0.25
    """How long a leader may be silent, at least; up to twice as long, at random, so that time-outs of
    several replicas fall apart. Several heartbeats."""
    soon_s: float = 0.05
    """The same for a candidate's first attempt; each further one is given twice as long, so that a leader is
    found in the end however slow the network and the disks are."""
    soon_max_s: float = 1.0
    """What that grows to."""

    def delay_s(self, timer: SetTimer, rng: Random) -> float:
        """How long to wait this time."""
        if timer.timer == "heartbeat":
            return self.beat_s
        soon_s = min(self.soon_s * 2.0 ** min(timer.attempt - 1, 16), self.soon_max_s)
        return (soon_s if timer.soon else self.election_s) * rng.uniform(1.0, 2.0)
