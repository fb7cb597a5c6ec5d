"""How long a replica waits before it does things again; safety does not depend on any of it."""

from __future__ import annotations

from random import Random

import msgspec

from paxos_impl.core.log import SetTimer


class ReplicaTiming(msgspec.Struct, frozen=True, gc=False):
    """The waits, in seconds."""

    beat_s: float = 0.05
    """Between heartbeats: several times what a message and its answer take."""
    election_s: float = 0.25
    """How long a leader may be silent, at least; up to twice as long, at random, so that time-outs of
    several replicas fall apart. Several heartbeats."""
    soon_s: float = 0.05
    """The same for candidates that were not elected. Several times what a ballot takes."""

    def delay_s(self, timer: SetTimer, rng: Random) -> float:
        """How long to wait this time."""
        if timer.timer == "beat":
            return self.beat_s
        return (self.soon_s if timer.soon else self.election_s) * rng.uniform(1.0, 2.0)
