"""How long nodes wait before they try again, in seconds. Safety does not depend on any of these times."""

from __future__ import annotations

from random import Random

import msgspec

from ostrakon.paxos_impl.core.event import Timer
from ostrakon.paxos_impl.core.multi import SetTimer


class Timing(msgspec.Struct, frozen=True, gc=False):
    """The waits of a node of Basic Paxos before its first retry; each further one is longer, up to a
    limit."""

    retransmit_s: float = 0.2
    """Several times what a message and its answer take."""
    back_off_s: float = 0.02
    """About what a whole ballot takes, so that a rival that got ahead can finish."""
    pull_s: float = 0.5
    max_s: float = 2.0

    def delay_s(self, timer: Timer, attempt: int, rng: Random) -> float:
        """How long to wait this time.

        The delay is random so that proposers that hinder each other fall out of step (PMS 2.4 needs one of
        them to get through, and no deterministic rule can guarantee that).
        """
        growth = 2.0 ** min(attempt, 16)
        match timer:
            case "retransmit":
                return min(self.retransmit_s * growth, self.max_s) * rng.uniform(1.0, 1.5)
            case "back_off":
                return min(self.back_off_s * growth, self.max_s) * rng.uniform(0.1, 1.0)
            case "pull":
                return min(self.pull_s * growth, self.max_s) * rng.uniform(0.5, 1.0)


class ReplicaTiming(msgspec.Struct, frozen=True, gc=False):
    """The waits of a replica of a log."""

    beat_s: float = 0.05
    """Between heartbeats: several times what a message and its answer take."""
    election_s: float = 0.25
    """How long a leader may be silent, at least. A replica waits up to twice as long, at random, so that the
    time-outs of several replicas fall apart. Several heartbeats."""
    soon_s: float = 0.05
    """The same for a candidate's first attempt. Each further attempt may take twice as long, so that a leader
    is found in the end however slow the network and the disks are."""
    soon_max_s: float = 1.0
    """Maximum of that."""

    def delay_s(self, timer: SetTimer, rng: Random) -> float:
        """How long to wait this time."""
        if timer.timer == "heartbeat":
            return self.beat_s
        soon_s = min(self.soon_s * 2.0 ** min(timer.attempt - 1, 16), self.soon_max_s)
        return (soon_s if timer.soon else self.election_s) * rng.uniform(1.0, 2.0)
